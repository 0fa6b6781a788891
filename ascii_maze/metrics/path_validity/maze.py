"""`Maze`: parse, render, solve. Pure Python; NumPy is needed only to write some styles.

A maze is any rectangular map with one start and one goal; a lattice of w x h cells, as the generators make it, is the
special case of (2h+1) rows of (2w+1) characters. One move is one character: U, D, L or R.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .plain import what_is_wrong, without_padding
from .reading import READERS, looks_like, read
from .styles import FOREIGN_STYLES, GOAL, MOVES, OPEN, PLAIN_STYLES, START, STYLES, WALL, MazeError

__all__ = ["GOAL", "LARGE", "MOVES", "NOWHERE", "OPEN", "START", "STYLES", "WALL", "Facts", "Maze", "MazeError"]

LARGE = 4096  # characters
NOWHERE = -1  # marks places without a path to the goal

_ALPHABETS = tuple("".join(STYLES[style].symbols or ()) + START + GOAL + "\n" for style in PLAIN_STYLES)
_ASCII = _ALPHABETS[0].encode()
_BITS = bytes.maketrans(b"# SG", b"0111")


class Facts(NamedTuple):
    """Facts of a maze, as in the dataset. Counts are of map characters, `path_length` of moves (None: no path)."""

    path_length: int | None
    turns: int
    junctions: int
    dead_ends: int


@dataclass(frozen=True)
class Maze:
    """A well-formed rectangular map in the style `hash`. Make one with `Maze.from_ascii` or `Maze.from_text`."""

    rows: tuple[str, ...]
    start: tuple[int, int]
    goal: tuple[int, int]

    @classmethod
    def from_ascii(cls, text: str, marks: Mapping[str, str] | None = None) -> "Maze":
        """Parse a map as it is, in one of `PLAIN_STYLES`: `hash`, `dots` or `blocks`.

        Additions by editors are ignored where they cannot be part of the map: a byte order mark, CRLF, empty lines at
        either end, and trailing spaces after the right-hand wall of ragged rows.

        Args:
            marks: other characters in the text, and which of `#`, ` `, `S` and `G` each stands for: `{"E": "G"}`.

        Raises:
            MazeError: empty or ragged text, an unknown character, a mixture of styles, or not exactly one S and one G.
        """
        text = apply_marks(text, marks).replace("\r\n", "\n").removesuffix("\n")
        maze = cls._of_exact(text)
        if maze is None:
            text = without_padding(text)
            maze = cls._of_exact(text)
        if maze is None:
            raise MazeError(what_is_wrong(text.split("\n")))
        return maze

    @classmethod
    def from_text(cls, text: str, style: str = "auto", marks: Mapping[str, str] | None = None) -> "Maze":
        """Parse a maze in any of `STYLES`, or in one of another project (`FOREIGN_STYLES`).

        Args:
            style: its name; the styles of `from_ascii` are recognised by their characters. `auto` tries all and
                refuses a text that is different mazes in different styles.
            marks: as in `from_ascii`.

        Raises:
            MazeError: the text is not a maze in this style, or in any, or it is several.
            ValueError: there is no such style.
        """
        text = apply_marks(text, marks)
        if style != "auto":
            return cls._in_style(text, style)
        found: dict[Maze, str] = {}
        for name in ("hash", *READERS):  # `hash` reads all plain styles
            try:
                found.setdefault(cls._in_style(text, name), name)
            except MazeError:
                continue
        if len(found) > 1:
            styles = ", another in ".join(found.values())
            raise MazeError(f"row 1: the text is one maze in {styles}; name the style")
        if found:
            return next(iter(found))
        return cls._in_style(text, looks_like(text))

    @classmethod
    def _in_style(cls, text: str, style: str) -> "Maze":
        if style in PLAIN_STYLES:
            return cls.from_ascii(text)
        if style not in READERS:
            raise ValueError(
                f"unknown maze style '{style}'; expected auto or one of {', '.join((*STYLES, *FOREIGN_STYLES))}"
            )
        return cls.from_ascii("\n".join(read(text, style)))

    @classmethod
    def _of_exact(cls, text: str) -> "Maze | None":
        """The maze of a rectangular text without a trailing newline; None for any other text."""
        lines, width = text.split("\n"), (text + "\n").index("\n")
        breaks = "\n" * (len(lines) - 1)
        alphabet: str | None = _ALPHABETS[0]
        if not text.isascii() or text.encode().translate(None, _ASCII):
            alphabet = next((alphabet for alphabet in _ALPHABETS if not text.strip(alphabet)), None)
        rectangular = text[width :: width + 1] == breaks and len(text) == len(lines) * (width + 1) - 1
        if alphabet is None or not rectangular or text.count(START) != 1 or text.count(GOAL) != 1:
            return None
        if alphabet is not _ALPHABETS[0]:
            lines = [line.replace("█", WALL).replace(".", OPEN) for line in lines]
        return cls(tuple(lines), divmod(text.index(START), width + 1), divmod(text.index(GOAL), width + 1))

    def to_ascii(self, style: str = "hash") -> str:
        """The maze as text without a trailing newline, in one of `STYLES`; `from_text` reads the same maze back.

        Raises:
            ValueError: there is no such style.
            MazeError: the maze cannot be written in it; the message says why.
        """
        text = "\n".join(self.rows)
        if style in PLAIN_STYLES:
            return text.translate(str.maketrans(WALL + OPEN, "".join(STYLES[style].symbols or ())))
        import numpy as np

        from .writing import write

        codes = np.frombuffer("".join(self.rows).encode(), np.uint8)
        return write(codes.reshape(1, *self.shape), style)[0].tobytes().decode()

    def __str__(self) -> str:
        return "\n".join(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, in characters."""
        return len(self.rows), len(self.rows[0])

    def is_open(self, row: int, column: int) -> bool:
        """Whether a position is open ground; False outside the map."""
        return 0 <= row < len(self.rows) and 0 <= column < len(self.rows[0]) and self.rows[row][column] != WALL

    def neighbours(self, row: int, column: int) -> list[tuple[str, tuple[int, int]]]:
        """Legal moves from a position and where each leads, in the order of `MOVES`."""
        steps = ((move, (row + down, column + right)) for move, (down, right) in MOVES.items())
        return [(move, there) for move, there in steps if self.is_open(*there)]

    @cached_property
    def ground(self) -> str:
        """The map as one string for fast walking, with a wall after every row and a row of walls before and after.

        A move adds or subtracts 1 or `len(rows[0]) + 1`; a walk that leaves the map hits a wall first.
        """
        border = WALL * (len(self.rows[0]) + 1)
        return f"{border}{WALL.join(self.rows)}{border}"

    @cached_property
    def shortest(self) -> int | None:
        """Moves of a shortest path; None: no path."""
        return self.moves_to_goal(self.ground.index(START))

    def moves_to_goal(self, place: int) -> int | None:
        """Moves of a shortest path to the goal from a place in `ground`; None: no path.

        Small maps use bit sets, several times as fast as a queue. Their cost grows with places times moves, so large
        maps are searched once with a queue.
        """
        if len(self.ground) > LARGE:
            moves = self._search[1][place]
            return None if moves == NOWHERE else moves
        return self._moves_by_bits(place)

    def _moves_by_bits(self, place: int) -> int | None:
        """Breadth-first search from both ends at once, over bit sets."""
        ground, width, size = self.ground, len(self.rows[0]) + 1, len(self.ground)
        goal = ground.index(GOAL)
        opened = int(ground.encode().translate(_BITS), 2)  # the last place is the lowest bit
        ring, moves = 1 << size - 1 - place, (place // width + place % width + goal // width + goal % width) % 2
        unvisited = opened ^ ring
        if moves:  # all paths have an odd length: search one move, then two at a time
            ring = (ring << 1 | ring >> 1 | ring << width | ring >> width) & unvisited
            unvisited ^= ring
        # The ring around the place in the upper half of one number, that around the goal in the lower half.
        unvisited = unvisited << size | opened ^ 1 << size - 1 - goal
        ring = ring << size | 1 << size - 1 - goal
        while not ring >> size & ring:
            ring = (ring << 1 | ring >> 1 | ring << width | ring >> width) & unvisited
            if not ring:
                return None
            unvisited ^= ring
            moves += 2
        return moves

    @cached_property
    def _search(self) -> tuple[list[int], array]:
        """Places in `ground` in the order of a breadth-first search from the goal, and the moves to it from each place
        (`NOWHERE` where there is no path).
        """
        ground, width = self.ground, len(self.rows[0]) + 1
        moves = array("i", [NOWHERE]) * len(ground)
        queue = [ground.index(GOAL)]
        moves[queue[0]] = 0
        for here in queue:
            further = moves[here] + 1
            for there in (here - width, here + width, here - 1, here + 1):
                if ground[there] != WALL and moves[there] == NOWHERE:
                    moves[there] = further
                    queue.append(there)
        return queue, moves

    @cached_property
    def distances(self) -> dict[tuple[int, int], int]:
        """Moves from each position to the goal, by breadth-first search; positions without a path are absent."""
        width, (queue, moves) = len(self.rows[0]) + 1, self._search
        return {(place // width - 1, place % width): moves[place] for place in queue}

    def solve(self) -> str | None:
        """A shortest path as letters without spaces, the first in the order of `MOVES`; None: no path."""
        width, moves, here = len(self.rows[0]) + 1, self._search[1], self.ground.index(START)
        steps = [(move, down * width + right) for move, (down, right) in MOVES.items()]
        if moves[here] == NOWHERE:
            return None
        path = []
        while left := moves[here]:
            move, step = next((move, step) for move, step in steps if moves[here + step] == left - 1)
            path.append(move)
            here += step
        return "".join(path)

    def facts(self) -> Facts:
        """Path length, turns on the shortest path, junctions (3 or 4 exits) and dead ends (1 exit)."""
        path, ground, width = self.solve(), self.ground, len(self.rows[0]) + 1
        ways = [
            4 - (ground[here - width] + ground[here + width] + ground[here - 1] + ground[here + 1]).count(WALL)
            for here, symbol in enumerate(ground)
            if symbol != WALL
        ]
        return Facts(
            path_length=None if path is None else len(path),
            turns=sum(one != two for one, two in zip(path or "", (path or "")[1:])),
            junctions=sum(way >= 3 for way in ways),
            dead_ends=sum(way == 1 for way in ways),
        )

    def canonical(self) -> str:
        """The text that this maze shares with its rotations, reflections and their reversals, and with no other maze.

        It is the smallest of the 16 variants, those with fewer columns first, then in the order of text. Duplicates
        are recognised by the hash of this form; `ascii_maze.mazes.kernels.canonicalise` is the same for batches.
        """
        return _least(self.variants())

    def layout(self) -> str:
        """The text that this maze without its S and G shares with its rotations and reflections, and with no other."""
        bare = str.maketrans({START: OPEN, GOAL: OPEN})
        return _least([tuple(line.translate(bare) for line in rows) for rows in self.variants()])

    def variants(self) -> list[tuple[str, ...]]:
        """The rows of the 16 mazes equivalent to this one: rotated, reflected, and each with S and G swapped."""
        found = []
        swapped = tuple(line.translate(str.maketrans("SG", "GS")) for line in self.rows)
        for rows in (self.rows, swapped):
            for _ in range(4):
                rows = tuple("".join(line) for line in zip(*rows[::-1]))
                found += [rows, rows[::-1]]
        return found


def _least(variants: list[tuple[str, ...]]) -> str:
    """The text of the smallest of some mazes: fewer columns first, then as text."""
    least = min(variants, key=lambda rows: (len(rows[0]), rows))
    return "\n".join(least)


def apply_marks(text: str, marks: Mapping[str, str] | None) -> str:
    """The text with other characters replaced by those they stand for; see `Maze.from_ascii`.

    Raises:
        MazeError: it is not text.
    """
    if not isinstance(text, str):
        raise MazeError(f"a maze is a str of rows joined by line breaks, not {type(text).__name__}")
    return text.translate({ord(mark): symbol for mark, symbol in marks.items()}) if marks else text
