"""Classifies wrong answers: the kind of failure, and where it happens.

The rejected answers of the dataset (`rejected.KINDS`) use the same names.
"""

from math import inf
from types import MappingProxyType
from typing import NamedTuple

from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import parse_moves
from ..metrics.path_validity.svg import follow

GARBAGE, WALL, STOPS_SHORT, OVERSHOOTS = "garbage", "wall", "stops_short", "overshoots"
CIRCLES, DEAD_END, LOOPS = "circles", "dead_end", "loops"
FAILURES = MappingProxyType(
    {
        GARBAGE: "no path at all",
        WALL: "runs into a wall",
        STOPS_SHORT: "the right way, ended too early",
        OVERSHOOTS: "comes to the goal and walks on",
        CIRCLES: "does not arrive, and goes the same way twice",
        DEAD_END: "takes a wrong turn, and does not arrive",
        LOOPS: "arrives, but not by a shortest path",
    }
)


class Failure(NamedTuple):
    """Why an answer is not a shortest path.

    Attributes:
        kind: of `FAILURES`.
        move: number of the first wrong move, from 1: into the wall, off the shortest paths, or beyond the goal; for
            `stops_short` the first missing one. None for garbage.
        junction: number of the decision point at which the wrong move was made, counted along the walk from 1; None
            if it was made elsewhere.
    """

    kind: str
    move: int | None = None
    junction: int | None = None


def failure_of(maze: Maze, completion: str) -> Failure | None:
    """The failure of an answer; None if it is a shortest path.

    A move into a wall takes precedence over all else, since the moves after it do not show what the model intended.
    """
    moves = parse_moves(completion, maze.start)
    if moves is None:
        return Failure(GARBAGE)
    walk = follow(maze, moves)
    trail = walk.positions
    # Without a path to the goal, all moves are equally wrong.
    left = [maze.distances.get(place, inf) for place in trail]
    wrong = next((k for k in range(1, len(left)) if left[k] >= left[k - 1]), None)
    if walk.crash:
        return Failure(WALL, len(trail), _junction(maze, trail, len(trail)))
    if maze.goal in trail[:-1] and trail[-1] != maze.goal:
        return Failure(OVERSHOOTS, trail.index(maze.goal) + 1)
    if wrong is None:
        return None if trail[-1] == maze.goal else Failure(STOPS_SHORT, len(trail))
    again = len(set(zip(trail, moves))) < len(moves)
    kind = LOOPS if trail[-1] == maze.goal else CIRCLES if again else DEAD_END
    return Failure(kind, wrong, _junction(maze, trail, wrong))


def is_decision(maze: Maze, place: tuple[int, int]) -> bool:
    """Whether a walker at a place has a choice other than turning back."""
    return len(maze.neighbours(*place)) >= (2 if place == maze.start else 3)


def decision_points(maze: Maze) -> int:
    """The number of places with a choice on the shortest path of `Maze.solve`, excluding the goal."""
    return sum(is_decision(maze, place) for place in follow(maze, maze.solve() or "").positions[:-1])


def _junction(maze: Maze, trail: list[tuple[int, int]], move: int) -> int | None:
    """The number of the decision point at which a move is made, counted along the walk."""
    if not is_decision(maze, trail[move - 1]):
        return None
    return sum(is_decision(maze, place) for place in trail[:move])
