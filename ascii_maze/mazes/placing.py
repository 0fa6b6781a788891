"""Numba kernels that place start and goal in batches of lattice mazes; see `kernels` for the conventions."""

import numpy as np
from numba import njit

from .kernels import advance, below, distances_into


@njit(cache=True, nogil=True)
def place_random(keys, open_):
    """Start and goal of each maze: two different open cells, uniformly at random.

    Args:
        open_: uint8 (n, rows, columns), with at least two open cells each.

    Returns:
        int32 (n, 2): flat character indices of start and goal.
    """
    count = len(open_)
    ends = np.empty((count, 2), dtype=np.int32)
    for item in range(count):
        cells = _open_cells(open_[item])
        # A second stream of the same key, so that carving and placing never share numbers.
        state = advance(keys[item] ^ np.uint64(0xD1B54A32D192ED03))
        start = below(state, len(cells))
        state = advance(state)
        goal = below(state, len(cells) - 1)
        if goal >= start:
            goal += 1
        ends[item, 0] = cells[start]
        ends[item, 1] = cells[goal]
    return ends


@njit(cache=True, nogil=True)
def place_far(keys, open_):
    """Start and goal far apart: the cell farthest from a random one, and the cell farthest from that.

    In a perfect maze no two cells are farther apart (Bulterman et al., "On computing a longest path in a tree",
    Inf. Process. Lett. 2002). Arguments and result as in `place_random`.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    ends = np.empty((count, 2), dtype=np.int32)
    distance = np.empty(rows * columns, dtype=np.int32)
    queue = np.empty(rows * columns, dtype=np.int32)
    for item in range(count):
        cells = _open_cells(open_[item])
        state = advance(keys[item] ^ np.uint64(0xD1B54A32D192ED03))
        end = cells[below(state, len(cells))]
        for k in range(2):
            distances_into(flat[item], columns, end, distance, queue)
            for cell in cells:
                if distance[cell] > distance[end]:
                    end = cell
            ends[item, k] = end
        state = advance(state)
        if below(state, 2):
            ends[item, 0], ends[item, 1] = ends[item, 1], ends[item, 0]
    return ends


@njit(cache=True, nogil=True)
def place_corners(keys, open_):
    """Start and goal in opposite corners, or the open cells nearest to them; the key decides which corners.

    Arguments and result as in `place_random`.
    """
    count, rows, columns = open_.shape
    ends = np.empty((count, 2), dtype=np.int32)
    for item in range(count):
        cells = _open_cells(open_[item])
        state = advance(keys[item] ^ np.uint64(0xD1B54A32D192ED03))
        corner = below(state, 4)
        for k in range(2):
            row, column = (rows - 1) * (corner >> 1), (columns - 1) * (corner & 1)
            best = np.int32(-1)
            for cell in cells:
                if k == 1 and cell == ends[item, 0]:
                    continue
                far = abs(cell // columns - row) + abs(cell % columns - column)
                if best < 0 or far < abs(best // columns - row) + abs(best % columns - column):
                    best = cell
            ends[item, k] = best
            corner = 3 - corner
    return ends


@njit(cache=True)
def _open_cells(grid):
    """Flat positions of the open cells of one maze, row by row, int32."""
    rows, columns = grid.shape
    cells = np.empty((rows // 2) * (columns // 2), dtype=np.int32)
    found = 0
    for row in range(1, rows, 2):
        for column in range(1, columns, 2):
            if grid[row, column]:
                cells[found] = row * columns + column
                found += 1
    return cells[:found]
