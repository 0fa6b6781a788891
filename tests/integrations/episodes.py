"""Episodes that every framework is to walk alike: a maze, what is seen, and the turns of a model in text."""

import random

from ascii_maze.environment.env import MazeEnv
from ascii_maze.integrations.seeded import maze_of_seed

SEEN = ("full", "window:1", "local+goal", "none")
WRITTEN = ("look", "somewhere", "R R D", "L U", "D D D", "R", "U U L", "stop.")


def episodes(count: int, longest: int = 12):
    """(maze, observation, turns) of random models; the walk ends with the last turn, after `longest` or before."""
    rng = random.Random(0)
    for seed in range(count):
        maze, observation = (
            maze_of_seed(seed, width=3, height=3),
            rng.choice(("full", "window:1", "local+goal", "none")),
        )
        env, turns = MazeEnv(maze, observation), []
        if seed % 3 == 0:
            turns.append(" ".join(env.maze.solve()[:4]))
            env.turn(turns[-1])
        while not env.ended:
            turns.append("stop" if len(turns) >= longest else rng.choice(WRITTEN))
            env.turn(turns[-1])
        yield maze, observation, turns


def ours(maze: str, observation: str, turns: list[str]) -> dict:
    """What our environment makes of an episode."""
    env = MazeEnv(maze, observation)
    for turn in turns:
        env.turn(turn)
    assert env.ended
    return env.result().to_dict()
