"""Walkers that are not models but get the same input, the texts of a `MazeEnv`.

A new explorer is made for every episode, from a random generator; `turn` takes the latest text and returns the
next turn as text, one move at a time. Places are relative to the start.

| name | how it walks |
|---|---|
| `random_walk` | a random direction not known to be wall, back only if there is no other |
| `wall_follower` | the right hand on the wall: right, else straight, left, back |
| `depth_first` | a shortest path to a goal in sight; else to an unvisited place; else back the way it came |

With observation `none` they find walls by walking into them. `shortest_path`, the upper bound, is not an explorer: it
is A* with the whole map in view for every observation (`Maze.solve`, since all moves cost the same).
"""

import random
from collections import deque
from collections.abc import Callable
from types import MappingProxyType
from typing import Protocol

from ..mazes.baselines import BASELINES
from ..metrics.path_validity.maze import GOAL, MOVES, WALL
from .observations import HERE

Place = tuple[int, int]
_BACK = MappingProxyType({"U": "D", "D": "U", "L": "R", "R": "L"})
_CLOCKWISE = "URDL"


class Memory:
    """The knowledge of an explorer: its place, and the places that it has seen to be open or wall.

    Attributes:
        here: its place, (down, right) relative to the start.
        open: place -> whether it is open; unknown places are absent.
        plain: places that it has visited or seen not to be the goal.
        goal: its place; None until it has been seen.
        last: the last move that did not hit a wall.
    """

    def __init__(self) -> None:
        self.here: Place = (0, 0)
        self.open: dict[Place, bool] = {(0, 0): True}
        self.plain: set[Place] = {(0, 0)}
        self.goal: Place | None = None
        self.last: str | None = None
        self._tried: str | None = None

    def beside(self, move: str, place: Place | None = None) -> Place:
        """The place that a move leads to from a place, by default from here."""
        (row, column), (down, right) = place or self.here, MOVES[move]
        return row + down, column + right

    def go(self, move: str) -> str:
        """Record a move, whose outcome the next text gives; returns the move."""
        self._tried = move
        return move

    def take_back(self) -> None:
        """Forget a recorded move, which is not made."""
        self._tried = None

    def read(self, text: str) -> None:
        """Update from the environment's text: the outcome of the last move, and the observation."""
        if self._tried:
            there, wall = self.beside(self._tried), text.split("\n")[0] == "wall"
            self.open[there] = not wall
            if not wall:
                self.here, self.last = there, self._tried
                self.plain.add(there)
            self._tried = None
        self.look(text)

    def look(self, text: str) -> None:
        """Update from the observation at the current place."""
        lines = text.split("\n")
        picture = [line for line in lines if set(line) <= {WALL, " ", "S", GOAL, HERE} and line]
        rows = (row for row, line in enumerate(picture) if HERE in line)
        if (row := next(rows, None)) is not None:
            self._see(picture, row, picture[row].index(HERE))
        for line in lines:
            if line.startswith("open: "):
                for move in MOVES:
                    self.open[self.beside(move)] = move in line.removeprefix("open: ").split()

    def knows(self, move: str) -> bool:
        """Whether a move leads to an open place that is not the goal and has four known neighbours."""
        place = self.beside(move)
        known = place in self.plain and self.open.get(place, False)
        return known and all(self.beside(onward, place) in self.open for onward in MOVES)

    def _see(self, picture: list[str], row: int, column: int) -> None:
        for down, line in enumerate(picture, -row):
            for right, symbol in enumerate(line, -column):
                place = self.here[0] + down, self.here[1] + right
                self.open[place] = symbol != WALL
                if symbol == GOAL:
                    self.goal = place
                else:
                    self.plain.add(place)

    def hopeful(self) -> list[str]:
        """The moves from here that are not known to hit a wall."""
        return [move for move in MOVES if self.open.get(self.beside(move), True)]


class Explorer(Protocol):
    """A walker that takes one turn after another.

    Attributes:
        memory: its knowledge of the maze.
    """

    memory: Memory

    def turn(self, text: str) -> str:
        """The next turn, in reply to the environment's text."""


class RandomWalk:
    """See `random_walk` in the module's table."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.memory = rng, Memory()

    def turn(self, text: str) -> str:
        """A random move, back only in a dead end."""
        memory = self.memory
        memory.read(text)
        moves = memory.hopeful()
        onward = [move for move in moves if not memory.last or move != _BACK[memory.last]]
        return memory.go(self.rng.choice(onward or moves)) if moves else "stop"


class WallFollower:
    """See `wall_follower` in the module's table."""

    def __init__(self, rng: random.Random) -> None:
        self.heading, self.memory = rng.randrange(4), Memory()

    def turn(self, text: str) -> str:
        """Right unless known to be wall, else straight, left, back."""
        memory = self.memory
        memory.read(text)
        if memory.last:
            self.heading = _CLOCKWISE.index(memory.last)
        hopeful = memory.hopeful()
        turns = (_CLOCKWISE[(self.heading + turn) % 4] for turn in (1, 0, -1, 2))
        move = next((move for move in turns if move in hopeful), None)
        return memory.go(move) if move else "stop"


class DepthFirst:
    """See `depth_first` in the module's table."""

    def __init__(self, rng: random.Random) -> None:
        self.memory, self.trail, self.been, self.way_back = Memory(), "", {(0, 0)}, False

    def turn(self, text: str) -> str:
        """Towards a goal in sight, else to an unvisited place, else back the way it came."""
        memory, before = self.memory, self.memory.here
        memory.read(text)
        if memory.here != before:
            self.trail = self.trail[:-1] if self.way_back else self.trail + str(memory.last)
            self.been.add(memory.here)
        self.way_back = False
        if way := self._to_goal():
            return memory.go(way)
        fresh = [move for move in memory.hopeful() if memory.beside(move) not in self.been]
        if fresh:
            return memory.go(fresh[0])
        if not self.trail:
            return "stop"
        self.way_back = True
        return memory.go(_BACK[self.trail[-1]])

    def _to_goal(self) -> str | None:
        """The first move of a shortest path over places seen to be open to a goal in sight, if there is one."""
        memory = self.memory
        if memory.goal is None:
            return None
        first: dict[Place, str] = {}
        queue = deque([memory.here])
        while queue:
            place = queue.popleft()
            for move in MOVES:
                there = memory.beside(move, place)
                if memory.open.get(there) and there not in first and there != memory.here:
                    first[there] = first.get(place, move)
                    queue.append(there)
        return first.get(memory.goal)


EXPLORERS: MappingProxyType[str, Callable[[random.Random], Explorer]] = MappingProxyType(
    {"random_walk": RandomWalk, "wall_follower": WallFollower, "depth_first": DepthFirst}
)
# The names in an evaluation's tables that are not models.
ALL_BASELINES = frozenset({*BASELINES, *EXPLORERS})
