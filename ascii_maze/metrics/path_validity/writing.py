"""Mazes as text in any style, many of one shape at once, with NumPy.

A text is made of pieces: strings from a small table, chosen for each maze by the characters of its map. All pieces of
a batch are looked up together, padded to one length, and the padding is dropped.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .styles import CLOSED, DRAWN, GOAL, JUNCTIONS, OPEN, SOLID, START, STYLES, WALL, MazeError

AT_ONCE = 2**24  # bytes of padded pieces
SIDES = "UDLR"
_KIND = np.zeros(256, np.uint8)  # of a character: 0 wall, 1 open, 2 start, 3 goal
_KIND[[ord(symbol) for symbol in WALL + OPEN + START + GOAL]] = range(4)


class Pieces(NamedTuple):
    """The text of mazes in pieces.

    Attributes:
        table: the strings.
        chosen: integers (n, pieces), indices into the table.
    """

    table: Sequence[str]
    chosen: np.ndarray


def write(maps: np.ndarray, style: str) -> tuple[np.ndarray, np.ndarray]:
    """The text of every maze in a style.

    Args:
        maps: uint8 (n, rows, columns), ASCII codes of the style `hash`.
        style: one of `STYLES`.

    Returns:
        uint8, the UTF-8 bytes of all texts, one after the other, and int64 (n + 1,) offsets.

    Raises:
        ValueError: there is no such style.
        MazeError: a maze cannot be written in it; the error has its index.
    """
    if style not in STYLES:
        raise ValueError(f"unknown maze style '{style}'; expected one of {', '.join(STYLES)}")
    if not len(maps):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    kinds = _KIND.take(maps)
    if style in CHECKS:
        _refuse(style, kinds, CHECKS[style])
    pieces = PIECES[style]
    table = pieces(kinds[:1], style).table
    padded = np.zeros((len(table), max(len(text.encode()) for text in table)), np.uint8)
    for place, text in enumerate(table):
        padded[place, : len(text.encode())] = list(text.encode())
    lengths = np.array([len(text.encode()) for text in table])
    count = max(1, AT_ONCE // (padded.shape[1] * max(1, maps[0].size)))
    texts, sizes = [], []
    for start in range(0, len(maps), count):
        chosen = pieces(kinds[start : start + count], style).chosen
        # Faster than indexing with arrays.
        texts.append(padded.take(chosen, axis=0).tobytes().translate(None, b"\0"))
        sizes.append(lengths.take(chosen).sum(axis=1))
    return np.frombuffer(b"".join(texts), np.uint8), np.concatenate([[0], *sizes]).cumsum()


# --- Mazes that a style cannot write. A check gives what was expected, and for each position whether it is wrong.

Check = tuple[str, np.ndarray]


def _refuse(style: str, kinds: np.ndarray, checks: Callable[[np.ndarray], Iterator[Check]]) -> None:
    """Raise for the first maze that the style cannot write."""
    rows, columns = kinds.shape[1:]
    if rows % 2 == 0 or columns % 2 == 0 or min(rows, columns) < 3:
        error = MazeError(
            f"style '{style}' cannot write this maze: expected a lattice, with odd numbers of rows and columns from 3 "
            f"on, found {rows} rows of {columns} characters"
        )
        error.index = 0
        raise error
    found = [
        (int(wrong.any(axis=(1, 2)).argmax()), expected, wrong) for expected, wrong in checks(kinds) if wrong.any()
    ]
    if found:
        index, expected, wrong = min(found, key=lambda one: one[0])
        row, column = np.argwhere(wrong[index])[0]
        symbol = (WALL, OPEN, START, GOAL)[kinds[index, row, column]]
        error = MazeError(
            f"style '{style}' cannot write this maze: row {row + 1}, column {column + 1}: {expected}, found {symbol!r}"
        )
        error.index = index
        raise error


def _corners(kinds: np.ndarray) -> Iterator[Check]:
    """A drawing can write any lattice with walls at the corners of the map."""
    wrong = np.zeros(kinds.shape, bool)
    wrong[:, :: kinds.shape[1] - 1, :: kinds.shape[2] - 1] = kinds[:, :: kinds.shape[1] - 1, :: kinds.shape[2] - 1] > 0
    yield "expected a wall at the corner of the map", wrong


def _passages_alone(kinds: np.ndarray) -> Iterator[Check]:
    """A list of cells and their sides can write cells and their connections, and nothing else."""
    frame = kinds > 0
    frame[:, 1:-1, 1:-1] = False
    yield "expected a wall all around the map", frame
    pillars = np.zeros(kinds.shape, bool)
    pillars[:, ::2, ::2] = kinds[:, ::2, ::2] > 0
    yield "expected a wall where four cells meet", pillars
    ends, into_rock = (np.zeros(kinds.shape, bool) for _ in range(2))
    for rows, columns, one, other in _passages(kinds):
        passage = kinds[:, rows, columns]
        ends[:, rows, columns] = passage > 1
        into_rock[:, rows, columns] = (passage > 0) & ((one == 0) | (other == 0))
    yield "expected S and G in cells, not between two", ends
    yield "expected a wall beside a solid cell", into_rock


def _passages(kinds: np.ndarray) -> Iterator[tuple[slice, slice, np.ndarray, np.ndarray]]:
    """Rows and columns of the places between horizontal, then vertical neighbours, and the two cells of each."""
    odd, even = slice(1, None, 2), slice(2, -1, 2)
    cells = kinds[:, odd, odd]
    yield odd, even, cells[:, :, :-1], cells[:, :, 1:]
    yield even, odd, cells[:, :-1], cells[:, 1:]


# --- The pieces of each style.


def _characters(kinds: np.ndarray, style: str) -> Pieces:
    """One piece for each position; the first of a row begins with a line break, and in `indexed` with its number."""
    rows, columns = kinds.shape[1:]
    symbols = (*STYLES[style].symbols, START, GOAL)  # type: ignore[misc]
    between = " " if style == "spaced" else ""
    heads, top = [""] * rows, ""
    if style == "indexed":
        width = len(str(rows - 1))
        heads = [f"{row:>{width}} " for row in range(rows)]
        top = column_numbers(rows, columns) + "\n"
    prefixes = [between, *(("\n" if row else top) + head for row, head in enumerate(heads))]
    chosen = kinds.astype(np.int32)
    chosen[:, :, 0] += 4 * np.arange(1, rows + 1)
    return Pieces([prefix + symbol for prefix in prefixes for symbol in symbols], chosen.reshape(len(kinds), -1))


def column_numbers(rows: int, columns: int) -> str:
    """The lines above a map in style `indexed`: the numbers of its columns, their digits one below the other."""
    width, digits = len(str(rows - 1)) + 1, len(str(columns - 1))
    numbers = [f"{column:>{digits}}" for column in range(columns)]
    return "\n".join(" " * width + "".join(digit) for digit in zip(*numbers))


def _drawn(kinds: np.ndarray, style: str) -> Pieces:
    """One piece for each position: corners, walls, and cells two characters wide."""
    count, rows, columns = kinds.shape
    symbols = [text for texts in DRAWN[style] for text in texts]
    sort = 2 * (np.arange(rows)[:, None] % 2) + np.arange(columns) % 2  # meeting, below, beside, cell
    chosen = (4 * sort).astype(np.uint8) + kinds
    if style == "lines":
        wall = np.zeros((count, rows + 2, columns + 2), np.uint8)
        wall[:, 1:-1, 1:-1] = kinds == 0
        arms = wall[:, :-2, 1:-1] + 2 * wall[:, 2:, 1:-1] + 4 * wall[:, 1:-1, :-2] + 8 * wall[:, 1:-1, 2:]
        chosen = np.where(chosen == 0, arms + np.uint8(len(symbols)), chosen)
        symbols += JUNCTIONS
    chosen[:, 1:, 0] += len(symbols)
    return Pieces([*symbols, *("\n" + symbol for symbol in symbols)], chosen.reshape(count, -1))


def _words(kinds: np.ndarray, style: str) -> Pieces:
    """One piece for each cell: its word, preceded by a separator."""
    cells = kinds[:, 1::2, 1::2].astype(np.int32)
    sides = sum(
        (kinds[:, 1 + down : kinds.shape[1] - 1 + down : 2, 1 + right : kinds.shape[2] - 1 + right : 2] > 0) << bit
        for bit, (down, right) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1)))
    )
    names = ["".join(side for bit, side in enumerate(SIDES) if mask >> bit & 1) for mask in range(16)]
    words = [SOLID] * 16 + [name or CLOSED for name in names] + [end + name for end in (START, GOAL) for name in names]
    chosen = 16 * cells + sides + len(words)
    chosen[:, :, 0] += len(words)
    chosen[:, 0, 0] -= 2 * len(words)
    table = [prefix + word for prefix in ("", " ", "\n") for word in words]
    return Pieces(table, chosen.reshape(len(kinds), -1))


def _connections(kinds: np.ndarray, style: str) -> Pieces:
    """Size, S and G, then a piece for every pair of neighbours and one for every cell: empty if the pair is not
    connected, or if the cell is connected or solid.
    """
    count, rows, columns = kinds.shape
    places = [(row, column) for row in range(1, rows, 2) for column in range(1, columns, 2)]
    names = [f"({row},{column})" for row, column in places]
    edges = [(a, b) for a, b in ((a, (a[0], a[1] + 2)) for a in places) if b[1] < columns]
    edges += [(a, b) for a, b in ((a, (a[0] + 2, a[1])) for a in places) if b[0] < rows]
    edges.sort()
    lines = [*(f"({a[0]},{a[1]})-({b[0]},{b[1]})" for a, b in edges), *names]
    table = ["", *(f"\n{line}" for line in lines)]
    heads = [f"size ({rows},{columns})\nS {name}" for name in names] + [f"\nG {name}" for name in names]
    between = kinds[:, [(a[0] + b[0]) // 2 for a, b in edges], [(a[1] + b[1]) // 2 for a, b in edges]] > 0
    cells = kinds[:, 1::2, 1::2].reshape(count, -1)
    lone = (cells == 1) & ~_is_connected(kinds).reshape(count, -1)
    shown = np.concatenate([between, lone], axis=1)
    chosen = np.where(shown, np.arange(1, len(lines) + 1), 0)
    if style == "adjacency_shuffled":
        chosen = np.take_along_axis(chosen, _order(kinds, len(lines)), axis=1)
    ends = [len(table) + number * len(names) + (cells == 2 + number).argmax(axis=1) for number in range(2)]
    return Pieces([*table, *heads], np.column_stack([*ends, chosen]))


def _is_connected(kinds: np.ndarray) -> np.ndarray:
    """Whether each cell has a side open, bool (n, height, width)."""
    around = kinds[:, :-2:2, 1::2] | kinds[:, 2::2, 1::2] | kinds[:, 1::2, :-2:2] | kinds[:, 1::2, 2::2]
    return around > 0


def _order(kinds: np.ndarray, items: int) -> np.ndarray:
    """A permutation of `items` for each maze, int64 (n, items), that depends on the maze alone."""
    powers = np.full(kinds[0].size, 0x5851F42D4C957F2D, np.uint64).cumprod()  # Knuth's multiplier
    seed = (kinds.reshape(len(kinds), -1).astype(np.uint64) * powers).sum(axis=1)
    z = seed[:, None] + np.arange(1, items + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # SplitMix64
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    # Sorting numbers that carry their indices in the lowest bits is faster than argsort.
    low = np.uint64(2**24 - 1)
    z = (z ^ (z >> np.uint64(31))) & ~low | np.arange(items, dtype=np.uint64)
    z.sort(axis=1)
    return (z & low).astype(np.int64)


CHECKS: dict[str, Callable[[np.ndarray], Iterator[Check]]] = {
    **dict.fromkeys(("boxes", "lines"), _corners),
    **dict.fromkeys(("cells", "adjacency", "adjacency_shuffled"), _passages_alone),
}
PIECES: dict[str, Callable[[np.ndarray, str], Pieces]] = {
    **dict.fromkeys(("hash", "dots", "blocks", "spaced", "indexed"), _characters),
    **dict.fromkeys(("boxes", "lines"), _drawn),
    "cells": _words,
    **dict.fromkeys(("adjacency", "adjacency_shuffled"), _connections),
}
