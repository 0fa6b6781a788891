import io

import pytest
from typer.testing import CliRunner

from ascii_maze import Maze, MazeError
from ascii_maze.cli import app
from ascii_maze.errors import UsageError
from ascii_maze.mazes.convert import convert, parse_marks
from ascii_maze.metrics.path_validity.styles import STYLES

MAZE = Maze.from_ascii("#######\n#S#   #\n# # # #\n#   #G#\n#######")


@pytest.mark.parametrize("style", STYLES)
def test_from_a_file_in_one_style_to_another(tmp_path, style):
    path = tmp_path / "maze.txt"
    path.write_text(MAZE.to_ascii(style) + "\n", encoding="utf-8")
    for to in STYLES:
        assert convert(str(path), to) == convert(str(path), to, style) == MAZE.to_ascii(to)


def test_from_stdin_to_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MAZE.to_ascii("boxes").encode())))
    assert convert("-", "hash") == str(MAZE)
    (tmp_path / "map.txt").write_text(str(MAZE).replace("S", "*").replace("G", "E"))
    words = ["convert", str(tmp_path / "map.txt"), "--marks", "E=G,*=S", "--to", "lines"]
    assert CliRunner().invoke(app, [*words, "--out", str(tmp_path / "lines.txt")]).output == ""
    assert (tmp_path / "lines.txt").read_text(encoding="utf-8") == MAZE.to_ascii("lines") + "\n"
    assert CliRunner().invoke(app, words).output == MAZE.to_ascii("lines") + "\n"


def test_what_cannot_be_converted_is_one_line(tmp_path):
    (tmp_path / "open.txt").write_text("S.\n.G")
    with pytest.raises(MazeError, match=r"^style 'cells' cannot write this maze: expected a lattice"):
        convert(str(tmp_path / "open.txt"), "cells")
    with pytest.raises(UsageError, match="--to: unknown maze style 'cell'; did you mean 'cells'"):
        convert(str(tmp_path / "open.txt"), "cell")
    with pytest.raises(UsageError, match="--style: unknown maze style 'maze-dataset'; did you mean 'maze_dataset'"):
        convert(str(tmp_path / "open.txt"), "hash", "maze-dataset")
    with pytest.raises(UsageError, match=r"cannot read .*nothing"):
        convert(str(tmp_path / "nothing.txt"), "hash")


def test_marks_may_be_several():
    assert parse_marks(["E=G,*=S", ",=#", "==#,.= "]) == {"E": "G", "*": "S", ",": "#", "=": "#", ".": " "}


@pytest.mark.parametrize("mark", ["", "E", "E=", "=G", "E=GG", "E:G", "E=X", "EE=G", "E=G,", "E=G,*"])
def test_marks_that_are_none_are_refused_in_one_line(mark):
    with pytest.raises(UsageError, match="as in E=G"):
        parse_marks([mark])
