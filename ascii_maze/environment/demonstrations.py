"""Walks to train on, in the form of an evaluation's conversation: observations and the walker's turns.

| walker | how it walks |
|---|---|
| `shortest_path` | a shortest path, regardless of the observation |
| `wall_follower` | the right hand on the wall, from what it has seen |
| `depth_first` | to unvisited places, else back, from what it has seen; to the goal once that has been in sight |

A turn continues while the open directions are known all along. So a walk takes about one turn for each new cell, and
one for the way back from a dead end; what a window would have shown on the way is not seen. With tool calls a turn is
one call, a straight line.

The messages are those of `MazeEnv`, and a walker's moves depend on them alone, except for the shortest path.
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
    """Walks a given path, and remembers what it has seen of the maze."""

    def __init__(self, path: str) -> None:
        self.path, self.made, self.memory = path, 0, Memory()

    def turn(self, text: str) -> str:
        """The next move of the path."""
        before = self.memory.here
        self.memory.read(text)
        self.made += self.memory.here != before
        return self.memory.go(self.path[self.made])


# (maze, random generator) -> the walker.
WALKERS: MappingProxyType[str, Callable[[Maze, random.Random], Explorer]] = MappingProxyType(
    {
        "shortest_path": lambda maze, rng: ShortestPath(maze.solve() or ""),
        "wall_follower": lambda maze, rng: WallFollower(rng),
        "depth_first": lambda maze, rng: DepthFirst(rng),
    }
)


def parse_kind(name: str, where: str) -> tuple[Observation, str]:
    """`window:2 depth_first` -> the observation, and the name of the walker.

    Args:
        where: its location, for errors.

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
    """Combines several moves of an explorer into one turn, as long as they lead through known places.

    Args:
        explorer: makes one move at a time.
        straight: whether a turn also ends where the direction changes.
    """

    def __init__(self, explorer: Explorer, straight: bool) -> None:
        self.explorer, self.straight = explorer, straight

    def turn(self, text: str) -> str:
        """The next turn, as moves separated by spaces, or `stop`."""
        memory, moves = self.explorer.memory, list[str]()
        move = self.explorer.turn(_of_last_move(text))
        while move in MOVES:
            if self.straight and moves and move != moves[0]:
                memory.take_back()  # it is chosen again, when the walker has looked around
                break
            moves.append(move)
            if not memory.knows(move) or len(moves) == TURN:
                break
            move = self.explorer.turn("moved 1")
        return " ".join(moves) or move


def _of_last_move(text: str) -> str:
    """The text after a turn, as if that were its last move alone; the others led through known places."""
    said, *seen = text.split("\n")
    if not said.startswith(("moved ", "wall")):
        return text
    places = [line for line in seen if line.startswith("open: ")]
    return "\n".join(["wall" if said.endswith("wall") else "moved 1", *seen[max(0, len(places) - 1) :]])


class Demonstration(NamedTuple):
    """A walk that arrives.

    Attributes:
        walker: one of `WALKERS`.
        prompt: the first messages.
        completion: the messages from the walker's first turn to its last.
    """

    walker: str
    prompt: list[dict[str, Any]]
    completion: list[dict[str, Any]]


def demonstrate(
    maze: Maze, observation: Observation, walker: str, rng: random.Random, form: str = "text"
) -> Demonstration:
    """A walk through a maze that has a path from S to G.

    A walker that does not arrive, such as a wall follower in a maze with loops, is replaced by `depth_first`, and
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
    """All messages of a walk, including the environment's last."""
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
