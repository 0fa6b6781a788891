"""`MazeEnv`: one maze, walked by turns in text or by tool calls.

    env = MazeEnv(maze, "local")
    env.first                 # the observation at S, such as `open: R`
    env.move("R", 2)          # `moved 2`, and the observations on the way
    env.turn("D D L L")       # `moved 4, goal`
    env.result().score.valid  # True

Any output of a model is answered with a text: nothing raises, and an invalid turn does not move the walker. No text
repeats the model's output, which could put a special token of its chat template into the next message.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ..errors import UsageError
from ..mazes.baselines import open_positions
from ..metrics.path_validity.maze import GOAL, MOVES, START, WALL, Maze
from ..metrics.path_validity.scoring import completion_text, extract_answer, parse_moves, read_maze
from .episode import ERRORS, GOAL_REACHED, OUT_OF_MOVES, OUT_OF_TURNS, STOPPED, Episode, episode_of
from .observations import Observation, view_of

LONGEST_MOVE = 100  # steps in one call
ERRORS_IN_A_ROW = 3  # end the episode, since such a model does not recover
# The values of `direction` in `move`.
DIRECTIONS = MappingProxyType(
    {name: move for move, word in zip(MOVES, ("up", "down", "left", "right")) for name in (move, word)}
)
_ARGUMENTS = MappingProxyType({"move": {"direction", "steps"}, "look": set(), "stop": set()})
OVER = "the episode is over"
WRONG_TEXT = "error: answer with moves such as R R D, with look, or with stop, and nothing else"
WRONG_DIRECTION = "error: direction must be one of U, D, L, R"
WRONG_STEPS = f"error: steps must be a whole number from 1 to {LONGEST_MOVE}"
WRONG_NAME = "error: the tools are move, look and stop"
WRONG_ARGUMENTS = "error: move takes direction and steps; look and stop take nothing"
WRONG_COUNT = "error: make one call in each turn"
_NOWHERE = (-1, -1)  # no coordinates can begin there, since a walker does not know its own


class MazeEnv:
    """One maze, walked once.

    Attributes:
        first: the observation at the start.
        ended: how the episode ended, one of `episode.ENDS`; None while it is running.
        max_moves: the limit on moves, and also on turns of any kind.
    """

    def __init__(
        self, maze: Maze | str, observation: Observation | str = "window:2", max_moves: int | None = None
    ) -> None:
        """Stand on S.

        Args:
            maze: a `Maze`, or the text of one.
            observation: an `Observation` or its name, see `observations`.
            max_moves: by default twice the number of open positions, enough to visit all of them and return.

        Raises:
            MazeError: a text that is not a maze.
            UsageError: there is no such observation, or `max_moves` is not a whole number of 1 or more.
        """
        if max_moves is not None and (type(max_moves) is not int or max_moves < 1):
            raise UsageError(f"max_moves is {max_moves!r}; expected a whole number, 1 or more")
        self.maze = read_maze(maze) if isinstance(maze, str) else maze
        self.observation = Observation.parse(observation) if isinstance(observation, str) else observation
        self.max_moves = max_moves or 2 * open_positions(self.maze)
        self.ended: str | None = None
        self._see = view_of(self.maze, self.observation)
        self._ground, width = self.maze.ground, len(self.maze.rows[0]) + 1
        self._steps = {"U": -width, "D": width, "L": -1, "R": 1}
        self._place = self._ground.index(START)
        self._moves: list[str] = []
        self._turns = self._looks = self._errors = self._errors_in_a_row = 0
        self.first = self._see([self._place]) or "start"

    def move(self, direction: str, steps: int = 1) -> str:
        """Go so many steps, or as far as a wall lets you.

        Args:
            direction: U, D, L or R, or the word.
            steps: 1 to `LONGEST_MOVE`.

        Returns:
            What happened, and what is seen; for arguments of any other kind an error, in words.
        """
        if self.ended:
            return OVER
        letter = DIRECTIONS.get(direction) if isinstance(direction, str) else None
        if letter is None:
            return self._error(WRONG_DIRECTION)
        if type(steps) is not int or not 1 <= steps <= LONGEST_MOVE:  # True is an int, too
            return self._error(WRONG_STEPS)
        return self._walk(letter * steps)

    def look(self) -> str:
        """What is seen, once more; it takes a turn."""
        if self.ended:
            return OVER
        self._looks += 1
        return self._after_turn("", [self._place])

    def stop(self) -> str:
        """Give up."""
        if self.ended:
            return OVER
        self.ended = STOPPED
        return self._after_turn("", [])

    def turn(self, text: object) -> str:
        """One turn in text: moves in any form that the scorer reads, made up to the first wall; or `look`, or `stop`.

        Args:
            text: what the model wrote, as text or as chat messages.
        """
        if self.ended:
            return OVER
        written = completion_text(text) or ""
        word = extract_answer(written).strip().lower()
        if word in ("look", "stop"):
            return self.look() if word == "look" else self.stop()
        moves = parse_moves(written, _NOWHERE)
        return self._error(WRONG_TEXT) if moves is None else self._walk(moves)

    def call(self, name: object, arguments: object = None) -> str:
        """One tool call with any content; arguments may be parsed or JSON text."""
        if self.ended:
            return OVER
        if not isinstance(name, str) or name not in _ARGUMENTS:
            return self._error(WRONG_NAME)
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except (ValueError, RecursionError):
                return self._error(WRONG_ARGUMENTS)
        arguments = {} if arguments is None else arguments
        if not isinstance(arguments, Mapping) or not set(arguments) <= _ARGUMENTS[name]:
            return self._error(WRONG_ARGUMENTS)
        if name == "move":
            return self.move(arguments.get("direction"), arguments.get("steps", 1))  # type: ignore[arg-type]
        return self.look() if name == "look" else self.stop()

    def calls(self, calls: Sequence[tuple[object, object]]) -> str:
        """The tool calls of one turn, as (name, arguments). More or fewer than one are an error, and none is made."""
        if self.ended:
            return OVER
        return self.call(*calls[0]) if len(calls) == 1 else self._error(WRONG_COUNT)

    def result(self) -> Episode:
        """The outcome of the walk so far."""
        return episode_of(self.maze, "".join(self._moves), self.ended, self._turns, self._looks, self._errors)

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the walker."""
        row, column = divmod(self._place, len(self.maze.rows[0]) + 1)
        return row - 1, column

    def places_of(self, text: str) -> list[tuple[int, int]]:
        """Take a turn; returns (row, column) of the places visited, or of the current one if there was no move."""
        before = len(self._moves)
        start = self.place
        self.turn(text)
        places = [start]
        for move in self._moves[before:]:
            row, column = places[-1][0] + MOVES[move][0], places[-1][1] + MOVES[move][1]
            if self.maze.is_open(row, column):
                places.append((row, column))
        return places[1:] or places

    def _walk(self, moves: str) -> str:
        """Make moves until one hits a wall, arrives, or reaches the limit."""
        ground, place, trail, wall = self._ground, self._place, [], False
        for move in moves[: self.max_moves - len(self._moves)]:
            self._moves.append(move)
            there = place + self._steps[move]
            if ground[there] == WALL:
                wall = True
                break
            place = there
            trail.append(place)
            if ground[place] == GOAL:
                self.ended = GOAL_REACHED
                break
        self._place = place
        if not self.ended and len(self._moves) == self.max_moves:
            self.ended = OUT_OF_MOVES
        said = f"moved {len(trail)}" if trail else ""
        if wall:
            said = f"{said}, wall" if said else "wall"
        return self._after_turn(said, trail or [place])

    def _error(self, said: str) -> str:
        self._errors += 1
        self._errors_in_a_row += 1
        if self._errors_in_a_row == ERRORS_IN_A_ROW:
            self.ended = ERRORS
        return self._after_turn(said, [], error=True)

    def _after_turn(self, said: str, trail: list[int], error: bool = False) -> str:
        """Count the turn, and compose the reply.

        Args:
            trail: places visited in the turn; empty to show no observation.
        """
        self._turns += 1
        if not error:
            self._errors_in_a_row = 0
        if not self.ended and self._turns == self.max_moves:
            self.ended = OUT_OF_TURNS
        if self.ended:
            return f"{said}, {self.ended}" if said else self.ended
        seen = self._see(trail) if trail else ""
        return f"{said}\n{seen}" if said and seen else said or seen or "nothing to see"
