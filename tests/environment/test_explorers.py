"""The baselines of walks step by step: what they know is what the texts say, and it is enough."""

import random

import pytest

from ascii_maze import generate_mazes
from ascii_maze.environment.env import MazeEnv
from ascii_maze.environment.explorers import EXPLORERS, Memory

OBSERVATIONS = ("full", "window:1", "window:2", "local", "none")
TREES = generate_mazes("depth_first", 4, 4, 30, 0).to_ascii()
ISLANDS = generate_mazes("percolation", 4, 4, 30, 0).to_ascii()


def explore(name: str, text: str, observation: str, seed: int = 0, max_moves: int | None = None):
    """An episode of an explorer."""
    env, explorer = MazeEnv(text, observation, max_moves), EXPLORERS[name](random.Random(seed))
    said = env.first
    while not env.ended:
        said = env.turn(explorer.turn(said))
    return env.result()


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_whoever_goes_everywhere_arrives(observation):
    for text in TREES:
        for name in ("wall_follower", "depth_first"):
            found = explore(name, text, observation, max_moves=1_000)
            assert found.ended == "goal"
            assert found.errors == found.looks == 0
            assert (found.score.wall_hits > 0) <= (observation == "none")
    for text in ISLANDS:
        found = explore("depth_first", text, observation, max_moves=1_000)
        assert found.ended == "goal"
        assert found.loops == 0


def test_twice_the_open_positions_are_enough_to_go_everywhere_and_back():
    for text in TREES + ISLANDS:
        for observation in ("window:1", "local"):
            assert explore("depth_first", text, observation).ended == "goal"


def test_with_the_map_in_sight_the_way_is_the_shortest():
    for text in TREES + ISLANDS:
        assert explore("depth_first", text, "full").spl == 1.0


def test_seeing_more_helps():
    means = {
        observation: sum(explore("depth_first", text, observation).spl for text in TREES) / len(TREES)
        for observation in ("full", "window:2", "none")
    }
    assert means["full"] == 1 > means["window:2"] > means["none"]


def test_a_random_walk_is_its_seeds():
    text = TREES[0]
    assert explore("random_walk", text, "local", 1) == explore("random_walk", text, "local", 1)
    assert len({explore("random_walk", text, "local", seed).moves for seed in range(8)}) > 1


@pytest.mark.parametrize("name", EXPLORERS)
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_whoever_is_shut_in_gives_up(name, observation):
    assert explore(name, "#####\n#S#G#\n#####", observation, max_moves=100).ended == "stopped"


def test_a_memory_holds_what_was_said():
    memory = Memory()
    memory.read("#####\n#   #\n# @ #\n# #G#\n#####")
    assert memory.open[0, 0]
    assert memory.open[-1, -1]
    assert not memory.open[1, 0]
    assert memory.goal == (1, 1)
    memory.go("R")
    memory.read("moved 1\nopen: U D L")
    assert (memory.here, memory.last, memory.hopeful()) == ((0, 1), "R", ["U", "D", "L"])
    memory.go("R")
    memory.read("wall\nopen: U D L")
    assert (memory.here, memory.open[0, 2]) == ((0, 1), False)
