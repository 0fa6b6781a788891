"""`Maze`: parse, render, solve. Pure Python, no dependency.

A maze is any rectangular map with one start and one goal; a lattice of w x h cells, as the generators make it, is the
special case of (2h+1) rows of (2w+1) characters. One move is one character: U, D, L or R.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

WALL, OPEN, START, GOAL = "#", " ", "S", "G"
MOVES = MappingProxyType({"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)})
# How each style writes wall and open; start and goal are S and G in all of them.
STYLES = MappingProxyType({"hash": "# ", "dots": "#.", "blocks": "█ "})

LARGE = 4096  # characters
NOWHERE = -1  # moves from where there is no way

_ALPHABETS = tuple(style + START + GOAL + "\n" for style in STYLES.values())
_ASCII = _ALPHABETS[0].encode()
_BITS = bytes.maketrans(b"# SG", b"0111")


class MazeError(ValueError):
    """Text that is not a maze. The message gives row and column (from 1) and what was expected.

    Attributes:
        index: of the text, where there were several.
    """

    index: int | None = None


class Facts(NamedTuple):
    """Facts of a maze, as in the dataset. Counts are of map characters, `path_length` of moves (None: no path)."""

    path_length: int | None
    turns: int
    junctions: int
    dead_ends: int


@dataclass(frozen=True)
class Maze:
    """A well-formed rectangular map in the style `hash`. Make one with `Maze.from_ascii`."""

    rows: tuple[str, ...]
    start: tuple[int, int]
    goal: tuple[int, int]

    @classmethod
    def from_ascii(cls, text: str, marks: Mapping[str, str] | None = None) -> "Maze":
        """Parse a map in any of `STYLES`.

        What editors add is ignored where it cannot be part of the map: a byte order mark, CRLF, empty lines at either
        end, and trailing spaces after the right-hand wall of ragged rows.

        Args:
            marks: other characters in the text, and which of `#`, ` `, `S` and `G` each stands for: `{"E": "G"}`.

        Raises:
            MazeError: empty or ragged text, an unknown character, a mixture of styles, or not exactly one S and one G.
        """
        if not isinstance(text, str):
            raise MazeError(f"a maze is a str of rows joined by line breaks, not {type(text).__name__}")
        if marks:
            text = text.translate({ord(mark): symbol for mark, symbol in marks.items()})
        text = text.replace("\r\n", "\n").removesuffix("\n")
        maze = cls._of_exact(text)
        if maze is None:
            text = _without_padding(text)
            maze = cls._of_exact(text)
        if maze is None:
            raise MazeError(_what_is_wrong(text.split("\n")))
        return maze

    @classmethod
    def _of_exact(cls, text: str) -> "Maze | None":
        """The maze of a rectangular text without a line break at its end; None of any other."""
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
        """The map as text without a trailing newline, in one of `STYLES`; `from_ascii` reads the same maze back."""
        if style not in STYLES:
            raise ValueError(f"unknown maze style '{style}'; expected one of {', '.join(STYLES)}")
        return "\n".join(self.rows).translate(str.maketrans(WALL + OPEN, STYLES[style]))

    __str__ = to_ascii

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
        if moves:  # all ways have an odd number of moves: one alone, then two at a time
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

        It is the smallest of the 16 variants: fewer columns first, then as text. Splits and duplicates are decided by
        the hash of this form; `ascii_maze.mazes.kernels.canonicalise` is the same for batches.
        """
        least = min(self.variants(), key=lambda rows: (len(rows[0]), rows))
        return "\n".join(least)

    def variants(self) -> list[tuple[str, ...]]:
        """The rows of the 16 mazes equivalent to this one: rotated, reflected, and each with S and G swapped."""
        found = []
        swapped = tuple(line.translate(str.maketrans("SG", "GS")) for line in self.rows)
        for rows in (self.rows, swapped):
            for _ in range(4):
                rows = tuple("".join(line) for line in zip(*rows[::-1]))
                found += [rows, rows[::-1]]
        return found


def _without_padding(text: str) -> str:
    """The text without byte order mark and empty lines at either end. Trailing spaces of ragged rows are removed if
    the rows are then equally long and all end in a wall.
    """
    lines = text.removeprefix("\ufeff").strip("\n").split("\n")
    stripped = [line.rstrip(" ") for line in lines]
    ragged = len(set(map(len, lines))) > 1
    if ragged and len(set(map(len, stripped))) == 1 and all(line.endswith(("#", "█")) for line in stripped):
        lines = stripped
    return "\n".join(lines)


# What others write for the start and the goal.
_USUAL_MARKS = MappingProxyType({**dict.fromkeys("s@oO*aAPpBI", START), **dict.fromkeys("geEFfTtXx$D", GOAL)})


def _hint(symbol: str, lines: list[str]) -> str:
    """A hint for a character that no maze has, where the intention is clear."""
    if symbol == "\t":
        return " (tabs are not spaces)"
    text = "\n".join(lines)
    missing = [end for end in (START, GOAL) if end not in text]
    if text.count(symbol) != 1 or not missing:
        return ""
    end = _USUAL_MARKS.get(symbol) if len(missing) == 2 else missing[0]
    return f" (write {end} for {symbol}, or --marks {symbol}={end})" if end and symbol.isprintable() else ""


def _what_is_wrong(lines: list[str]) -> str:
    """The first reason why rows are not a maze, with its position."""
    if lines == [""]:
        return "the maze is empty: expected rows of '#', ' ', 'S' and 'G'"
    width, alphabet = len(lines[0]), set("#█ .SG")
    wall = opened = ""
    places: dict[str, list[str]] = {START: [], GOAL: []}
    for row, line in enumerate(lines, 1):
        for column, symbol in enumerate(line, 1):
            if symbol not in alphabet:
                place = f"row {row}, column {column}"
                return f"{place}: expected '#', ' ', 'S' or 'G', found {symbol!r}{_hint(symbol, lines)}"
            if symbol in places:
                places[symbol].append(f"row {row}, column {column}")
            elif symbol in "#█":
                wall = wall or symbol
            else:
                opened = opened or symbol
            if symbol not in (wall, opened, START, GOAL):
                expected = wall if symbol in "#█" else opened
                return f"row {row}, column {column}: expected {expected!r} as above, found {symbol!r}"
        if len(line) != width:
            return f"row {row}: expected {width} characters as in row 1, found {len(line)}"
    letter, found = next((letter, found) for letter, found in places.items() if len(found) != 1)
    return f"expected exactly one {letter}, found {len(found)}{': ' + ' and '.join(found[:2]) if found else ''}"
