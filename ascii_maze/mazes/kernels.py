"""Numba kernels over batches of lattice mazes: solve, measure, render, canonicalise. `carvers` carves
them, `placing` places their start and goal.

A batch of n mazes of width x height cells is one uint8 array `open` of shape (n, 2*height+1, 2*width+1): 1 for open
ground, 0 for wall. The outer frame is always wall, so no kernel checks bounds. Positions are flat character
indices, `row * columns + column`. Moves are 0-3 in the order of `MOVES`, "UDLR"; where several shortest moves exist
the first in that order is taken, here and in `Maze.solve` alike.

Randomness comes only from the uint64 key of each maze (see `item_keys`), advanced by SplitMix64 (Steele et al., "Fast
splittable pseudorandom number generators", OOPSLA 2014). A maze is therefore a pure function of its key: batches may
be split anywhere and carved by any number of workers.
"""

import hashlib

import numpy as np
from numba import njit

LETTERS = np.frombuffer(b"UDLR", dtype=np.uint8)


def item_keys(seed: int, stream: str, width: int, height: int, indices: np.ndarray) -> np.ndarray:
    """Random keys of the items of an infinite sequence: a hash of (seed, stream, size, index).

    Args:
        stream: a name for the use of the keys, such as a generator.
        indices: integers (n,), not negative.

    Returns:
        uint64 (n,). The keys of two seeds, streams or sizes share no arithmetic relation.
    """
    name = f"{seed}/{stream}/{width}x{height}".encode()
    base = np.frombuffer(hashlib.blake2b(name, digest_size=16).digest(), dtype="<u8")
    return mix(mix(np.asarray(indices).astype(np.uint64) + base[0]) ^ base[1])


@njit(cache=True)
def mix(z):
    """Finaliser of SplitMix64, a bijection of uint64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def advance(state):
    """The next state of a SplitMix64 generator (Steele et al., 2014): uint64 -> uint64; `mix` makes a number of it."""
    return state + np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def below(state, bound):
    """A number in [0, bound) from an advanced state, by multiply-shift on the high 32 bits."""
    return np.int64(((mix(state) >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32))


@njit(cache=True, nogil=True)
def distances_into(grid, columns, source, distance, queue, until=-1):
    """Moves from `source` to every position, by breadth-first search, stopping at `until` if given.

    Positions not reached have -1.
    """
    distance[:] = -1
    distance[source] = 0
    queue[0] = source
    head, tail = 0, 1
    while head < tail:
        here = queue[head]
        head += 1
        onward = distance[here] + 1
        for there in (here - columns, here + columns, here - 1, here + 1):
            if grid[there] == 1 and distance[there] < 0:
                distance[there] = onward
                if there == until:
                    return
                queue[tail] = there
                tail += 1


@njit(cache=True, nogil=True)
def solve(open_, ends):
    """Shortest paths from start to goal, by breadth-first search from the goal.

    Args:
        open_: uint8 (n, rows, columns).
        ends: int32 (n, 2), start and goal.

    Returns:
        letters: uint8, the ASCII letters of all paths, concatenated.
        offsets: int64 (n + 1,), the bounds of each path in `letters`; empty for an unreachable goal.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    steps = np.array([-columns, columns, -1, 1], dtype=np.int64)
    distance = np.empty(rows * columns, dtype=np.int32)
    queue = np.empty(rows * columns, dtype=np.int32)
    letters = np.empty(64 * count + rows * columns, dtype=np.uint8)
    offsets = np.zeros(count + 1, dtype=np.int64)
    for item in range(count):
        grid = flat[item]
        distances_into(grid, columns, ends[item, 1], distance, queue, ends[item, 0])
        here = np.int64(ends[item, 0])
        position = offsets[item]
        left = max(distance[here], 0)
        if position + left > len(letters):
            grown = np.empty(2 * (position + left), dtype=np.uint8)
            grown[:position] = letters[:position]
            letters = grown
        while left > 0:
            for move in range(4):
                there = here + steps[move]
                if grid[there] == 1 and distance[there] == left - 1:
                    letters[position] = LETTERS[move]
                    here = there
                    break
            position += 1
            left -= 1
        offsets[item + 1] = position
    return letters[: offsets[count]], offsets


@njit(cache=True, nogil=True)
def render(open_, ends):
    """The mazes as ASCII text without trailing newline.

    Returns:
        uint8 (n, rows * (columns + 1) - 1), ASCII codes.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    text = np.empty((count, rows * (columns + 1) - 1), dtype=np.uint8)
    for item in range(count):
        for row in range(rows):
            for column in range(columns):
                text[item, row * (columns + 1) + column] = 32 if flat[item, row * columns + column] else 35
            if row + 1 < rows:
                text[item, row * (columns + 1) + columns] = 10
        for end, letter in ((ends[item, 0], 83), (ends[item, 1], 71)):
            text[item, (end // columns) * (columns + 1) + end % columns] = letter
    return text


@njit(cache=True, nogil=True)
def facts(open_, letters, offsets):
    """Facts of each maze in the order of `Facts`: path length, turns, junctions, dead ends.

    Args:
        letters, offsets: the shortest paths, from `solve`.

    Returns:
        int32 (n, 4). Junctions are open positions with three or more open neighbours, dead ends those with one; an
        unreachable goal has path length -1.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    out = np.zeros((count, 4), dtype=np.int32)
    for item in range(count):
        grid = flat[item]
        length = offsets[item + 1] - offsets[item]
        out[item, 0] = length if length > 0 else -1
        for k in range(offsets[item] + 1, offsets[item + 1]):
            out[item, 1] += letters[k] != letters[k - 1]
        for here in range(columns, (rows - 1) * columns):
            if grid[here]:
                ways = grid[here - columns] + grid[here + columns] + grid[here - 1] + grid[here + 1]
                out[item, 2] += ways >= 3
                out[item, 3] += ways == 1
    return out


@njit(cache=True, nogil=True)
def spell(letters, offsets, table, table_offsets):
    """Spell out paths: each move as its entry in a table, separated by spaces.

    Args:
        letters, offsets: paths as returned by `solve`; bytes that are not moves are copied unchanged, without spaces.
        table, table_offsets: uint8 and int64 (5,), the entries of U D L R, concatenated.

    Returns:
        uint8 text and int64 (n + 1,) offsets, in the same form.
    """
    longest = 1 + np.max(table_offsets[1:] - table_offsets[:-1])
    text = np.empty(longest * len(letters), dtype=np.uint8)
    out = np.zeros_like(offsets)
    position = 0
    for item in range(len(offsets) - 1):
        for k in range(offsets[item], offsets[item + 1]):
            move = move_of(letters[k])
            if move < 0:
                text[position] = letters[k]
                position += 1
                continue
            if k > offsets[item]:
                text[position] = 32
                position += 1
            for byte in range(table_offsets[move], table_offsets[move + 1]):
                text[position] = table[byte]
                position += 1
        out[item + 1] = position
    return text[:position], out


@njit(cache=True)
def move_of(letter):
    """0-3 for U D L R, -1 for anything else."""
    for move in range(4):
        if LETTERS[move] == letter:
            return move
    return -1


@njit(cache=True, nogil=True)
def canonicalise(text, rows, columns):
    """The canonical form of each maze: the smallest of its rotations and reflections, with start and goal as drawn or
    swapped.

    Mazes that are rotations, reflections or reversals of one another share it. Tall orientations (fewer columns than
    rows) sort before wide ones, equal shapes as text. `Maze.canonical` is the same for any map.

    Args:
        text: uint8 (n, rows * (columns + 1) - 1), from `render`.

    Returns:
        uint8 (n, long * (narrow + 1) - 1), where `long` is the greater of rows and columns and `narrow` the other.
    """
    count = len(text)
    narrow = min(rows, columns)
    size = max(rows, columns) * (narrow + 1) - 1
    # For each orientation, the index in the text of each character of the rotated maze.
    sources = np.empty((8, size), dtype=np.int64)
    orientations = 0
    for symmetry in range(8):
        transpose, flip_rows, flip_columns = symmetry & 4, symmetry & 2, symmetry & 1
        if (columns > rows and not transpose) or (columns < rows and transpose):
            continue
        for k in range(size):
            row, column = k // (narrow + 1), k % (narrow + 1)
            r, c = (column, row) if transpose else (row, column)
            r = rows - 1 - r if flip_rows else r
            c = columns - 1 - c if flip_columns else c
            # Any line break of the text will do: they are the same byte.
            sources[orientations, k] = columns if column == narrow else r * (columns + 1) + c
        orientations += 1
    swapped = np.arange(128).astype(np.uint8)
    swapped[83], swapped[71] = 71, 83
    out = np.empty((count, size), dtype=np.uint8)
    for item in range(count):
        maze = text[item]
        best, best_swap = 0, 0
        for candidate in range(1, 2 * orientations):
            source, swap = candidate >> 1, candidate & 1
            for k in range(size):
                one, two = maze[sources[source, k]], maze[sources[best, k]]
                one = swapped[one] if swap else one
                two = swapped[two] if best_swap else two
                if one != two:
                    if one < two:
                        best, best_swap = source, swap
                    break
        for k in range(size):
            code = maze[sources[best, k]]
            out[item, k] = swapped[code] if best_swap else code
    return out
