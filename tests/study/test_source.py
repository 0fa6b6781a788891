"""What of the program counts for which stage."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from ascii_maze.study import source
from ascii_maze.study.plan import RECIPE, plan
from ascii_maze.study.settings import load_study
from ascii_maze.study.source import modules_run, source_digest

# Runs a command, and writes which of our modules that has imported; in those that do not count there is nothing.
WATCHED = """
import pathlib, runpy, sys, types
told, without, *sys.argv[1:] = sys.argv[1:]
for name in [*without.split(), "ascii_maze.hub.cards"]:
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__getattr__ = lambda name: None
    sys.modules[name].write_gallery = lambda out, results: None
    sys.modules[name].render_card = lambda *words, **more: ""
try:
    runpy.run_module("ascii_maze", run_name="__main__")
finally:
    ours = [name for name in sys.modules if name.split(".")[0] in ("ascii_maze", "dataset_builder")]
    pathlib.Path(told).write_text("\\n".join(ours))
"""
FILES = {
    "cli/train": "def train(rate=1):\n    pass\ndef beside(n=4):\n    pass\n",
    "cli/show": "def show(n=4):\n    pass\n",
    "run": "import os\nfrom . import near\ndef run():\n    from .deep.inner import thing\n",
    "near": "",
    "beside": "",
    "deep/__init__": "",
    "deep/inner": "from ..near import name\nimport ascii_maze.last\n",
    "last": "",
}


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A small program in the place of ours."""
    for name, text in FILES.items():
        path = tmp_path / "ascii_maze" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(source, "ROOT", tmp_path)
    return tmp_path / "ascii_maze"


def digest() -> str:
    source_digest.cache_clear()
    source._imports.cache_clear()
    return source_digest("train", ("ascii_maze.run",))


def test_what_is_imported_counts_and_nothing_else(program):
    names = {name.removeprefix("ascii_maze.") for name in modules_run(("ascii_maze.run",))}
    assert names == {"run", "near", "deep", "deep.inner", "last"}
    before = digest()
    for name in ("last", "deep/__init__", "run"):
        text = (program / f"{name}.py").read_text()
        (program / f"{name}.py").write_text(f"{text}\nx = 1\n")
        assert digest() != before
        (program / f"{name}.py").write_text(text)
    (program / "beside.py").write_text("x = 1")
    assert digest() == before


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("def run():", "# why\ndef run():", False),
        ("def run():", "def run():\n    'What it does.'", False),
        ("import os", '"""What this is."""\nimport os', False),
        ("def run():\n    from", "\n\ndef run(  ):\n        from", False),
        ("def run():", "def run():\n    'a docstring'\n    'a value'", True),
        ("def run():", "def run(n=1):", True),
    ],
)
def test_of_a_module_only_the_code_counts(program, old, new, counts):
    before = digest()
    assert old in FILES["run"]
    (program / "run.py").write_text(FILES["run"].replace(old, new))
    assert (digest() != before) is counts


def test_of_the_commands_only_its_own_counts(program):
    before = digest()
    for name, old, new in (
        ("show", "n=4", "n=5"),
        ("train", "n=4", "n=5"),
        ("train", "rate=1):", "rate=1):\n    'Train.'"),
        ("train", "rate=1", "rate=2"),
    ):
        text = FILES[f"cli/{name}"]
        assert old in text
        (program / "cli" / f"{name}.py").write_text(text.replace(old, new))
        assert (digest() != before) is (new == "rate=2")
        (program / "cli" / f"{name}.py").write_text(text)


def test_the_command_of_every_stage_is_found_and_a_launcher_s_file_is_none():
    for stage in plan(load_study(None), Path("out")):
        assert f"def {stage.command[0]}(" in source._source_of_command(stage.command[0])
    assert source._source_of_command(RECIPE) == ""


def test_a_stage_counts_what_it_runs_and_not_what_others_do():
    study = dataclasses.replace(load_study(None), seeds=[0])
    stages = {stage.name: set(modules_run(stage.modules)) for stage in plan(study, Path("out"))}
    parts = {name: {module.split(".")[1] for module in modules if "." in module} for name, modules in stages.items()}
    others = [name for name in stages if name != "build"]
    assert not any({"study", "hub", "doctor", "show", "gallery", "cli"} & found for found in parts.values())
    assert [name for name, found in parts.items() if "mri" in found] == ["mri"]
    assert [name for name, found in parts.items() if "evaluation" in found] == ["evaluate"]
    assert [name for name, found in stages.items() if "ascii_maze.training.dpo" in found] == ["train-dpo"]
    assert [name for name, found in parts.items() if "training" in found] == others


def test_all_that_a_stage_imports_counts(study_file, tmp_path):
    study = load_study(study_file)
    study = dataclasses.replace(study, recipes={"sft": study.recipes["sft"]}, mri_split="train", mri_limit=20)
    stages = plan(study, tmp_path / "out")
    finished = {stage.name for stage in stages}
    for stage in stages:
        told = tmp_path / stage.name
        command = [sys.executable, "-c", WATCHED, str(told), " ".join(source.WITHOUT), *stage.words(finished)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        imported = set(told.read_text().split())
        assert len(imported) > 10
        of_the_command_line = {
            f"ascii_maze.{name}" for name in ("references", "terminal", "hub.cards", "evaluation.view")
        }
        imported = {name for name in imported if not name.startswith("ascii_maze.cli")}
        assert imported - of_the_command_line - set(source.WITHOUT) <= set(modules_run(stage.modules))
