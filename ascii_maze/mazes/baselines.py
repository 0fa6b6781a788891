"""Baselines: trivial walkers that put a validity rate in context.

Each baseline is a function (maze, random generator) -> moves as letters. Only `shortest_path`, the upper bound, uses
the solution. A baseline stops at G, or after as many moves as the map has open positions; the wall follower after
twice as many, since it may pass a position on either side.
"""

import random
from collections.abc import Callable
from types import MappingProxyType

from ..metrics.path_validity.maze import Maze

_BACK = {"U": "D", "D": "U", "L": "R", "R": "L"}
_CLOCKWISE = "URDL"


def random_walk(maze: Maze, rng: random.Random) -> str:
    """A random legal move at every step, turning back only in a dead end."""
    return _without_turning_back(maze, lambda ways, onward: rng.choice(onward))


def wall_follower(maze: Maze, rng: random.Random) -> str:
    """Keep the right hand on the wall: right if open, else straight, left, back. Arrives unless walls form islands."""
    moves, here, heading = "", maze.start, rng.randrange(4)
    for _ in range(2 * open_positions(maze)):
        ways = dict(maze.neighbours(*here))
        if not ways or here == maze.goal:
            break
        heading = next(
            turn % 4 for turn in (heading + 1, heading, heading - 1, heading + 2) if _CLOCKWISE[turn % 4] in ways
        )
        moves, here = moves + _CLOCKWISE[heading], ways[_CLOCKWISE[heading]]
    return moves


def one_direction(maze: Maze, rng: random.Random) -> str:
    """A random open direction, straight ahead until a wall or G."""
    ways = dict(maze.neighbours(*maze.start))
    if not ways:
        return ""
    direction, here = rng.choice(list(ways)), maze.start
    moves = ""
    while here != maze.goal and direction in (ways := dict(maze.neighbours(*here))):
        moves, here = moves + direction, ways[direction]
    return moves


def greedy(maze: Maze, rng: random.Random) -> str:
    """To the neighbour nearest to G as if there were no walls, turning back only in a dead end."""

    def nearest(ways: dict[str, tuple[int, int]], onward: list[str]) -> str:
        return min(onward, key=lambda move: abs(ways[move][0] - maze.goal[0]) + abs(ways[move][1] - maze.goal[1]))

    return _without_turning_back(maze, nearest)


def _without_turning_back(maze: Maze, choose: Callable[[dict[str, tuple[int, int]], list[str]], str]) -> str:
    """A walk that turns back only in a dead end.

    Args:
        choose: (move -> neighbour, the moves that do not turn back) -> one of these moves.
    """
    moves, here = "", maze.start
    for _ in range(open_positions(maze)):
        ways = dict(maze.neighbours(*here))
        if not ways or here == maze.goal:
            break
        onward = [move for move in ways if not moves or move != _BACK[moves[-1]]]
        move = choose(ways, onward or list(ways))
        moves, here = moves + move, ways[move]
    return moves


def shortest_path(maze: Maze, rng: random.Random) -> str:
    """The solution, or no moves where there is no path."""
    return maze.solve() or ""


def open_positions(maze: Maze) -> int:
    """The number of positions of the map that are not wall."""
    return sum(symbol != "#" for row in maze.rows for symbol in row)


BASELINES: MappingProxyType[str, Callable[[Maze, random.Random], str]] = MappingProxyType(
    {
        "random_walk": random_walk,
        "one_direction": one_direction,
        "wall_follower": wall_follower,
        "greedy": greedy,
        "shortest_path": shortest_path,
    }
)
