"""Two commands at once in one output folder: the second says so in one line, or waits, and changes nothing.

Of `train`, whose recipe names the folder, see tests/training/test_run.py.
"""

import sys
from typing import get_type_hints

import pytest
from typer.models import OptionInfo

from ascii_maze import files
from ascii_maze.cli import app, main
from ascii_maze.cli.options import named_path
from ascii_maze.errors import AsciiMazeError
from ascii_maze.files import MARK, output_folder
from ascii_maze.preferences.collection import write_collection

from .preferences.conftest import plain_collection

DATA = "--dataset {dataset} --split test"
# Command and the option that names its folder -> its other words, and the folder that it locks.
LOCKING = {
    ("build", "--out"): ("build demo --limit 1", "out"),
    ("sweep", "--out"): ("sweep recipes/tiny/sft.yaml --trials 2", "out/search"),
    ("merge", "--out"): (f"merge {{adapter}} {DATA} --limit 1 --margin 1", ".out.unfinished"),
    ("evaluate", "--out"): (f"evaluate tiny {DATA} --limit 1", "out"),
    ("mri", "--out"): (f"mri --base tiny --adapter a={{adapter}} {DATA}", "out"),
    ("forgetting", "--out"): (f"forgetting base=tiny a={{adapter}} {DATA} --limit 1 --samples 1", "out"),
    ("annotate", "--out"): ("annotate {dataset} --simulate 1 --limit 4", "out"),
    ("agreement", "--out"): ("agreement {collection}", "out"),
    ("study", "--out"): ("study recipes/tiny/study.yaml", "out"),
    ("tokens", "--save"): ("tokens tiny", "out"),
}
# Options that name a file, or something to read.
OTHERS = {
    *(("convert", "--out"), ("prompts", "--out"), ("show", "--html"), ("sweep", "--space")),
    *(("tokens", "--maze"), ("annotate", "--guideline"), ("push", "--results")),
}


def test_every_command_that_writes_into_a_folder_is_here():
    found = {
        (command.name or command.callback.__name__, f"--{name}")
        for command in app.registered_commands
        for name, hint in get_type_hints(command.callback, include_extras=True).items()
        for said in getattr(hint, "__metadata__", ())
        if isinstance(said, OptionInfo) and said.parser is named_path
    }
    assert found - OTHERS == LOCKING.keys()
    assert found > OTHERS


@pytest.fixture(scope="module")
def places(dataset, tmp_path_factory):
    """What the commands read."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from ascii_maze.tiny import TINY

    folder = tmp_path_factory.mktemp("read")
    wanted = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(TINY), wanted)
    model.peft_config["default"].base_model_name_or_path = "tiny"
    model.save_pretrained(folder / "adapter", save_embedding_layers=False)
    (folder / "collection").mkdir()
    write_collection(folder / "collection", plain_collection())
    return {"dataset": dataset, "adapter": folder / "adapter", "collection": folder / "collection"}


@pytest.fixture
def told(monkeypatch, capsys):
    """What a command says on stderr that another process keeps from its folder."""

    def run(*words) -> str:
        monkeypatch.setattr("ascii_maze.launch.prepare_process", lambda: None)  # of a process of its own
        monkeypatch.setattr(sys, "argv", ["ascii-maze", *map(str, words)])
        flock = files._flock

        def no_waiting(handle, wait, shared):
            if wait:
                raise AsciiMazeError("it waits")
            return flock(handle, wait, shared)

        monkeypatch.setattr(files, "_flock", no_waiting)
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 1
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize(("command", "option"), LOCKING)
def test_a_folder_that_is_written_to_is_left_alone(command, option, places, told, tmp_path):
    words, locked = LOCKING[command, option]
    with output_folder(tmp_path / locked):
        said = told(*words.format(**places).split(), option, tmp_path / "out").splitlines()
        assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {MARK}
    (line,) = (line for line in said if "another ascii-maze process is writing to" in line)
    assert line.endswith(("; wait for it to end, or name another output folder", "; waiting for it to end"))


def test_nor_are_answers_withdrawn_from_it(places, told):
    with output_folder(places["collection"]):
        assert "another ascii-maze process is writing" in told(
            "annotate", "--out", places["collection"], "--withdraw=a"
        )
