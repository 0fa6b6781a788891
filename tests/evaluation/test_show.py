import pytest

from ascii_maze import Maze, MazeError
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation.show import draw, find_drawings, from_dataset, from_text, write_page
from ascii_maze.mazes.convert import parse_marks
from ascii_maze.mazes.drawing import to_sheet, to_terminal
from ascii_maze.metrics.path_validity.styles import STYLES

TEXT = "#####\n#S G#\n#####\n"


def test_the_first_mazes_of_a_split_with_their_solutions(dataset, capsys):
    walks = from_dataset(str(dataset), "test_larger", 3)
    assert len(walks) == 3
    for caption, maze, moves in walks:
        assert moves == maze.solve() or len(moves) == len(maze.solve())
        assert caption == f"depth_first 5x5, {len(moves)} moves"
    draw(walks)
    out = capsys.readouterr().out
    assert out.count("depth_first 5x5") == 3
    assert "██" in out
    assert "••" in out


def test_no_such_split_is_one_line(dataset):
    with pytest.raises(AsciiMazeError, match="cannot load split 'tset'") as caught:
        from_dataset(str(dataset), "tset", 1)
    assert "\n" not in str(caught.value)


def test_a_maze_of_a_file_with_its_solution_or_an_answer(tmp_path):
    (tmp_path / "maze.txt").write_text(TEXT)
    ((caption, maze, moves),) = from_text(str(tmp_path / "maze.txt"), None)
    assert (maze, moves) == (Maze.from_ascii(TEXT), "RR")
    assert "optimal        True" in caption
    ((caption, _, moves),) = from_text(str(tmp_path / "maze.txt"), "U")
    assert moves == "U"
    assert "wall_hits      1" in caption


def test_marks_are_named_in_the_error_and_taken(tmp_path):
    (tmp_path / "maze.txt").write_bytes(b"\xef\xbb\xbf\r\n" + TEXT.replace("S", "@").replace("G", "E").encode())
    with pytest.raises(MazeError, match=r"row 2, column 2: .*write S for @, or --marks @=S"):
        from_text(str(tmp_path / "maze.txt"), None)
    ((_, maze, moves),) = from_text(str(tmp_path / "maze.txt"), None, parse_marks(["@=S", "E=G"]))
    assert (maze.to_ascii(), moves) == (TEXT.strip(), "RR")


def test_a_file_in_any_style_is_drawn(tmp_path):
    for style in STYLES:
        (tmp_path / "maze.txt").write_text(Maze.from_ascii(TEXT).to_ascii(style), encoding="utf-8")
        ((drawing,),) = find_drawings(str(tmp_path / "maze.txt"), "", 1, style=style)
        assert (drawing,) == tuple(from_text(str(tmp_path / "maze.txt"), None))
        assert drawing.maze == Maze.from_ascii(TEXT)
    with pytest.raises(UsageError, match="--style: unknown maze style 'cell'; did you mean 'cells'"):
        find_drawings(str(tmp_path / "maze.txt"), "", 1, style="cell")


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "picture.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("picture.txt", "nothing.txt"):
        with pytest.raises(UsageError, match=f"cannot read .*{name}"):
            from_text(str(tmp_path / name), None)


def test_a_page_escapes_what_others_named(tmp_path):
    write_page(tmp_path / "page.html", "Mazes of <b>", [("<script>alert(1)</script>", Maze.from_ascii(TEXT), "RR")])
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_sheet_holds_every_maze_once():
    sheet = to_sheet([(str(k), Maze.from_ascii(TEXT), "RR") for k in range(6)], columns=4)
    assert sheet.count('class="goal"') == 6
    assert 'viewBox="0 0 776 424"' in sheet


def test_a_long_maze_is_drawn_in_linear_time(tmp_path, capsys):
    """A corridor of as many characters as a large map: as runs of one style, and found, walked and scored once."""
    text = "S" + " " * 100_000 + "G"
    (tmp_path / "maze.txt").write_text(text)
    ((drawing,),) = find_drawings(str(tmp_path / "maze.txt"), "", 1)
    assert drawing.moves == "R" * 100_001
    assert len(to_terminal(drawing.maze, drawing.moves).spans) == 3
    draw([drawing])
    assert "SS••" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing.txt", "cannot read nothing.txt"),
        ("nothing.parquet", "cannot read nothing.parquet"),
        ("nothing", "cannot load split 'test'"),
        ("org/mazes@v1.0", "cannot load split 'test'"),
    ],
)
def test_each_source_is_known_for_what_it_is(source, message):
    with pytest.raises(AsciiMazeError, match=message) as caught:
        find_drawings(source, "test", 1)
    assert "\n" not in str(caught.value)


def test_a_map_in_utf_16_is_read(tmp_path):
    (tmp_path / "maze.txt").write_bytes(TEXT.encode("utf-16"))
    ((drawing,),) = find_drawings(str(tmp_path / "maze.txt"), "", 1)
    assert drawing.maze == Maze.from_ascii(TEXT)
