import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, generate_mazes, score_path
from ascii_maze.mazes.failures import FAILURES, Failure, decision_points, failure_of

from ..metrics.test_maze import maps

# The way forks at S, row 1, column 1, and again at column 5.
MAZE = Maze.from_ascii("#########\n#S      #\n# ### # #\n# #   # #\n###G### #\n#########")


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ("R R R R D D L L D", None),
        ("", Failure("garbage")),
        ("no idea", Failure("garbage")),
        (None, Failure("garbage")),
        ("U", Failure("wall", 1, 1)),
        ("R R D D", Failure("wall", 3)),
        ("R R", Failure("stops_short", 3)),
        ("R R R R D D L L D U", Failure("overshoots", 10)),
        ("D D", Failure("dead_end", 1, 1)),
        ("R R R R R R D D", Failure("dead_end", 5, 2)),
        ("R R L L", Failure("dead_end", 3)),
        ("R L R L", Failure("circles", 2)),
        ("R L R R R R D D L L D", Failure("loops", 2)),
        ("D U R R R R D D L L D", Failure("loops", 1, 1)),
    ],
)
def test_what_is_wrong_and_where(answer, failure):
    assert failure_of(MAZE, answer) == failure


def test_another_shortest_path_is_no_failure_and_its_beginning_is_no_wrong_turn():
    square = Maze.from_ascii("S  \n # \n  G")
    assert failure_of(square, "D D R R") is None
    assert failure_of(square, "D D") == Failure("stops_short", 3)


def test_without_a_way_every_move_is_wrong():
    assert failure_of(Maze.from_ascii("S #G"), "R") == Failure("dead_end", 1)


@given(maps(), st.text("UDLR \x00é", max_size=30))
def test_every_answer_but_a_shortest_path_fails_in_one_way(text, answer):
    maze, score = Maze.from_ascii(text), score_path(text, answer)
    failure = failure_of(maze, answer)
    assert (failure is None) == score.optimal
    if failure:
        assert failure.kind in FAILURES
        assert (failure.kind == "garbage") == (not score.parsed)
        assert (failure.kind == "wall") == (score.parsed and not score.legal)
        assert (failure.kind == "loops") == (score.valid and not score.optimal)


def test_decision_points_are_places_with_a_choice_on_the_way():
    assert decision_points(MAZE) == 2
    assert decision_points(Maze.from_ascii("S  G")) == 0
    assert decision_points(Maze.from_ascii("S#G")) == 0
    mazes = generate_mazes("depth_first", 5, 5, 50, seed=0)
    assert all(decision_points(maze) <= maze.facts().junctions + 1 for maze in mazes)
