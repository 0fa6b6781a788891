"""Numba kernels over batches of lattice mazes: carve, place, measure, solve, render, canonicalise.

A batch of n mazes of width x height cells is one uint8 array `open` of shape (n, 2*height+1, 2*width+1): 1 where a
walker may stand, 0 for wall. The outer frame is always wall, so no kernel checks bounds. Positions are flat character
indices, `row * columns + column`. Moves are 0-3 in the order of `MOVES`, "UDLR"; where several shortest moves exist
the first in that order is taken, here and in `ascii_maze.maze` alike.

Randomness comes only from the uint64 key of each maze (see `item_keys`), advanced by SplitMix64 (Steele et al., "Fast
splittable pseudorandom number generators", OOPSLA 2014). A maze is therefore a pure function of its key: batches may
be cut anywhere and carved by any number of workers.
"""

import hashlib

import numpy as np
from numba import njit


def item_keys(seed: int, generator: str, width: int, height: int, indices: np.ndarray) -> np.ndarray:
    """Random keys of items of an endless sequence: a hash of (seed, generator, size, index).

    Args:
        indices: integers (n,), not negative.

    Returns:
        uint64 (n,). The keys of two seeds, generators or sizes share no arithmetic relation.
    """
    stream = f"{seed}/{generator}/{width}x{height}".encode()
    base = np.frombuffer(hashlib.blake2b(stream, digest_size=16).digest(), dtype="<u8")
    return _mix(_mix(np.asarray(indices).astype(np.uint64) + base[0]) ^ base[1])


@njit(cache=True)
def _mix(z):
    """Finaliser of SplitMix64, a bijection of uint64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def _next(state):
    return state + np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def _below(state, bound):
    """A number in [0, bound) from an advanced state, by multiply-shift on the high 32 bits."""
    return np.int64(((_mix(state) >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32))


@njit(cache=True, nogil=True)
def carve_depth_first(keys, height, width):
    """Perfect mazes by randomised depth-first search (the recursive backtracker): few junctions, long corridors.

    Args:
        keys: uint64 (n,), from `item_keys`.
        height, width: size in cells.

    Returns:
        `open`, uint8 (n, 2*height+1, 2*width+1).
    """
    rows, columns = 2 * height + 1, 2 * width + 1
    open_ = np.zeros((len(keys), rows * columns), dtype=np.uint8)
    steps = np.array([-columns, columns, -1, 1], dtype=np.int64)
    stack = np.empty(height * width, dtype=np.int64)
    choices = np.empty(4, dtype=np.int64)
    # Cells on the lattice's rim have neighbours outside the array or on its frame; `inside` rules those out.
    inside = np.zeros((rows + 4) * columns, dtype=np.uint8)
    for row in range(height):
        for column in range(width):
            inside[(2 * row + 1) * columns + 2 * column + 1] = 1
    for item in range(len(keys)):
        grid = open_[item]
        state = _next(keys[item])
        cell = _below(state, height * width)
        here = (2 * (cell // width) + 1) * columns + 2 * (cell % width) + 1
        grid[here] = 1
        stack[0] = here
        depth = 1
        while depth > 0:
            here = stack[depth - 1]
            found = 0
            for move in range(4):
                there = here + 2 * steps[move]
                if there >= 0 and inside[there] == 1 and grid[there] == 0:
                    choices[found] = steps[move]
                    found += 1
            if found == 0:
                depth -= 1
                continue
            step = choices[0]
            if found > 1:
                state = _next(state)
                step = choices[_below(state, found)]
            grid[here + step] = 1
            grid[here + 2 * step] = 1
            stack[depth] = here + 2 * step
            depth += 1
    return open_.reshape((len(keys), rows, columns))


@njit(cache=True, nogil=True)
def place_random(keys, height, width):
    """Start and goal of each maze: two different cells, uniformly at random.

    Returns:
        int32 (n, 2): flat character indices of start and goal.
    """
    ends = np.empty((len(keys), 2), dtype=np.int32)
    columns = 2 * width + 1
    for item in range(len(keys)):
        # A second stream of the same key, so that carving and placing never share numbers.
        state = _next(keys[item] ^ np.uint64(0xD1B54A32D192ED03))
        start = _below(state, height * width)
        state = _next(state)
        goal = _below(state, height * width - 1)
        if goal >= start:
            goal += 1
        ends[item, 0] = (2 * (start // width) + 1) * columns + 2 * (start % width) + 1
        ends[item, 1] = (2 * (goal // width) + 1) * columns + 2 * (goal % width) + 1
    return ends


@njit(cache=True, nogil=True)
def _distances_into(grid, columns, source, distance, queue):
    steps = np.array([-columns, columns, -1, 1], dtype=np.int64)
    distance[:] = -1
    distance[source] = 0
    queue[0] = source
    head, tail = 0, 1
    while head < tail:
        here = queue[head]
        head += 1
        for move in range(4):
            there = here + steps[move]
            if grid[there] == 1 and distance[there] < 0:
                distance[there] = distance[here] + 1
                queue[tail] = there
                tail += 1


@njit(cache=True, nogil=True)
def solve(open_, ends):
    """Shortest paths from start to goal, by breadth-first search from the goal.

    Args:
        open_: uint8 (n, rows, columns).
        ends: int32 (n, 2), start and goal.

    Returns:
        letters: uint8, the ASCII letters of all paths one after the other.
        offsets: int64 (n + 1,), where each path begins and ends in `letters`; an unreachable goal has an empty path.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    steps = np.array([-columns, columns, -1, 1], dtype=np.int64)
    names = np.array([85, 68, 76, 82], dtype=np.uint8)  # U D L R
    distance = np.empty(rows * columns, dtype=np.int32)
    queue = np.empty(rows * columns, dtype=np.int32)
    letters = np.empty(64 * count + rows * columns, dtype=np.uint8)
    offsets = np.zeros(count + 1, dtype=np.int64)
    for item in range(count):
        grid = flat[item]
        _distances_into(grid, columns, ends[item, 1], distance, queue)
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
                    letters[position] = names[move]
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
def facts(open_, ends):
    """Facts of each maze in the order of `ascii_maze.maze.FACTS`: path length, turns, junctions, dead ends.

    Returns:
        int32 (n, 4). Junctions are open positions with three or more open neighbours, dead ends those with one; an
        unreachable goal has path length -1.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    letters, offsets = solve(open_, ends)
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
def canonicalise(text, rows, columns):
    """The canonical form of each maze: the least of its rotations and reflections, with start and goal as drawn or
    swapped.

    Mazes that are one another turned, mirrored or walked backwards share it; a tall orientation (fewer columns than
    rows) comes before a wide one, and equal shapes are compared as text. See `ascii_maze.maze.Maze.canonical` for the
    same on any map.

    Args:
        text: uint8 (n, rows * (columns + 1) - 1), from `render`.

    Returns:
        uint8 of the same shape.
    """
    count = len(text)
    narrow = min(rows, columns)
    long = max(rows, columns)
    out = np.empty((count, long * (narrow + 1) - 1), dtype=np.uint8)
    candidate = np.empty(long * (narrow + 1) - 1, dtype=np.uint8)
    for item in range(count):
        first = True
        for symmetry in range(8):
            transpose, flip_rows, flip_columns = symmetry & 4, symmetry & 2, symmetry & 1
            if (columns > rows and not transpose) or (columns < rows and transpose):
                continue
            for swap in range(2):
                for row in range(long):
                    for column in range(narrow):
                        r, c = (column, row) if transpose else (row, column)
                        r = rows - 1 - r if flip_rows else r
                        c = columns - 1 - c if flip_columns else c
                        code = text[item, r * (columns + 1) + c]
                        if swap and code == 83:
                            code = 71
                        elif swap and code == 71:
                            code = 83
                        candidate[row * (narrow + 1) + column] = code
                    if row + 1 < long:
                        candidate[row * (narrow + 1) + narrow] = 10
                less = first
                if not first:
                    for k in range(len(candidate)):
                        if candidate[k] != out[item, k]:
                            less = candidate[k] < out[item, k]
                            break
                if less:
                    out[item] = candidate
                    first = False
    return out
