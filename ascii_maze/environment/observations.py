"""Observations: what a walker sees of its maze, by name and as text.

| name | what is seen |
|---|---|
| `full` | the whole map, with @ where you stand |
| `window:2` | the 5x5 characters around you, through walls; outside the map is shown as wall |
| `local` | the open directions, at every place visited in the turn |
| `none` | nothing |

`window:2+goal`, `local+goal` and `none+goal` also give the offset of the goal: `goal: 4 down, 6 right`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..metrics.path_validity.maze import GOAL, MOVES, WALL, Maze

HERE = "@"
RADIUS = 2
LARGEST_RADIUS = 50
_NAME = re.compile(r"(full|window|local|none)(?::([1-9][0-9]?))?(\+goal)?")


@dataclass(frozen=True)
class Observation:
    """A kind of observation.

    Attributes:
        kind: `full`, `window`, `local` or `none`.
        radius: of a window, in characters.
        goal: whether the offset of the goal is given.
    """

    kind: str = "window"
    radius: int = RADIUS
    goal: bool = False

    @classmethod
    def parse(cls, name: str) -> "Observation":
        """`window:3+goal` -> the observation of that name.

        Raises:
            UsageError: there is none.
        """
        found = _NAME.fullmatch(name)
        kind, radius, goal = found.groups() if found else ("", None, None)
        beyond = radius is not None and (kind != "window" or int(radius) > LARGEST_RADIUS)
        if not found or beyond or (kind == "full" and goal):
            raise UsageError(
                f"no observation '{name}'; expected full, window, window:RADIUS (1 to {LARGEST_RADIUS}), local or "
                "none, and +goal after any but full"
            )
        return cls(kind, int(radius or RADIUS), goal is not None)

    def __str__(self) -> str:
        return self.kind + f":{self.radius}" * (self.kind == "window") + "+goal" * self.goal


# The places in `Maze.ground` visited in a turn, the last of them the walker's -> the text of the observation.
View = Callable[[Sequence[int]], str]


def view_of(maze: Maze, observation: Observation) -> View:
    """The function that writes observations of a maze."""
    see = {"full": _full, "window": _window, "local": _local, "none": _none}[observation.kind](maze, observation)
    if not observation.goal:
        return see
    width, goal = len(maze.rows[0]) + 1, maze.ground.index(GOAL)

    def with_goal(trail: Sequence[int]) -> str:
        down, right = (to - at for to, at in zip(divmod(goal, width), divmod(trail[-1], width)))
        seen = see(trail)
        return f"{seen}\n{_distance(down, right)}" if seen else _distance(down, right)

    return with_goal


def _distance(down: int, right: int) -> str:
    parts = [f"{abs(down)} {'down' if down > 0 else 'up'}"] * bool(down)
    parts += [f"{abs(right)} {'right' if right > 0 else 'left'}"] * bool(right)
    return f"goal: {', '.join(parts)}"


def _full(maze: Maze, observation: Observation) -> View:
    text, width = maze.to_ascii(), len(maze.rows[0]) + 1

    def see(trail: Sequence[int]) -> str:
        place = trail[-1] - width
        return f"{text[:place]}{HERE}{text[place + 1 :]}"

    return see


def _window(maze: Maze, observation: Observation) -> View:
    radius, width = observation.radius, len(maze.rows[0]) + 1
    beyond = [WALL * (width - 1 + 2 * radius)] * radius
    lines = [*beyond, *(f"{WALL * radius}{row}{WALL * radius}" for row in maze.rows), *beyond]
    size = 2 * radius + 1

    def see(trail: Sequence[int]) -> str:
        row, column = divmod(trail[-1] - width, width)
        seen = [line[column : column + size] for line in lines[row : row + size]]
        middle = seen[radius]
        seen[radius] = f"{middle[:radius]}{HERE}{middle[radius + 1 :]}"
        return "\n".join(seen)

    return see


def _local(maze: Maze, observation: Observation) -> View:
    ground, width = maze.ground, len(maze.rows[0]) + 1
    steps = [(move, down * width + right) for move, (down, right) in MOVES.items()]

    def see(trail: Sequence[int]) -> str:
        return "\n".join(
            "open: " + (" ".join([move for move, step in steps if ground[place + step] != WALL]) or "nothing")
            for place in trail
        )

    return see


def _none(maze: Maze, observation: Observation) -> View:
    return lambda trail: ""
