import random

from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, generate_mazes
from ascii_maze.mazes.baselines import BASELINES
from ascii_maze.mazes.heuristics import (
    RULES,
    TURNS,
    Decisions,
    are_decisions,
    decisions_of,
    follow_greed,
    follow_turns,
    solved_by,
)
from ascii_maze.metrics.path_validity.scoring import score_moves

from ..metrics.test_maze import maps

# From S the greedy rule goes down, into a dead end; the way is right, then down at the second of two openings.
TRAP = """\
#######
#S    #
# # # #
# # #G#
#######"""


@given(maps(), st.sampled_from(sorted(TURNS)), st.integers(0, 3))
def test_rules_walk_legally_on_any_map_and_solve_what_they_say(text, rule, heading):
    maze = Maze.from_ascii(text)
    walks = [follow_turns(maze, rule, heading, 40), follow_greed(maze, 40)]
    for name, moves in zip((rule, "greedy"), walks):
        score = score_moves(maze, moves) if moves else None
        assert score is None or score.legal
        if score and score.optimal:
            assert name in solved_by(maze)


def test_a_rule_solves_what_its_walk_solves():
    for maze in generate_mazes("wilson", 5, 5, 60, seed=0):
        right = {
            "greedy": score_moves(maze, BASELINES["greedy"](maze, random.Random(0))).optimal,
            **{
                name: any(score_moves(maze, follow_turns(maze, name, heading, 99)).optimal for heading in range(4))
                for name in TURNS
            },
        }
        assert solved_by(maze) == tuple(name for name in RULES if right[name])


def test_hard_mazes_are_as_rare_as_they_were_found_to_be():
    """Depth-first 4x4 2 to 4 %; Wilson 6x6 about 45 %."""
    shares = [
        sum(not solved_by(maze) for maze in generate_mazes(generator, size, size, 300, seed=1)) / 300
        for generator, size in (("depth_first", 4), ("wilson", 6))
    ]
    assert shares[0] < 0.08 < 0.35 < shares[1] < 0.55


def test_decisions_are_told_apart_by_what_greed_would_do():
    maze = Maze.from_ascii(TRAP)
    assert decisions_of(maze, "RRRRDD") == Decisions(made=2, right=2, against_greedy=2, right_against_greedy=2)
    assert decisions_of(maze, "RRDD") == Decisions(made=2, right=1, against_greedy=2, right_against_greedy=1)
    assert decisions_of(maze, "DD") == Decisions(made=1, right=0, against_greedy=1, right_against_greedy=0)
    assert decisions_of(maze, "RRU") == Decisions(made=2, right=1, against_greedy=2, right_against_greedy=1)
    assert decisions_of(maze, "RRURRDD") == decisions_of(maze, "RRU")  # nothing counts after a wall
    assert decisions_of(maze, "") == Decisions()
    assert decisions_of(Maze.from_ascii("S  G"), "RRR") == Decisions()


def test_after_a_wrong_turn_no_decision_counts_until_the_walker_is_back():
    maze = Maze.from_ascii(TRAP)
    back = decisions_of(maze, "DDUURRRRDD")
    assert (back.made, back.right) == (2, 1)  # from S with nothing but the way on: turning back aside, there is one


@given(maps())
def test_on_a_shortest_path_every_decision_is_right(text):
    maze = Maze.from_ascii(text)
    found = decisions_of(maze, maze.solve() or "")
    assert found.made == found.right
    assert found.against_greedy == found.right_against_greedy
    assert sum(are_decisions(maze, maze.solve() or "")) == found.made
