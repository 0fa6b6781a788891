"""Baselines: trivial walkers that put a validity rate in context.

Each baseline is a function (maze, random generator) -> moves as letters. Only `shortest_path`, the upper bound, uses
the solution. A baseline stops at G, or after as many moves as the map has open positions; the wall follower after
twice as many, since it may pass a position on either side.
"""

import random
from collections.abc import Callable
from types import MappingProxyType

from ..metrics.path_validity.maze import Maze
from .heuristics import follow_greed, follow_turns

_BACK = {"U": "D", "D": "U", "L": "R", "R": "L"}


def random_walk(maze: Maze, rng: random.Random) -> str:
    """A random legal move at every step, turning back only in a dead end."""
    moves, here = "", maze.start
    for _ in range(open_positions(maze)):
        ways = dict(maze.neighbours(*here))
        if not ways or here == maze.goal:
            break
        onward = [move for move in ways if not moves or move != _BACK[moves[-1]]]
        move = rng.choice(onward or list(ways))
        moves, here = moves + move, ways[move]
    return moves


def wall_follower(maze: Maze, rng: random.Random) -> str:
    """Keep the right hand on the wall: right if open, else straight, left, back. Arrives unless walls form islands."""
    return follow_turns(maze, "right_hand", rng.randrange(4), 2 * open_positions(maze))


def one_direction(maze: Maze, rng: random.Random) -> str:
    """Choose a random open direction and go straight until a wall or G."""
    ways = dict(maze.neighbours(*maze.start))
    if not ways:
        return ""
    direction, here = rng.choice(list(ways)), maze.start
    moves = ""
    while here != maze.goal and direction in (ways := dict(maze.neighbours(*here))):
        moves, here = moves + direction, ways[direction]
    return moves


def greedy(maze: Maze, rng: random.Random) -> str:
    """Step to the open neighbour nearest to G, ignoring walls, turning back only in a dead end."""
    return follow_greed(maze, open_positions(maze))


def shortest_path(maze: Maze, rng: random.Random) -> str:
    """The solution, or no moves if there is no path."""
    return maze.solve() or ""


def open_positions(maze: Maze) -> int:
    """The number of positions of the map that are not wall."""
    return sum(symbol != "#" for row in maze.rows for symbol in row)


UPPER_BOUND = "shortest_path"  # uses the solution
BASELINES: MappingProxyType[str, Callable[[Maze, random.Random], str]] = MappingProxyType(
    {
        "random_walk": random_walk,
        "one_direction": one_direction,
        "wall_follower": wall_follower,
        "greedy": greedy,
        UPPER_BOUND: shortest_path,
    }
)
