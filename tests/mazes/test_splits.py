import numpy as np
import pytest

from ascii_maze import Maze, generate_mazes
from ascii_maze.mazes.splits import SPLIT_BY, fingerprint, layouts_of, mark_of, marks_of, split_of, split_range


@pytest.mark.parametrize("split_by", SPLIT_BY)
def test_shares_are_as_stated(split_by):
    mazes = generate_mazes("depth_first", 6, 6, 20_000, 0)
    marks = np.unique(marks_of(mazes.open, mazes.ends, split_by)).tolist()
    names, counts = np.unique([split_of(mark, split_by) for mark in marks], return_counts=True)
    share = dict(zip(names.tolist(), counts / counts.sum(), strict=True))
    assert abs(share["train"] - 0.8) < 0.015
    assert abs(share["test"] - 0.1) < 0.011
    assert abs(share["validation"] - 0.1) < 0.011


@pytest.mark.parametrize("split_by", SPLIT_BY)
def test_the_ends_of_the_range_belong_to_a_split(split_by):
    assert split_of(0, split_by) == "train"
    assert split_of(2**64 - 1, split_by) == "test"


def test_the_rules_are_pinned():
    """Changing the hash would move held-out mazes into training: the embedded model has seen what is training now."""
    assert fingerprint("SG") == 7545211529227509371
    maze = Maze.from_ascii("S G")
    assert mark_of(maze, "maze") == fingerprint(maze.canonical())
    assert (
        f"{mark_of(maze, 'layout'):016x}"
        == f"{fingerprint(maze.layout()):016x}"[:8] + (f"{fingerprint(maze.canonical()):016x}"[8:])
    )


@pytest.mark.parametrize("split_by", SPLIT_BY)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (2, 6)])
def test_marks_of_many_are_those_of_each(split_by, shape):
    mazes = generate_mazes("open_rooms", *shape, 200, 0)
    assert marks_of(mazes.open, mazes.ends, split_by).tolist() == [mark_of(maze, split_by) for maze in mazes]


def test_all_ends_of_a_layout_are_of_one_split_turned_or_mirrored():
    walls = """\
#######
#     #
# ### #
# #   #
#######"""
    places = [(row, column) for row in (1, 3) for column in (1, 3, 5) if walls.splitlines()[row][column] == " "]
    marks, splits = set(), set()
    for start in places:
        for goal in places:
            if start == goal:
                continue
            lines = [list(line) for line in walls.splitlines()]
            lines[start[0]][start[1]], lines[goal[0]][goal[1]] = "S", "G"
            for turned in (lines, [line[::-1] for line in lines], list(map(list, zip(*lines))), lines[::-1]):
                mark = mark_of(Maze.from_ascii("\n".join(map("".join, turned))), "layout")
                marks.add(mark)
                splits.add(split_of(mark, "layout"))
    assert len(splits) == 1
    assert len(set(layouts_of(np.array(list(marks), np.uint64)).tolist())) == 1
    assert len(marks) == len(places) * (len(places) - 1) / 2  # the way back is the same maze


def test_no_bound_of_a_split_cuts_through_a_layout():
    for split in ("train", "validation", "test"):
        assert all(bound % 2**32 == 0 for bound in split_range(split, "layout"))
        assert all(
            abs(one - other) < 2**32
            for one, other in zip(split_range(split, "layout"), split_range(split, "maze"), strict=True)
        )
