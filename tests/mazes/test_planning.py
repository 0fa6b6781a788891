import numpy as np
import pytest

from ascii_maze import generate_mazes
from ascii_maze.mazes import kernels
from ascii_maze.mazes.heuristics import decisions_of, solved_by
from ascii_maze.mazes.planning import decisions_along, rule_names, rules_of


@pytest.mark.parametrize("generator", ["depth_first", "wilson", "open_rooms", "percolation"])
def test_the_kernels_say_what_the_rules_say_maze_by_maze(generator):
    names, found = rule_names(), set()
    for width, height, braid in ((4, 4, 0.0), (6, 5, 0.3)):
        mazes = generate_mazes(generator, width, height, 120, 3, braid)
        rules = rules_of(mazes.open, mazes.ends)
        counts = decisions_along(mazes.open, mazes.ends, *kernels.solve(mazes.open, mazes.ends))
        for maze, bits, (made, against) in zip(mazes, rules.tolist(), counts.tolist(), strict=True):
            assert names[bits] == " ".join(solved_by(maze))
            decisions = decisions_of(maze, maze.solve() or "")
            assert (made, against) == (decisions.made, decisions.against_greedy)
            found.add(bits)
    assert len(found) > 4  # also mazes that no rule solves


def test_a_goal_that_cannot_be_reached_is_solved_by_nothing():
    open_ = np.zeros((1, 5, 7), np.uint8)
    open_[0, 1, 1:4], open_[0, 3, 3:6] = 1, 1
    ends = np.array([[1 * 7 + 1, 3 * 7 + 5]], np.int32)
    assert rules_of(open_, ends).tolist() == [0]
    open_[0, 2, 3] = 1
    assert rule_names()[rules_of(open_, ends)[0]] == "greedy right_hand left_hand straight_on"
