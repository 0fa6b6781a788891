"""What strangers' datasets and adapters can hold: one line each, and nothing written."""

import json
import shutil

import pyarrow
import pyarrow.parquet
import pytest

from ascii_maze.cli import main
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.mri.activations import _lay_out
from ascii_maze.mri.models import find_adapters
from ascii_maze.mri.rows import COLUMNS, load_rows


def said_by(monkeypatch, capsys, *words) -> tuple[int, list[str]]:
    """How `ascii-maze mri` ends, and what it says on stderr, the last line being the error's."""
    monkeypatch.setattr("sys.argv", ["ascii-maze", "mri", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code, capsys.readouterr().err.strip().splitlines()


@pytest.fixture
def other_base(adapters, tmp_path):
    """An adapter of a base that is not `tiny`."""
    other = shutil.copytree(adapters["random"], tmp_path / "other")
    config = json.loads((other / "adapter_config.json").read_text())
    (other / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "ORG/other"}))
    return other


def test_a_maze_that_is_not_read_is_refused_before_a_model_is_loaded(adapters, dataset, monkeypatch, capsys, tmp_path):
    words = ("--adapter", f"x={adapters['random']}", "--dataset", dataset, "--out", tmp_path / "mri", "--maze", "none")
    code, lines = said_by(monkeypatch, capsys, *words)
    assert code == 2
    assert lines[-1].startswith("ascii-maze: --maze none: none of the ")
    assert not (tmp_path / "mri").exists()


def test_a_base_that_moved_is_the_one_that_is_named(other_base, tmp_path):
    config = json.loads((other_base / "adapter_config.json").read_text())
    moved = json.dumps({**config, "base_model_name_or_path": "/once/here"})
    (other_base / "adapter_config.json").write_text(moved)
    with pytest.raises(AsciiMazeError, match=r"'/once/here', is not here.*name where it is with the --base of"):
        find_adapters("tiny", {"x": str(other_base)})
    (now := tmp_path / "now").mkdir()
    assert find_adapters(str(now), {"x": str(other_base)})["x"].model_args.model_name_or_path == str(now)


def test_a_base_on_the_hub_is_the_revision_that_is_named(other_base):
    config = json.loads((other_base / "adapter_config.json").read_text())
    (other_base / "adapter_config.json").write_text(json.dumps({**config, "revision": "v1"}))
    (other_base / "recipe.yaml").unlink(missing_ok=True)
    for base in ("ORG/other", "ORG/other@v1"):
        assert find_adapters(base, {"x": str(other_base)})["x"].model_args.model_revision == "v1"
    with pytest.raises(UsageError, match="was trained on 'ORG/other@v1' and not on 'ORG/other@v2'"):
        find_adapters("ORG/other@v2", {"x": str(other_base)})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no adapter to compare with the base; give --adapter NAME=FOLDER"),
        (["[/x]={random}"], "an adapter cannot be called '[/x"),
        (["base={random}"], "an adapter cannot be called 'base'"),
        (["default={random}"], "an adapter cannot be called 'default'"),
        (["={random}"], "expected MODEL or NAME=MODEL"),
        (["x="], "expected MODEL or NAME=MODEL"),
        (["a b={random}"], "an adapter cannot be called 'a b'"),
        (["../x={random}"], "an adapter cannot be called '../x"),
        (["{random}"], "give --adapter NAME={random}"),
        ([f"{'x' * 65}={{random}}"], "an adapter cannot be called 'xxx"),
        (["x@0={random}", "x@0={zero}"], "the name 'x@0' is taken; give this model another: NAME={zero}"),
        (
            ["x@0={random}", "y={random}", "x@1={random}"],
            "'x@0' and 'x@1' ({random}) are the same adapter, not two seeds",
        ),
        (["x@0@0={random}"], "an adapter cannot be called 'x@0@0'; give --adapter NAME={random}"),
        (["x={random}", "X={zero}"], "an adapter cannot be called 'X'"),
        (["whole=tiny"], "'whole' (tiny) is not a LoRA adapter"),
        (["other={other}"], "adapter 'other' ({other}) was trained on 'ORG/other' and not on 'tiny'"),
        (["gone={other}/gone"], "gone"),
    ],
)
def test_adapters_that_cannot_be_compared(
    words, message, adapters, other_base, dataset, tmp_path, monkeypatch, capsys
):
    places = {**adapters, "other": other_base}
    named = [part for word in words for part in ("--adapter", word.format(**places))]
    code, lines = said_by(monkeypatch, capsys, *named, "--dataset", dataset, "--out", tmp_path / "mri")
    assert code in (1, 2)
    assert lines[-1].startswith("ascii-maze: ")
    assert message.format(**places) in lines[-1]
    assert not (tmp_path / "mri").exists()


CARD = """---
configs:
- config_name: prompts
  data_files:
  - split: test
    path: test.parquet
---
"""


@pytest.fixture(scope="session")
def good_rows(dataset):
    """What `build` writes."""
    (path,) = (dataset / "prompts").glob("test-*.parquet")
    return pyarrow.parquet.read_table(path).to_pylist()


@pytest.fixture
def strange(good_rows, tmp_path):
    """Writes a dataset of changed rows."""

    def write(change):
        folder = tmp_path / tmp_path.name  # `datasets` caches by this name and the card, not by what is in the files
        folder.mkdir()
        (folder / "README.md").write_text(CARD)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(change(good_rows)), folder / "test.parquet")
        return folder

    return write


def last(**changed):
    """The last row has other values, of the same types or null."""
    return lambda rows: [*rows[:-1], {**rows[-1], **changed}]


def every(**changed):
    """All rows have other values, of any type."""
    return lambda rows: [{**row, **changed} for row in rows]


def without(column):
    return lambda rows: [{key: row[key] for key in row if key != column} for row in rows]


CHAT = [{"role": "system", "content": "Walk."}, {"role": "user", "content": "Where to?"}]
NO_WAY = "#####\n#S#G#\n#####"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (every(prompt="##\n##"), "row 0"),
        (last(prompt=None), "expected chat messages"),
        (last(prompt=[]), "expected chat messages"),
        (last(prompt=[{"role": "user", "content": None}]), "expected chat messages"),
        (every(prompt=["S", "G"]), "expected chat messages"),
        (last(prompt=CHAT), "the last message of 'prompt' does not show its maze"),
        (last(maze="no maze"), "'maze': "),
        (last(maze=None), "'maze' is None"),
        (last(maze=NO_WAY, solution="", prompt=[{"role": "user", "content": NO_WAY}]), "there is no path from S to G"),
        (last(solution=None), "'solution' is None; a report needs it"),
        (last(solution=""), "'solution' is ''; a report needs it"),
        (last(solution="U"), "'solution' is not a shortest path: 'U'"),
        (last(width=None), "'width' is None; a report needs it"),
        (every(height="four"), "'height' is 'four'; expected a count"),
        (lambda rows: rows[:7], "7 mazes are too few"),
        *((without(name), f"no column {name}") for name in COLUMNS),
    ],
)  # fmt: skip
def test_rows_that_no_report_can_be_made_of(change, message, adapters, strange, tmp_path, monkeypatch, capsys):
    words = ["--adapter", f"x={adapters['zero']}", "--dataset", strange(change), "--out", tmp_path / "mri"]
    code, lines = said_by(monkeypatch, capsys, *words)
    assert code in (1, 2)
    assert lines[-1].startswith("ascii-maze: ")
    assert message in lines[-1]
    assert not (tmp_path / "mri").exists()


@pytest.mark.parametrize("change", [every(id=None), without("id"), every(path_length=None), every(path_length="long")])
def test_rows_may_lack_what_the_report_does_not_use(change, strange):
    assert len(load_rows(str(strange(change)), "test", 24)) == 24


def test_an_output_folder_of_someone_else_is_left_alone(adapters, dataset, tmp_path, monkeypatch, capsys):
    (tmp_path / "report.html").write_text("mine")
    words = ["--adapter", f"x={adapters['zero']}", "--dataset", dataset, "--out", tmp_path]
    code, lines = said_by(monkeypatch, capsys, *words)
    assert (code, lines[-1].split(";")[0]) == (
        2,
        f"ascii-maze: {tmp_path} is not empty and was not made by ascii-maze",
    )
    assert (tmp_path / "report.html").read_text() == "mine"


def test_a_full_disk_is_said_before_anything_is_mapped(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(AsciiMazeError, match=r"no room for the activations .*No space left"):
        _lay_out(tmp_path / "base" / "hidden-000.safetensors", {"goal": (2, 3)})
