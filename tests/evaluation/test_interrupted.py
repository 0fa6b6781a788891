"""An evaluation that was interrupted, or that meets another in its folder: nothing is lost, mixed or half there."""

import json
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pyarrow.parquet
import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation import answers
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.output import WRITTEN
from ascii_maze.evaluation.questions import survey
from ascii_maze.evaluation.run import evaluate
from ascii_maze.files import MARK, output_folder
from ascii_maze.models.pins import find_pinned, fingerprint, pin
from dataset_builder.load import load_mazes, load_splits

# Kills itself when so many files of a name have come to their place.
KILLED = """
import os, signal, sys
from pathlib import Path
import ascii_maze.evaluation.answers
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
file, dataset, out, name, count = sys.argv[1:]
replace, left = os.replace, [int(count)]
def watched(source, target):
    replace(source, target)
    left[0] -= Path(target).name == name
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = watched
ascii_maze.evaluation.answers.BATCHES_PER_PART = 1
evaluate({"file": file}, dataset, ["test"], Path(out), Options(batch_size=8, pages=True))
"""


@pytest.fixture(scope="module")
def file(dataset, tmp_path_factory):
    """Answers of a model made elsewhere, half of them right."""
    path = tmp_path_factory.mktemp("answers") / "file.jsonl"
    rows = load_mazes(str(dataset), "test", None)
    answered = [{"id": row["id"], "completion": row["solution"] if n % 2 else "U"} for n, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in answered))
    return str(path)


def written(out):
    """What an evaluation has left, by name."""
    return {name: (out / name).read_bytes() for name in WRITTEN if (out / name).is_file()}


@pytest.fixture(scope="module")
def whole(dataset, file, tmp_path_factory):
    """What an evaluation writes that nothing interrupts."""
    out, size = tmp_path_factory.mktemp("whole"), answers.BATCHES_PER_PART
    answers.BATCHES_PER_PART = 1
    evaluate({"file": file}, str(dataset), ["test"], out, Options(batch_size=8, pages=True))
    answers.BATCHES_PER_PART = size
    assert written(out).keys() == set(WRITTEN)
    return written(out)


# When to kill: the file that has just come to its place, and the how many of that name.
MOMENTS = {
    "among the first parts": ("000-000000008.parquet", 1),
    "among the last parts": ("000-000000016.parquet", 6),
    "before the figures": ("predictions.parquet", 1),
    "among the figures": ("validity_by_size.svg", 1),
    "before the report": ("gallery.html", 1),
    "before the results": ("report.md", 1),
    "before the parts are removed": ("results.json", 1),
}


@pytest.mark.parametrize(("name", "count"), MOMENTS.values(), ids=MOMENTS)
def test_after_kill_9_the_same_call_gives_the_same_bytes(dataset, file, whole, tmp_path, monkeypatch, name, count):
    """In a folder with an earlier evaluation, which must not be taken for this one."""
    out = tmp_path / "out"
    evaluate({}, str(dataset), ["test"], out, Options(limit=2))
    words = [sys.executable, "-c", KILLED, file, str(dataset), str(out), name, str(count)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    results = out / "results.json"
    if name == "results.json":
        assert written(out) == whole
    elif not name.startswith("000-"):
        assert not results.exists()
    else:
        assert json.loads(results.read_text())["settings"]["limit"] == 2  # the earlier one, whole
    monkeypatch.setattr(answers, "BATCHES_PER_PART", 1)
    evaluate({"file": file}, str(dataset), ["test"], out, Options(batch_size=8, pages=True))
    assert written(out) == whole
    assert {path.name for path in out.iterdir()} == {name.partition("/")[0] for name in WRITTEN} | {MARK}


def test_two_in_one_folder_at_once_are_refused_and_harm_nothing(dataset, tmp_path):
    evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=2))
    before = written(tmp_path)
    with output_folder(tmp_path), pytest.raises(AsciiMazeError, match="another ascii-maze process is writing to"):
        evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=3))
    assert written(tmp_path) == before


@pytest.mark.parametrize("name", WRITTEN)
def test_an_evaluation_writes_over_nothing_but_an_evaluation(dataset, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("of years of work")
    with pytest.raises(UsageError, match="is not from an evaluation, and would be lost; give another --out"):
        evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=2))
    assert (tmp_path / name).read_text() == "of years of work"


def test_a_folder_with_other_files_is_shared_with_them(dataset, tmp_path):
    (tmp_path / "notes.txt").write_text("of years of work")
    for limit in (2, 3):
        assert (
            evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=limit))["models"]["greedy"]["test"]["n"]
            == limit
        )
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", MARK, *WRITTEN[:3]}


def test_pages_of_an_earlier_evaluation_do_not_stay(dataset, tmp_path):
    evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=2, pages=True))
    evaluate({}, str(dataset), ["test"], tmp_path, Options(limit=3))
    assert written(tmp_path).keys() == set(WRITTEN[:3])


def test_answers_to_other_prompts_are_not_taken(dataset, tmp_path, monkeypatch):
    """The dataset is built anew between the interruption and the same command: same mazes, same ids, another style."""
    folder, asked = tmp_path / "data", []
    shutil.copytree(dataset, folder)
    monkeypatch.setattr(answers, "BATCHES_PER_PART", 1)
    monkeypatch.setattr(answers, "baseline_answer", lambda name, row: asked.append(row["prompt"]) or "U")

    def stop(name, done, total):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate({}, str(folder), ["test"], tmp_path / "out", Options(batch_size=4), on_progress=stop)
    assert len(asked) == 8
    asked.clear()
    (path,) = (folder / "prompts").glob("test-*")
    rows = pyarrow.parquet.read_table(path).to_pylist()
    for row in rows:
        row["prompt"][1]["content"] = row["maze"].replace(" ", ".")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    card = folder / "README.md"
    card.write_text("---\n" + card.read_text()[card.read_text().index("configs:") :])  # without the sizes of files
    evaluate({}, str(folder), ["test"], tmp_path / "out", Options(batch_size=4))
    assert asked == [row["prompt"] for row in rows] * 5


# What a results file depends on, changed in one row.
CHANGES = {
    "id": lambda row: row["id"] + "x",
    "prompt": lambda row: [row["prompt"][0], {"role": "user", "content": row["maze"].replace(" ", ".")}],
    "generator": lambda row: "another",
    "width": lambda row: row["width"] + 1,
    "solution": lambda row: None,
}


@pytest.mark.parametrize("column", CHANGES)
def test_all_that_is_asked_is_in_the_digest(dataset, column):
    from datasets import Dataset

    rows = load_mazes(str(dataset), "test", 4)

    def digest_of(rows):
        return survey("x", {"test": (Dataset.from_list(rows), len(rows))})[1]

    changed = [*rows[:-1], {**rows[-1], column: CHANGES[column](rows[-1])}]
    assert digest_of(rows) == digest_of([dict(row) for row in rows])
    assert digest_of(rows) != digest_of(changed)


@pytest.fixture
def adapter(tmp_path):
    """An adapter's folder, with a base's folder of its own; only their configs are read here."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    (base / "model.safetensors").write_bytes(b"base")
    folder = tmp_path / "adapter"
    folder.mkdir()
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(base)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").write_bytes(b"adapter")
    return folder


@pytest.mark.parametrize("name", ["adapter/adapter_model.safetensors", "base/model.safetensors", "base/config.json"])
def test_a_model_is_known_by_its_files_and_those_of_its_base(adapter, name):
    before = fingerprint(find_pinned(str(adapter)))
    assert before == fingerprint(find_pinned(str(adapter)))
    (adapter.parent / name).write_bytes(b'{"other": 1}')
    assert fingerprint(find_pinned(str(adapter))) != before
    json.dumps(before)


@pytest.fixture
def commits(monkeypatch):
    """The Hub's commits by (name, revision), and what is asked of it."""
    from huggingface_hub import HfApi

    known, asked = {}, []

    def repo_info(self, name, revision=None, repo_type=None):
        asked.append((name, revision))
        if (name, revision) not in known:
            raise ConnectionError("no network")
        return SimpleNamespace(sha=known[name, revision])

    monkeypatch.setattr(HfApi, "repo_info", repo_info)
    return known


def test_a_branch_is_resolved_to_its_commit_once(commits, tmp_path):
    commits |= {("org/walker", None): "a" * 40, ("org/walker", "v1"): "b" * 40}
    assert pin("org/walker") == f"org/walker@{'a' * 40}"
    assert pin("org/walker@v1") == f"org/walker@{'b' * 40}"
    assert pin("org/walker@v2") == "org/walker@v2"  # without a network, and not in the cache
    for local in ("tiny", str(tmp_path), "no-such-folder"):
        assert pin(local) == local


def test_the_base_of_an_adapter_is_pinned_too(commits, adapter):
    commits |= {("org/base", None): "a" * 40}
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "org/base"}))
    source = find_pinned(str(adapter))
    assert source.model_args.model_revision == "a" * 40
    before = fingerprint(source)
    commits["org/base", None] = "b" * 40
    assert fingerprint(find_pinned(str(adapter))) != before


def test_a_dataset_of_the_hub_is_loaded_at_its_commit(commits, dataset, tmp_path, monkeypatch):
    from ascii_maze.evaluation import run

    commits["org/mazes", None] = "c" * 40
    asked = []
    monkeypatch.setattr(run, "load_splits", lambda name, *rest: asked.append(name) or load_splits(str(dataset), *rest))
    results = evaluate({}, "org/mazes", ["test", "test_larger"], tmp_path, Options(limit=2))
    assert asked == [f"org/mazes@{'c' * 40}"]
    assert (results["settings"]["dataset"], results["settings"]["dataset_revision"]) == ("org/mazes", "c" * 40)
