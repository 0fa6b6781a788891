"""What a name means, tried through every entrance that takes one."""

import contextlib
import os
import shutil
import socket
import threading

import pytest
from datasets import config
from huggingface_hub import constants
from huggingface_hub.utils import HFValidationError, validate_repo_id

from ascii_maze import references
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.references import Reference, find_reference, is_hub_name, is_on_hub

NAMES = [
    *("gpt2", "org/name", "_a/b", "a/_b", "a.b/c.d", "a" * 96, "a/" + "b" * 96),
    *("a b/c", "-a/b", "a-/b", "a/b.", "a--b/c", "a..b/c", "a" * 97, "a/b/c", "org/name.git", "", "/a", "a/", "é/a"),
]
# Text -> what of the Hub it names; None where it names nothing there.
MEANINGS = {
    "org/name": ("org/name", None),
    "org/name@v1.0": ("org/name", "v1.0"),
    "org/name@refs/pr/3": ("org/name", "refs/pr/3"),
    "org/maze-v1.2@0123456789abcdef": ("org/maze-v1.2", "0123456789abcdef"),
    "": None,
    " ": None,
    "a b/c": None,
    "a/b@": None,
    "a/b@-x": None,
    "a/b@v 1": None,
    "a/b@v..1": None,
    "a/b@v/": None,
    "a/b@v.lock": None,
    "name": None,
    "./a/b": None,
    "../b": None,
    "~/b": None,
    "/a/b": None,
    "a/b/c": None,
    "a/b\0": None,
    "a" * 5000: None,
}
WRONG = [text for text, meaning in MEANINGS.items() if meaning is None]
RIGHT = [text for text, meaning in MEANINGS.items() if meaning]


def ask_load_split(text):
    from dataset_builder.load import load_split

    load_split(text, "test")


def ask_find_model(text):
    from ascii_maze.models.sources import find_model

    find_model(text)


def ask_evaluate(text):
    from pathlib import Path

    from ascii_maze.evaluation.options import Options
    from ascii_maze.evaluation.run import evaluate

    evaluate({"base": "tiny"}, text, ["test"], Path("not-made"), Options(baselines=False))


def ask_start(text):
    from types import SimpleNamespace

    from ascii_maze.models.loading import load_tokenizer_to_train
    from ascii_maze.recipe import RunArguments
    from ascii_maze.training.chain import check_predecessors

    check_predecessors(RunArguments(adapter_name_or_path=text))
    load_tokenizer_to_train(SimpleNamespace(use_peft=True), text)


def ask_reward_model(text):
    from ascii_maze.models.loading import load_model
    from ascii_maze.recipe import RunArguments
    from ascii_maze.training.chain import check_predecessors

    check_predecessors(RunArguments(reward_model_name_or_path=text))
    load_model(text, task="SEQ_CLS")


def ask_base(text):
    from ascii_maze.models.devices import this_device
    from ascii_maze.models.loading import load_tokenizer
    from ascii_maze.training.machine import settle_base

    settled, _ = settle_base({"model_name_or_path": text}, this_device())
    load_tokenizer(settled["model_name_or_path"], settled.get("model_revision"))


def ask_dataset_of_recipe(text):
    from types import SimpleNamespace

    from ascii_maze.training.data import load_rows

    script = SimpleNamespace(dataset_name=text, dataset_config="sft", dataset_train_split="train")
    load_rows(SimpleNamespace(script=script, run=SimpleNamespace(train_limit=None, dataset_mix=None)), ("prompt",))


def ask_mri(text):
    from ascii_maze.mri.models import find_adapters

    find_adapters("tiny", {"x": text})


def ask_show(text):
    from ascii_maze.cli.show import show

    show(text, "test", n=1)


ENTRANCES = {
    "show": ask_show,
    "load_split": ask_load_split,
    "find_model": ask_find_model,
    "evaluate --dataset": ask_evaluate,
    "model_name_or_path": ask_base,
    "adapter_name_or_path": ask_start,
    "reward_model_name_or_path": ask_reward_model,
    "dataset_name": ask_dataset_of_recipe,
    "mri --adapter": ask_mri,
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_that_the_hub_s_own_client_takes(name):
    try:
        validate_repo_id(name)
    except HFValidationError:
        assert not is_hub_name(name)
    else:
        assert is_hub_name(name)


@pytest.mark.parametrize("text", MEANINGS, ids=lambda text: text[:30].encode("unicode_escape").decode())
def test_a_name_means_one_thing(text):
    meaning = MEANINGS[text]
    assert find_reference(text) == (meaning and Reference(*meaning))
    assert is_on_hub(text) == (meaning is not None)


def test_a_folder_is_itself_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "run@2").mkdir(parents=True)
    assert find_reference("org/run@2") == Reference("org/run@2", is_local=True)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:30].encode("unicode_escape").decode())
def test_what_names_nothing_is_refused_in_one_line_at_every_entrance(entrance, text):
    with pytest.raises(AsciiMazeError) as refused:
        ENTRANCES[entrance](text)
    assert "\n" not in str(refused.value)
    assert "Repo id" not in str(refused.value)  # the Hub was not asked


@pytest.mark.parametrize("ask", [ask_load_split, ask_find_model])
def test_a_file_is_neither_a_model_nor_a_dataset(ask, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not a folder"):
        ask(str(tmp_path / "notes.txt"))


@pytest.mark.parametrize("name", [".", "../small", "other/../../small"])
def test_a_dataset_is_found_wherever_one_stands(name, dataset, tmp_path, monkeypatch):
    from dataset_builder.load import load_split

    shutil.copytree(dataset, tmp_path / "small")
    (tmp_path / "small" / "other").mkdir()
    monkeypatch.chdir(tmp_path / "small")
    assert len(load_split(name, "test")) == 32


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("text", RIGHT)
def test_a_repository_and_its_revision_reach_the_hub_from_every_entrance(entrance, text, monkeypatch):
    """What is asked for is caught where the libraries of Hugging Face would go on to fetch it."""
    asked = []

    def fetch(name, *arguments, revision=None, **others):
        asked.append((name, revision))
        raise OSError("not fetched")

    monkeypatch.setattr("datasets.load_dataset_builder", fetch)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", fetch)
    with contextlib.suppress(AsciiMazeError):
        ENTRANCES[entrance](text)
    assert asked[:1] == [MEANINGS[text]]


@pytest.mark.parametrize(
    ("word", "name", "model"),
    [
        ("outputs/sft", "outputs/sft", "outputs/sft"),
        ("sft=outputs/sft", "sft", "outputs/sft"),
        ("x=ORG/NAME@v1", "x", "ORG/NAME@v1"),
        ("x=sweep/lr=2e-4/model", "x", "sweep/lr=2e-4/model"),
        ("sweep/lr=2e-4/model", "sweep/lr=2e-4/model", "sweep/lr=2e-4/model"),
        ("lr=2e-4", "lr=2e-4", "lr=2e-4"),
        ("./lr=3", "./lr=3", "./lr=3"),
    ],
)
def test_a_folder_with_an_equals_sign_is_no_name(word, name, model, tmp_path, monkeypatch):
    from ascii_maze.cli.options import name_models

    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=2e-4").mkdir()
    assert name_models([word]) == {name: model}


class TestTheHub:
    @pytest.fixture
    def ask(self, monkeypatch):
        """`hub_answers` of the Hub at an address, from a process that has not asked before."""
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setattr(config, "HF_HUB_OFFLINE", False)

        def of(server: socket.socket, patience: float = 0.2) -> bool:
            monkeypatch.setattr(references, "_PATIENCE", patience)
            monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
            return references.hub_answers()

        return of

    @pytest.fixture
    def server(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            yield listening

    def test_one_that_is_silent_is_asked_once_and_then_left_alone(self, ask, server, capsys):
        assert not ask(server)
        assert not ask(server)
        server.settimeout(5)
        server.accept()
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):  # no second connection
            server.accept()
        assert constants.is_offline_mode()
        assert config.HF_HUB_OFFLINE
        assert os.environ["HF_HUB_OFFLINE"] == "1"  # for the processes that this one starts
        assert capsys.readouterr().err.count("cannot be reached; using its cache") == 1

    def test_of_several_processes_the_first_of_a_machine_reports_it(self, ask, server, capsys, monkeypatch):
        monkeypatch.setenv("LOCAL_RANK", "1")
        assert not ask(server)
        assert capsys.readouterr().err == ""

    def test_any_answer_is_one(self, ask, server):
        def answer():
            connection, _ = server.accept()
            connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert ask(server, patience=5)
        thread.join()
        assert not constants.is_offline_mode()
