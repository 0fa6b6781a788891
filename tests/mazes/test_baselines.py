import random

from hypothesis import given
from hypothesis import strategies as st

from ascii_maze import Maze, generate_mazes
from ascii_maze.mazes.baselines import BASELINES
from ascii_maze.metrics.path_validity.scoring import score_moves

from ..metrics.test_maze import maps


@given(maps(), st.sampled_from(sorted(BASELINES)), st.integers(0, 9))
def test_every_baseline_walks_legally_on_any_map(text, name, seed):
    maze = Maze.from_ascii(text)
    moves = BASELINES[name](maze, random.Random(seed))
    assert moves == BASELINES[name](maze, random.Random(seed))
    if moves:
        score = score_moves(maze, moves)
        assert score.legal
        assert name != "shortest_path" or score.optimal


def test_the_wall_follower_solves_every_perfect_maze_and_the_others_do_not():
    mazes = generate_mazes("depth_first", 6, 6, 300, seed=0)
    rate = {
        name: sum(score_moves(maze, baseline(maze, random.Random(0))).valid for maze in mazes) / len(mazes)
        for name, baseline in BASELINES.items()
    }
    assert rate["wall_follower"] == rate["shortest_path"] == 1
    assert rate["one_direction"] < rate["random_walk"] < 0.9
