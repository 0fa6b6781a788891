"""Every style: read back losslessly, for any map that can be said in it; told apart, or refused with the reason."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, MazeError, generate_mazes, score_path
from ascii_maze.metrics.path_validity.scoring import read_maze
from ascii_maze.metrics.path_validity.styles import STYLES
from ascii_maze.metrics.path_validity.writing import write

from .test_maze import maps

MAZE = Maze.from_ascii("#######\n#S#   #\n# # # #\n#   #G#\n#######")
DRAWN = {
    "spaced": "# # # # # # #\n# S # . . . #\n# . # . # . #\n# . . . # G #\n# # # # # # #",
    "indexed": "  0123456\n0 #######\n1 #S#   #\n2 # # # #\n3 #   #G#\n4 #######",
    "cells": "SD DR DL\nUR UL GU",
    "adjacency": "size (5,7)\nS (1,1)\nG (3,5)\n(1,1)-(3,1)\n(1,3)-(1,5)\n(1,3)-(3,3)\n(1,5)-(3,5)\n(3,1)-(3,3)",
    "boxes": "+--+--+--+\n| S|     |\n+  +  +  +\n|     | G|\n+--+--+--+",
    "lines": "┌──┬─────┐\n│ S│     │\n│  ╵  ╷  │\n│     │ G│\n└─────┴──┘",
}


@st.composite
def lattices(draw, open_places=False):
    """Any lattice of cells with walls around it: solid cells, lone ones, loops, a goal that cannot be reached.

    Args:
        open_places: anything at all within the corners.
    """
    height = draw(st.integers(1, 5))
    width = draw(st.integers(2 if height == 1 else 1, 7))
    seed = draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    grid = np.full((2 * height + 1, 2 * width + 1), "#")
    if open_places:
        grid[rng.random(grid.shape) < rng.random()] = " "
        grid[:: 2 * height, :: 2 * width] = "#"
        free = [divmod(place, grid.shape[1]) for place in range(grid.size)]
        free = [place for place in free if place[0] % (2 * height) or place[1] % (2 * width)]
    else:
        grid[1::2, 1::2][rng.random((height, width)) < 0.9] = " "
        free = [(row, column) for row in range(1, 2 * height, 2) for column in range(1, 2 * width, 2)]
    start, goal = rng.permutation(len(free))[:2]
    grid[free[start]], grid[free[goal]] = "S", "G"
    if not open_places:
        for row, column in product(range(1, 2 * height), range(1, 2 * width)):
            if row % 2 != column % 2 and rng.random() < 0.6:
                down, right = (1, 0) if column % 2 else (0, 1)
                if grid[row - down, column - right] != "#" != grid[row + down, column + right]:
                    grid[row, column] = " "
    return Maze.from_ascii("\n".join("".join(line) for line in grid))


@given(lattices(), st.sampled_from(sorted(STYLES)), st.sampled_from(sorted(STYLES)))
def test_from_any_style_to_any_other_and_back(maze, one, other):
    text = maze.to_ascii(one)
    there = Maze.from_text(text, one)
    assert there == maze
    back = Maze.from_text(there.to_ascii(other), other)
    assert back == maze
    assert back.to_ascii(one) == text


@given(lattices(open_places=True) | maps().map(Maze.from_ascii), st.sampled_from(sorted(STYLES)))
def test_any_other_map_comes_back_or_is_refused_with_the_reason(maze, style):
    said = ""
    try:
        assert Maze.from_text(maze.to_ascii(style), style) == maze
    except MazeError as error:
        said = str(error)
    assert not said or (STYLES[style].cells and said.startswith(f"style '{style}' cannot write this maze: "))


@given(lattices() | lattices(open_places=True) | maps().map(Maze.from_ascii), st.sampled_from(sorted(STYLES)))
def test_without_a_name_a_text_is_this_maze_or_refused_as_one_of_several(maze, style):
    said = ""
    try:
        assert Maze.from_text(maze.to_ascii(style)) == maze
    except MazeError as error:
        said = str(error)
    assert not said or "name the style" in said or "cannot write" in said


@pytest.mark.parametrize("style", DRAWN)
def test_how_each_style_looks(style):
    assert MAZE.to_ascii(style) == DRAWN[style]
    assert Maze.from_text(DRAWN[style].replace("\n", "\r\n") + "\r\n\r\n") == MAZE
    assert score_path(DRAWN[style], "D D R R U U R R D D").optimal


def test_a_move_is_the_same_in_every_style():
    """From a cell to the next it is two, also where nothing is drawn between them."""
    maze = Maze.from_text("SR GL", "cells")
    assert maze.solve() == "RR"
    assert all(score_path(maze.to_ascii(style), "R R").optimal for style in STYLES)
    assert not any(score_path(maze.to_ascii(style), "R").valid for style in STYLES)


def test_the_shuffled_order_is_the_mazes_own_and_not_that_of_the_map():
    mazes = generate_mazes("depth_first", 5, 5, 50, 0)
    shuffled, fixed = mazes.to_ascii("adjacency_shuffled"), mazes.to_ascii("adjacency")
    assert mazes[7:9].to_ascii("adjacency_shuffled") == shuffled[7:9]
    assert all(sorted(one.split("\n")) == sorted(two.split("\n")) for one, two in zip(shuffled, fixed, strict=True))
    firsts = [text.split("\n")[3] for text in shuffled]
    assert len(set(firsts)) > 20


@pytest.mark.parametrize("text", ["S G", "S # G"])
def test_a_text_of_several_styles_is_refused_and_read_by_the_named_one(text):
    with pytest.raises(MazeError, match="one maze in hash, another in spaced, another in cells; name the style"):
        Maze.from_text(text)
    assert Maze.from_text(text, "hash").rows == (text,)
    assert Maze.from_text(text, "spaced").rows == (text[::2],)
    assert read_maze(text) == Maze.from_text(text, "hash")


@pytest.mark.parametrize(
    ("text", "style", "reason"),
    [
        ("S  \n   \n  G", "cells", "row 1, column 1: expected a wall all around the map, found 'S'"),
        ("S  \n   \n  G", "boxes", "row 1, column 1: expected a wall at the corner of the map, found 'S'"),
        ("S G ", "boxes", "expected a lattice, with odd numbers of rows and columns from 3 on, found 1 rows of 4"),
        ("#####\n#S G#\n# ###\n#####\n#####", "cells", "row 3, column 2: expected a wall beside a solid"),
        ("#####\n#S G#\n## ##\n#   #\n#####", "adjacency", "row 3, column 3: expected a wall where four cells meet"),
        ("#####\n# SG#\n#####", "adjacency", "row 2, column 3: expected S and G in cells, not between two, found 'S'"),
    ],
)
def test_what_a_style_cannot_say(text, style, reason):
    with pytest.raises(MazeError, match=f"style '{style}' cannot write this maze: ") as error:
        Maze.from_ascii(text).to_ascii(style)
    assert reason in str(error.value)


def test_of_many_mazes_the_first_that_cannot_be_said_is_named():
    mazes = generate_mazes("open_rooms", 5, 5, 3, 0)
    mazes.open[0] = generate_mazes("depth_first", 5, 5, 1, 0).open
    with pytest.raises(MazeError, match="where four cells meet") as error:
        write(mazes.maps(), "cells")
    assert error.value.index == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DRAWN["spaced"].replace("# S", "#_S"), "row 2, column 2: expected a blank between two characters, found '_'"),
        (DRAWN["spaced"].replace("# S", "# s"), "row 2, column 3: expected one of '#', '.', 'S', 'G', ' ', found 's'"),
        (DRAWN["indexed"].replace("\n2", "\n5"), r"row 4, column 1: expected the row's number, '2 ', found '5 '"),
        (DRAWN["indexed"].replace("0123456", "012345"), "row 1, column 1: expected the numbers of 7 columns"),
        (DRAWN["indexed"].replace("1 #S", "1 #x"), "row 3, column 4: expected one of .*, found 'x'"),
        (DRAWN["cells"].replace("UL", "L"), "row 1, word 2: expected no D, or a cell open to U on that side"),
        (DRAWN["cells"].replace("SD", "SUD"), "row 1, word 1: expected no U, or a side inside the maze, found 'SUD'"),
        (DRAWN["cells"].replace("GU", "GX"), r"row 2, word 3: expected open sides .*, found 'GX'"),
        (DRAWN["cells"].replace(" GU", ""), "row 2: expected 3 words as in row 1, found 2"),
        (DRAWN["adjacency"].replace("S (1,1)\n", ""), r"row 2, column 1: expected 'S \(row,column\)', found 'G"),
        (DRAWN["adjacency"].replace("(5,7)", "(5,8)"), "row 1, column 1: expected odd numbers of rows and columns"),
        (DRAWN["adjacency"].replace("-(3,1)", "-(3,3)"), "row 4, column 1: expected two cells next to each other"),
        (DRAWN["adjacency"].replace("-(3,1)", "-(3,2)"), "row 4, column 1: expected cells at odd rows and columns"),
        (DRAWN["adjacency"].replace("G (3,5)", "G (1,1)"), "row 3, column 1: expected another cell than that of S"),
        (DRAWN["adjacency"] + "\nand so on", r"row 9, column 1: expected \(row,column\)-.*, found 'and so"),
        (DRAWN["boxes"].replace("| S|", "| S:"), "row 2, column 4: expected a wall of '|', blanks, S or G, found ':'"),
        (DRAWN["boxes"].replace("+--+--+--+\n|", "+--+- +--+\n|"), "row 1, column 5: expected a wall of '-'"),
        (DRAWN["boxes"].replace(" G", "  "), "expected exactly one G, found 0"),
        (DRAWN["lines"].replace("──┬", "──S"), "expected exactly one S, found 2: row 1, column 3 and row 2, column 2"),
        (DRAWN["lines"].rpartition("\n")[0], "row 4: expected an odd number of rows from 3 on, found 4"),
    ],
)  # fmt: skip
def test_bad_text_is_refused_with_its_place(text, message):
    with pytest.raises(MazeError, match=message):
        Maze.from_text(text)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("+---+---+\n| S     |\n+   +---+\n|     G |\n+---+---+", "boxes"),
        ("+-+-+\n|S  |\n+ +-+\n|  G|\n+-+-+\n", "boxes"),
        ("\n┌───┬───┐\n│ S     │\n│   ├───┤\n│     G │\n└───┴───┘", "lines"),
        ("╔══╦══╗\n║ S   ║\n║  ╠══╣\n║    G║\n╚══╩══╝", "lines"),
        ("  size (5,5)  \nS(1, 1)\nG (3,3)\n(1,3)-(1,1)\n(1,1) - (3,1)\n(3,3)-(3,1)\n(3,1)-(3,3)", "adjacency"),
        ("SRD L\nRU GL", "cells"),
    ],
)
def test_how_others_write_them_is_read_too(text, style):
    rows = ("#####", "#S  #", "# ###", "#  G#", "#####")
    assert Maze.from_text(text) == Maze.from_text(text, style) == Maze.from_ascii("\n".join(rows))


def test_maze_datasets_own_ascii_with_its_path():
    text = "#####\n#SX #\n#X###\n#XXE#\n#####"
    rows = ("#####", "#S  #", "# ###", "#  G#", "#####")
    for shown in (text.replace("SX", "S "), text.replace("X", " ")):
        assert Maze.from_text(shown).rows == Maze.from_text(shown, "maze_dataset").rows == rows
    assert Maze.from_text("SoE#", marks={"o": ".", "E": "G"}).rows == ("S G#",)
    with pytest.raises(MazeError, match="row 2, column 2: expected X to go on in one direction, to E, found 'S'"):
        Maze.from_text(text)  # X may be wall, to someone else


def test_unknown_style():
    with pytest.raises(ValueError, match="unknown maze style 'stars'; expected auto or one of hash, dots, blocks"):
        Maze.from_text("SG", "stars")


def read_or_refuse(text, style):
    """The maze of a text, or one line that says what is wrong with it."""
    said = ""
    try:
        assert Maze.from_ascii(str(maze := Maze.from_text(text, style))) == maze
    except MazeError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 1000


@pytest.mark.parametrize(
    "text",
    ["R " * 3_000 + "\n-" * 3_000, "+" * 9_000 + "\n" * 9_000 + "+", "size (99999,99999)\nS (1,1)\nG (1,3)"],
)
def test_a_few_words_that_ask_for_a_huge_map_take_no_memory(text):
    tracemalloc.start()
    with pytest.raises(MazeError):
        Maze.from_text(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_a_long_path_of_maze_dataset_is_followed_once():
    text = "S" + "X" * 60_000 + "E"
    assert Maze.from_text(text, "maze_dataset").shortest == 60_001


TEXTS = st.text("#.SG UDLR-+|()0123456789,sizeABX\n─│┌", max_size=60) | st.text(max_size=30)


@given(TEXTS, st.sampled_from(["auto", *STYLES]))
def test_whatever_is_written_is_a_maze_or_refused_in_one_line(text, style):
    read_or_refuse(text, style)


@given(st.sampled_from(sorted(DRAWN)), st.integers(0, 80), st.integers(0, 5), st.text(max_size=3))
def test_a_damaged_text_is_a_maze_or_refused_in_one_line(style, start, length, scrap):
    text = DRAWN[style][:start] + scrap + DRAWN[style][start + length :]
    read_or_refuse(text, style)
    read_or_refuse(text, "auto")
