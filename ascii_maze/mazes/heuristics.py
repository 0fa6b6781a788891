"""Rules that walk without planning, and the mazes that they solve by chance.

A test that such rules pass does not measure planning: a wall follower reaches the goal of every maze without loops. So
`solved_by` classifies mazes, and decisions are classified by whether the greedy rule gets them right.

solved_by(maze) == ("greedy", "left_hand")     # each of these walks a shortest path; () marks a hard maze
"""

from collections.abc import Iterator
from typing import NamedTuple

from ..metrics.path_validity.maze import GOAL, START, WALL, Maze

CLOCKWISE = "URDL"
# The directions in the order tried, as quarter turns to the right of the heading.
TURNS = {"right_hand": (1, 0, -1, 2), "left_hand": (-1, 0, 1, 2), "straight_on": (0, 1, -1, 2)}
RULES = ("greedy", *TURNS)
_ORDER = "UDLR"  # of `Maze.neighbours`, by which the greedy rule breaks ties
_BACK = {"U": "D", "D": "U", "L": "R", "R": "L"}


class Decisions(NamedTuple):
    """Moves of a walk at decisions: how many, and how many of them were right, by whether the greedy rule is right.

    Attributes:
        made: all of them.
        right: of these, the moves that brought the goal nearer.
        against_greedy: those where the greedy rule goes wrong.
        right_against_greedy: of these, the right ones.
    """

    made: int = 0
    right: int = 0
    against_greedy: int = 0
    right_against_greedy: int = 0


def solved_by(maze: Maze) -> tuple[str, ...]:
    """The rules of `RULES` that walk a shortest path, those of `TURNS` from any of the four headings."""
    shortest = maze.shortest
    if not shortest:
        return ()
    arrives = {"greedy": _arrives(maze, follow_greed(maze, shortest))}
    for name in TURNS:
        arrives[name] = any(_arrives(maze, follow_turns(maze, name, heading, shortest)) for heading in range(4))
    return tuple(name for name in RULES if arrives[name])


def follow_turns(maze: Maze, rule: str, heading: int, most: int) -> str:
    """Walk by one of `TURNS` until G, for at most a given number of moves.

    Args:
        heading: index into `CLOCKWISE` of the walker's initial heading.
    """
    ground, steps = maze.ground, _steps(maze)
    here, moves = ground.index(START), ""
    while len(moves) < most and ground[here] != GOAL:
        ways = [(heading + turn) % 4 for turn in TURNS[rule]]
        way = next((way for way in ways if ground[here + steps[CLOCKWISE[way]]] != WALL), None)
        if way is None:
            break
        heading, moves, here = way, moves + CLOCKWISE[way], here + steps[CLOCKWISE[way]]
    return moves


def follow_greed(maze: Maze, most: int) -> str:
    """Step to the open neighbour nearest to G, ignoring walls, back only in a dead end, for at most `most` moves."""
    ground, steps = maze.ground, _steps(maze)
    here, moves = ground.index(START), ""
    while len(moves) < most and ground[here] != GOAL:
        move = _greedy_move(maze, here, _onward(maze, here, moves[-1:]))
        if move is None:
            break
        moves, here = moves + move, here + steps[move]
    return moves


def decisions_of(maze: Maze, moves: str) -> Decisions:
    """Count the decisions of a walk, and the right ones, up to and including its first illegal move.

    A decision is a move from a place where, not counting the way back, some ways lead nearer to the goal and others do
    not. After a wrong turn in a maze without loops there are none until the walker has come back. A move against a
    wall or straight back is wrong.
    """
    counts = [0, 0, 0, 0]
    for here, move, onward, right in _choices(maze, moves):
        if right and len(right) < len(onward):
            against = _greedy_move(maze, here, onward) not in right
            for place, counted in enumerate((True, move in right, against, against and move in right)):
                counts[place] += counted
    return Decisions(*counts)


def are_decisions(maze: Maze, moves: str) -> list[bool]:
    """Which moves of a legal walk are decisions; see `decisions_of`."""
    return [bool(right) and len(right) < len(onward) for _, _, onward, right in _choices(maze, moves)]


def _choices(maze: Maze, moves: str) -> Iterator[tuple[int, str, list[str], list[str]]]:
    """For each move up to the first illegal one: place, move, the ways that do not turn back, and the right ones."""
    ground, steps, left = maze.ground, _steps(maze), _moves_left(maze)
    here, before = ground.index(START), ""
    for move in moves:
        onward = _onward(maze, here, before)
        yield here, move, onward, [way for way in onward if here in left and left[here + steps[way]] < left[here]]
        here, before = here + steps[move], move
        if ground[here] == WALL:
            break


def _steps(maze: Maze) -> dict[str, int]:
    """Move -> the offset that it adds to a place in `Maze.ground`."""
    width = len(maze.rows[0]) + 1
    return {"U": -width, "D": width, "L": -1, "R": 1}


def _moves_left(maze: Maze) -> dict[int, int]:
    """Place in `Maze.ground` -> moves of a shortest path to the goal; places without a path are absent."""
    width = len(maze.rows[0]) + 1
    return {(row + 1) * width + column: moves for (row, column), moves in maze.distances.items()}


def _onward(maze: Maze, here: int, before: str) -> list[str]:
    """Ways that do not turn back from the last move; all ways if there are no others."""
    ground, steps = maze.ground, _steps(maze)
    ways = [move for move in _ORDER if ground[here + steps[move]] != WALL]
    return [move for move in ways if move != _BACK.get(before)] or ways


def _greedy_move(maze: Maze, here: int, onward: list[str]) -> str | None:
    width, steps = len(maze.rows[0]) + 1, _steps(maze)
    row, column = divmod(maze.ground.index(GOAL), width)

    def apart(move: str) -> int:
        there = divmod(here + steps[move], width)
        return abs(there[0] - row) + abs(there[1] - column)

    return min(onward, key=apart, default=None)


def _arrives(maze: Maze, moves: str) -> bool:
    steps = _steps(maze)
    return maze.ground[maze.ground.index(START) + sum(steps[move] for move in moves)] == GOAL
