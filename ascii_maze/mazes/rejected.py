"""Synthetic wrong answers of named kinds, from a maze and its shortest path.

Each kind is one kernel of the same name; `KINDS` describes each. `reject` makes one answer for every maze of a
batch, of kinds drawn by weight, and makes sure that it is worse than the path it is paired with: not valid, or not
shortest. A model's own mistakes are better rejected answers; see `dataset_builder.on_policy`.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numba import njit

from . import failures
from .generators import MazeBatch
from .kernels import LETTERS, advance, below, distances_into, mix, move_of

KINDS = MappingProxyType(
    {
        failures.WALL: "cuts through a wall and goes on from there",
        failures.DEAD_END: "takes a wrong turn at a junction and walks on until there is no way forward",
        failures.STOPS_SHORT: "the right way, ended too early",
        failures.OVERSHOOTS: "the right way, and on beyond the goal",
        failures.LOOPS: "arrives, with a step aside and back: valid, not shortest",
        "swapped_axes": "rows taken for columns",
        failures.GARBAGE: "no moves at all: a row of the maze again",
    }
)
# The kinds as the numbers used in kernels: their positions in `KINDS`.
WALL, DEAD_END, STOPS_SHORT, OVERSHOOTS, LOOPS, SWAPPED_AXES, GARBAGE = range(len(KINDS))
COUNT = len(KINDS)


def reject(
    mazes: MazeBatch, letters: np.ndarray, offsets: np.ndarray, keys: np.ndarray, weights: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A worse answer for every maze.

    Args:
        letters, offsets: the mazes' shortest paths, from `kernels.solve`.
        keys: uint64 (n,), random keys for the kinds and places.
        weights: names of `KINDS` -> relative frequency. If a maze allows no answer of a kind (it has no junction
            to go wrong at), the next kind is used instead, and `stops_short` if it allows none of them.

    Returns:
        letters: uint8, the moves of all answers, concatenated; for `garbage` the characters.
        offsets: int64 (n + 1,).
        kinds: uint8 (n,), positions in `KINDS`.
    """
    shares = np.array([weights.get(kind, 0.0) for kind in KINDS], dtype=np.float64)
    return _reject(keys, mazes.open, mazes.ends, letters, offsets, shares)


@njit(cache=True, nogil=True)
def _reject(keys, open_, ends, letters, offsets, shares):
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    distance = np.empty(rows * columns, dtype=np.int32)
    queue = np.empty(rows * columns, dtype=np.int32)
    answer = np.empty(3 * rows * columns + 8, dtype=np.uint8)
    out = np.empty(2 * len(letters) + 8 * count + 3 * rows * columns, dtype=np.uint8)
    out_offsets = np.zeros(count + 1, dtype=np.int64)
    kinds = np.empty(count, dtype=np.uint8)
    total = shares.sum()
    for item in range(count):
        grid, start, goal = flat[item], np.int64(ends[item, 0]), np.int64(ends[item, 1])
        path = letters[offsets[item] : offsets[item + 1]]
        distances_into(grid, columns, goal, distance, queue)
        state = advance(keys[item])
        point = (mix(state) >> np.uint64(11)) * 2.0**-53 * total
        kind = 0
        while kind < COUNT - 1 and point >= shares[kind]:
            point -= shares[kind]
            kind += 1
        size = 0
        for attempt in range(COUNT):
            here = (kind + attempt) % COUNT
            if shares[here] > 0:
                state = advance(state)
                size = _answer(here, grid, columns, start, goal, distance, path, state, answer)
                if size > 0 and not _is_shortest(grid, columns, start, goal, answer[:size], len(path)):
                    kind = here
                    break
                size = 0
        if size == 0:
            kind = STOPS_SHORT
            size = stops_short(path, state, answer)
        position = out_offsets[item]
        if position + size > len(out):
            grown = np.empty(2 * (position + size), dtype=np.uint8)
            grown[:position] = out[:position]
            out = grown
        out[position : position + size] = answer[:size]
        out_offsets[item + 1] = position + size
        kinds[item] = kind
    return out[: out_offsets[count]], out_offsets, kinds


@njit(cache=True)
def _answer(kind, grid, columns, start, goal, distance, path, state, out):
    """One kind's answer, written into `out`; returns its length, 0 if the maze allows none."""
    if kind == WALL:
        return wall(grid, columns, start, distance, path, state, out)
    if kind == DEAD_END:
        return dead_end(grid, columns, start, goal, path, state, out)
    if kind == STOPS_SHORT:
        return stops_short(path, state, out)
    if kind == OVERSHOOTS:
        return overshoots(grid, columns, goal, path, state, out)
    if kind == LOOPS:
        return loops(grid, columns, start, path, state, out)
    if kind == SWAPPED_AXES:
        return swapped_axes(path, out)
    return garbage(grid, columns, start, goal, state, out)


@njit(cache=True)
def _steps(columns):
    """The offset that each move adds to a flat position."""
    return np.array([-columns, columns, -1, 1], dtype=np.int64)


@njit(cache=True)
def _is_shortest(grid, columns, start, goal, moves, shortest):
    """Whether moves are legal, end on the goal and are as few as possible: `PathScore.optimal`."""
    if len(moves) != shortest:
        return False
    steps, here = _steps(columns), start
    for letter in moves:
        move = move_of(letter)
        if move < 0 or grid[here + steps[move]] == 0:
            return False
        here += steps[move]
    return here == goal


@njit(cache=True)
def wall(grid, columns, start, distance, path, state, out):
    """Cut through a wall to the cell behind it, and take the shortest path from there."""
    steps, rows = _steps(columns), len(grid) // columns
    cells = len(path) // 2
    cut, turn = below(state, cells), below(advance(state), 4)
    for attempt in range(4 * cells):
        k, move = 2 * ((cut + attempt // 4) % cells), (turn + attempt) % 4
        here = start
        for passed in range(k):
            here += steps[move_of(path[passed])]
        row, column = here // columns, here % columns
        there = here + 2 * steps[move]
        on_rim = (move == 0 and row == 1) or (move == 1 and row == rows - 2)
        on_rim = on_rim or (move == 2 and column == 1) or (move == 3 and column == columns - 2)
        if not on_rim and grid[here + steps[move]] == 0 and grid[there] == 1:
            out[:k] = path[:k]
            out[k] = out[k + 1] = LETTERS[move]
            size = k + 2
            while distance[there] > 0:
                for onward in range(4):
                    if grid[there + steps[onward]] == 1 and distance[there + steps[onward]] == distance[there] - 1:
                        out[size] = LETTERS[onward]
                        size += 1
                        there += steps[onward]
                        break
            return size
    return 0


@njit(cache=True)
def dead_end(grid, columns, start, goal, path, state, out):
    """Leave the path at a junction, by an open way that it does not take, and walk on without turning back."""
    steps = _steps(columns)
    found, leaves_at, leaves_by = 0, 0, 0
    here, before = start, start
    for k in range(len(path)):
        onward = here + steps[move_of(path[k])]
        for move in range(4):
            there = here + steps[move]
            if grid[there] == 1 and there != onward and there != before:
                found += 1
                state = advance(state)
                if below(state, found) == 0:  # each wrong turn equally likely
                    leaves_at, leaves_by = k, move
        before, here = here, onward
    if found == 0:
        return 0
    seen = np.zeros(len(grid), dtype=np.uint8)
    here = start
    for k in range(leaves_at):
        seen[here] = 1
        out[k] = path[k]
        here += steps[move_of(path[k])]
    seen[here] = 1
    size, move = leaves_at, leaves_by
    while move >= 0:
        out[size] = LETTERS[move]
        size += 1
        here += steps[move]
        seen[here] = 1
        if here == goal:
            return 0
        move, ways = -1, 0
        for way in range(4):
            if grid[here + steps[way]] == 1 and seen[here + steps[way]] == 0:
                ways += 1
                state = advance(state)
                if below(state, ways) == 0:
                    move = way
    return size


@njit(cache=True)
def stops_short(path, state, out):
    """The path without its last moves; at least one move is left."""
    size = 1 + below(state, len(path) - 1)
    out[:size] = path[:size]
    return size


@njit(cache=True)
def overshoots(grid, columns, goal, path, state, out):
    """The path and two moves more: beyond the goal by an open way, if there is one, else straight ahead."""
    steps, size = _steps(columns), len(path)
    last = move_of(path[size - 1])
    out[:size] = path
    chosen, ways = last, 0
    for move in range(4):
        if grid[goal + steps[move]] == 1 and steps[move] != -steps[last]:
            ways += 1
            state = advance(state)
            if below(state, ways) == 0:
                chosen = move
    out[size] = out[size + 1] = LETTERS[chosen]
    return size + 2


@njit(cache=True)
def loops(grid, columns, start, path, state, out):
    """The path with a detour: from one of its cells to the next by any open way, and back."""
    steps = _steps(columns)
    k = 2 * below(state, len(path) // 2)
    here = start
    for passed in range(k):
        here += steps[move_of(path[passed])]
    chosen, ways = -1, 0
    for move in range(4):
        if grid[here + steps[move]] == 1 and grid[here + 2 * steps[move]] == 1:
            ways += 1
            state = advance(state)
            if below(state, ways) == 0:
                chosen = move
    if chosen < 0:
        return 0
    out[:k] = path[:k]
    out[k] = out[k + 1] = LETTERS[chosen]
    out[k + 2] = out[k + 3] = LETTERS[chosen ^ 1]  # opposite moves differ in the lowest bit
    out[k + 4 : len(path) + 4] = path[k:]
    return len(path) + 4


@njit(cache=True)
def swapped_axes(path, out):
    """Up for left, down for right, and vice versa."""
    for k in range(len(path)):
        out[k] = LETTERS[move_of(path[k]) ^ 2]
    return len(path)


@njit(cache=True)
def garbage(grid, columns, start, goal, state, out):
    """A row of the maze; its walls keep it from being read as an answer."""
    row = below(state, len(grid) // columns)
    for column in range(columns):
        here = row * columns + column
        out[column] = 83 if here == start else 71 if here == goal else 32 if grid[here] else 35
    return columns
