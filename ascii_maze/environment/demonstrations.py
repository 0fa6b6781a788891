"""Walks to learn from, in the conversation of an evaluation: what is seen, and the turn that a walker takes then.

| walker | how it walks |
|---|---|
| `shortest_path` | a shortest path, whatever is in sight |
| `wall_follower` | the right hand on the wall, by what it has seen |
| `depth_first` | where it has not been, else back, by what it has seen; to the goal once that is in sight |

A turn goes on while all places around are known, since nothing that it could see on the way would change it. So a walk
takes about a turn for each cell that it comes to, and the way back from a dead end takes one. By tool calls a turn is
one call, a straight line.

The messages are those of `MazeEnv`, and what a walker does depends on them alone, but for the shortest path.
"""

import random
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import UsageError, did_you_mean
from ..metrics.path_validity.maze import MOVES, Maze
from .env import MazeEnv
from .episode import GOAL_REACHED
from .explorers import DepthFirst, Explorer, Memory, WallFollower
from .observations import Observation
from .prompts import step_prompt
from .walks import TURN

FORMS = ("text", "tools")


class ShortestPath:
    """Walks a path that it was given, and knows of the maze what it has seen."""

    def __init__(self, path: str) -> None:
        self.path, self.memory = iter(path), Memory()

    def turn(self, text: str) -> str:
        """The next move of the path."""
        self.memory.read(text)
        return self.memory.go(next(self.path))


# (maze, random generator) -> the walker.
WALKERS: MappingProxyType[str, Callable[[Maze, random.Random], Explorer]] = MappingProxyType(
    {
        "shortest_path": lambda maze, rng: ShortestPath(maze.solve() or ""),
        "wall_follower": lambda maze, rng: WallFollower(rng),
        "depth_first": lambda maze, rng: DepthFirst(rng),
    }
)


def parse_kind(name: str, where: str) -> tuple[Observation, str]:
    """`window:2 depth_first` -> what is in sight, and who walks.

    Args:
        where: it was found, for errors.

    Raises:
        UsageError: it is not of that form, or there is no such observation or walker.
    """
    observation, _, walker = name.partition(" ")
    if walker not in WALKERS:
        expected = did_you_mean(walker, WALKERS) or f"; expected one of {', '.join(WALKERS)}"
        raise UsageError(f"{where}: '{name}' must be an observation and a walker, separated by a space{expected}")
    try:
        return Observation.parse(observation), walker
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


class Strides:
    """An explorer of single moves that makes several in one turn, through places that it knows.

    Args:
        explorer: whose moves these are.
        straight: end a turn where the direction changes, too.
    """

    def __init__(self, explorer: Explorer, straight: bool) -> None:
        self.explorer, self.straight = explorer, straight
        self.decided: str | None = None  # before it has seen more

    def turn(self, text: str) -> str:
        """The next turn, as moves with blanks between them; or `stop`."""
        if self.decided is None:
            self.decided = self.explorer.turn(_of_last_move(text))
        else:
            self.explorer.memory.look(text)
        moves: list[str] = []
        while self.decided in MOVES and not (self.straight and moves and self.decided != moves[0]):
            moves.append(self.decided)
            known = self.explorer.memory.knows(self.decided)
            if not known or len(moves) == TURN:
                self.decided = None
                return " ".join(moves)
            self.decided = self.explorer.turn("moved 1")
        return " ".join(moves) or self.decided


def _of_last_move(text: str) -> str:
    """What is said of a turn, as if its last move were all of it; the others led through places that are known."""
    said, *seen = text.split("\n")
    if not said.startswith(("moved ", "wall")):
        return text
    places = [line for line in seen if line.startswith("open: ")]
    return "\n".join(["wall" if said.endswith("wall") else "moved 1", *seen[max(0, len(places) - 1) :]])


class Demonstration(NamedTuple):
    """A walk that arrives.

    Attributes:
        walker: one of `WALKERS`.
        prompt: the messages with which it begins.
        completion: those that follow, from the walker's first turn to its last.
    """

    walker: str
    prompt: list[dict[str, Any]]
    completion: list[dict[str, Any]]


def demonstrate(
    maze: Maze, observation: Observation, walker: str, rng: random.Random, form: str = "text"
) -> Demonstration:
    """A walk through a maze that has a path from S to G.

    A walker that does not arrive, as a wall follower in a maze with loops may not, is replaced: by `depth_first`, and
    that by `shortest_path`.

    Args:
        walker: one of `WALKERS`.
        form: `text`, or `tools` for a tool call in each turn.
    """
    for name in dict.fromkeys((walker, "depth_first", "shortest_path")):
        env = MazeEnv(maze, observation)
        messages = _walk(env, Strides(WALKERS[name](maze, rng), form == "tools"), form)
        if env.ended == GOAL_REACHED:
            break
    return Demonstration(name, messages[:2], messages[2:-1])


def _walk(env: MazeEnv, strides: Strides, form: str) -> list[dict[str, Any]]:
    """All messages of a walk, the environment's last among them."""
    messages: list[dict[str, Any]] = list(step_prompt(env, tools=form == "tools"))
    said = env.first
    while not env.ended:
        turn = strides.turn(said)
        if form == "text":
            said = env.turn(turn)
            messages += [{"role": "assistant", "content": turn}, {"role": "user", "content": said}]
            continue
        moves = turn.split()
        name, arguments = ("stop", {}) if turn == "stop" else ("move", {"direction": moves[0], "steps": len(moves)})
        said = env.call(name, arguments)
        call = {"type": "function", "function": {"name": name, "arguments": arguments}}
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "name": name, "content": said},
        ]
    return messages
