import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, MazeError
from ascii_maze.metrics.path_validity.maze import STYLES, Facts

SMALL = "#####\n#S  #\n### #\n#G  #\n#####"


@st.composite
def maps(draw):
    """Any rectangular map with one S and one G, lattice or not, reachable or not."""
    rows = draw(st.integers(1, 7))
    columns = draw(st.integers(2 if rows == 1 else 1, 7))
    symbols = draw(st.lists(st.sampled_from("#  "), min_size=rows * columns, max_size=rows * columns))
    start, goal = draw(st.lists(st.integers(0, rows * columns - 1), min_size=2, max_size=2, unique=True))
    symbols[start], symbols[goal] = "S", "G"
    return "\n".join("".join(symbols[row * columns : (row + 1) * columns]) for row in range(rows))


@given(maps(), st.sampled_from(sorted(STYLES)))
def test_every_style_is_parsed_back_losslessly(text, style):
    maze = Maze.from_ascii(text)
    assert maze.to_ascii() == text
    assert Maze.from_ascii(maze.to_ascii(style)) == maze


def test_crlf_and_one_trailing_line_break_are_accepted():
    assert (
        Maze.from_ascii(SMALL.replace("\n", "\r\n") + "\r\n")
        == Maze.from_ascii(SMALL)
        == Maze.from_ascii(SMALL + "\n")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the maze is empty"),
        ("\n", "the maze is empty"),
        ("SG\n#", "row 2: expected 2 characters as in row 1, found 1"),
        ("SG\n\n", "row 2: expected 2 characters as in row 1, found 0"),
        ("S?G", "row 1, column 2: expected '#', ' ', 'S' or 'G', found '?'"),
        ("S\tG", r"row 1, column 2: .* found '\\t' \(tabs are not spaces\)"),
        ("S\rG", "row 1, column 2"),
        ("S #\n.G#", "row 2, column 1: expected ' ' as above, found '.'"),
        ("S#\n█G", "row 2, column 1: expected '#' as above, found '█'"),
        ("S  ", "expected exactly one G, found 0"),
        ("  G", "expected exactly one S, found 0"),
        ("SGS", "expected exactly one S, found 2: row 1, column 1 and row 1, column 3"),
        ("GSG", "expected exactly one G, found 2"),
        ("S", "expected exactly one G, found 0"),
        ("###\n#S#\n###", "expected exactly one G, found 0"),
    ],
)
def test_bad_text_is_refused_with_its_place(text, message):
    with pytest.raises(MazeError, match=message):
        Maze.from_ascii(text)


def test_text_must_be_text():
    with pytest.raises(MazeError, match="not bytes"):
        Maze.from_ascii(b"SG")


def test_unknown_style():
    with pytest.raises(ValueError, match="unknown maze style 'stars'; expected one of hash, dots, blocks"):
        Maze.from_ascii("SG").to_ascii("stars")


def test_solve_and_facts():
    maze = Maze.from_ascii(SMALL)
    assert maze.solve() == "RRDDLL"
    assert maze.facts() == Facts(path_length=6, turns=2, junctions=0, dead_ends=2)


def test_unreachable_goal_is_a_legal_maze_without_a_path():
    maze = Maze.from_ascii("S#G")
    assert maze.solve() is None
    assert maze.facts().path_length is None


def test_first_of_several_shortest_paths_follows_the_order_of_moves():
    assert Maze.from_ascii("S \n G").solve() == "DR"


def turned(text):
    return "\n".join("".join(column) for column in zip(*text.split("\n")[::-1], strict=True))


def mirrored(text):
    return "\n".join(line[::-1] for line in text.split("\n"))


@given(maps())
def test_canonical_form_is_shared_by_all_symmetries_and_the_way_back(text):
    canonical = Maze.from_ascii(text).canonical()
    swapped = text.translate(str.maketrans("SG", "GS"))
    for same in (turned(text), mirrored(text), swapped, turned(mirrored(swapped))):
        assert Maze.from_ascii(same).canonical() == canonical
    assert Maze.from_ascii(canonical).canonical() == canonical
    assert sorted(canonical.replace("\n", "")) == sorted(text.replace("\n", ""))


def test_different_mazes_have_different_canonical_forms():
    assert Maze.from_ascii("S G").canonical() != Maze.from_ascii("SG ").canonical()
