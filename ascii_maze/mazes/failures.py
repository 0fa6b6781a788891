"""What is wrong with an answer, and where: one name for each way to fail.

A kind bears the name that it has among the rejected answers of the dataset (`rejected.KINDS`), where it is there.
"""

from math import inf
from types import MappingProxyType
from typing import NamedTuple

from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import parse_moves
from ..metrics.path_validity.svg import follow

FAILURES = MappingProxyType(
    {
        "garbage": "no path at all",
        "wall": "runs into a wall",
        "stops_short": "the right way, ended too early",
        "overshoots": "comes to the goal and walks on",
        "circles": "does not arrive, and goes the same way twice",
        "dead_end": "takes a wrong turn, and does not arrive",
        "loops": "arrives, but not by a shortest path",
    }
)


class Failure(NamedTuple):
    """Why an answer is no shortest path.

    Attributes:
        kind: of `FAILURES`.
        move: the first wrong move, from 1: that against the wall, off the shortest paths, on from the goal; of
            `stops_short` the first one that is not there. None of garbage.
        junction: at the how-manieth decision point of the walk the wrong move was made, from 1; None if it was none.
    """

    kind: str
    move: int | None = None
    junction: int | None = None


def failure_of(maze: Maze, completion: str) -> Failure | None:
    """What is wrong with an answer; None where it is a shortest path.

    A wall anywhere counts before all else, since nothing after it says what the model had in mind.
    """
    moves = parse_moves(completion, maze.start)
    if moves is None:
        return Failure("garbage")
    walk = follow(maze, moves)
    trail = walk.positions
    # Where there is no way to the goal, every move is as wrong as any other.
    left = [maze.distances.get(place, inf) for place in trail]
    wrong = next((k for k in range(1, len(left)) if left[k] >= left[k - 1]), None)
    if walk.crash:
        return Failure("wall", len(trail), _junction(maze, trail, len(trail)))
    if maze.goal in trail[:-1] and trail[-1] != maze.goal:
        return Failure("overshoots", trail.index(maze.goal) + 1)
    if wrong is None:
        return None if trail[-1] == maze.goal else Failure("stops_short", len(trail))
    again = len(set(zip(trail, moves))) < len(moves)
    kind = "loops" if trail[-1] == maze.goal else "circles" if again else "dead_end"
    return Failure(kind, wrong, _junction(maze, trail, wrong))


def is_decision(maze: Maze, place: tuple[int, int]) -> bool:
    """Whether a walker has a choice there, besides turning back."""
    return len(maze.neighbours(*place)) >= (2 if place == maze.start else 3)


def decision_points(maze: Maze) -> int:
    """Places with a choice on the shortest path that `Maze.solve` gives, the goal left out."""
    return sum(is_decision(maze, place) for place in follow(maze, maze.solve() or "").positions[:-1])


def _junction(maze: Maze, trail: list[tuple[int, int]], move: int) -> int | None:
    """The number of the decision point at which a move is made, counted along the walk."""
    if not is_decision(maze, trail[move - 1]):
        return None
    return sum(is_decision(maze, place) for place in trail[:move])
