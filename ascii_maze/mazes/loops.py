"""Numba kernels for mazes with loops: two more carvers, with the same arguments as `carvers`, and `braid`, which opens
dead ends in any maze.
"""

import numpy as np
from numba import njit

from .carvers import carve_depth_first
from .kernels import advance, below
from .lattice import chance, edges_of, lattice, link, root, shaped, solid

# Probability that percolation opens a passage; the critical probability of the square lattice is 1/2.
PERCOLATION_SHARE = 0.6


@njit(cache=True, nogil=True)
def carve_percolation(keys, height, width):
    """Bond percolation (Broadbent and Hammersley, Proc. Camb. Phil. Soc. 1957): each passage is open with
    probability `PERCOLATION_SHARE`; the largest connected component is kept, the rest is wall. Has loops, and not
    every cell is open.
    """
    places, near, ways = lattice(height, width)
    open_ = solid(len(keys), places, height, width)
    edges = edges_of(places, height, width)
    cells = height * width
    singles = np.arange(cells).astype(np.int32)
    parents = np.empty_like(singles)
    for item in range(len(keys)):
        grid = open_[item]
        state = advance(keys[item])
        parents[:] = singles
        opened = 0
        while opened == 0:
            for edge in range(len(edges)):
                state = advance(state)
                if chance(state, PERCOLATION_SHARE):
                    grid[edges[edge, 2]] = 1
                    parents[root(parents, edges[edge, 0])] = root(parents, edges[edge, 1])
                    opened += 1
        sizes = np.zeros(cells, dtype=np.int32)
        for cell in range(cells):
            sizes[root(parents, cell)] += 1
        largest = np.argmax(sizes)
        for cell in range(cells):
            if root(parents, cell) != largest:
                grid[places[cell]] = 0
                for k in range(ways[cell]):
                    grid[(places[cell] + places[near[cell, k]]) >> 1] = 0
    return shaped(open_, height, width)


@njit(cache=True, nogil=True)
def carve_open_rooms(keys, height, width):
    """Rooms and mazes (R. Nystrom, "Rooms and Mazes", 2014): a depth-first maze with rectangular rooms cut into it,
    2 to 4 cells a side, one per 12 cells. Open ground, loops, several shortest paths.
    """
    open_ = carve_depth_first(keys, height, width)
    for item in range(len(keys)):
        # A second stream of the same key, so that the maze under the rooms is that of `carve_depth_first`.
        state = advance(keys[item] ^ np.uint64(0x8CB92BA72F3D8DD7))
        for _ in range(max(1, height * width // 12)):
            state = advance(state)
            tall = min(height, 2 + below(state, 3))
            state = advance(state)
            wide = min(width, 2 + below(state, 3))
            state = advance(state)
            row = below(state, height - tall + 1)
            state = advance(state)
            column = below(state, width - wide + 1)
            open_[item, 2 * row + 1 : 2 * (row + tall), 2 * column + 1 : 2 * (column + wide)] = 1
    return open_


@njit(cache=True, nogil=True)
def braid(keys, open_, share):
    """Open dead ends in place: each gets, with probability `share`, a second exit to a random open neighbour.

    Args:
        open_: uint8 (n, rows, columns).
        share: of the dead ends, 0-1. At 1 every dead end that can be opened is.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    places, near, ways = lattice(rows // 2, columns // 2)
    choices = np.empty(4, dtype=np.int32)
    for item in range(count):
        grid = flat[item]
        state = advance(keys[item] ^ np.uint64(0x2545F4914F6CDD1D))
        for cell in range(len(places)):
            if grid[places[cell]] == 0:
                continue
            open_ways, found = 0, 0
            for k in range(ways[cell]):
                there = near[cell, k]
                if grid[(places[cell] + places[there]) >> 1] == 1:
                    open_ways += 1
                elif grid[places[there]] == 1:
                    choices[found] = there
                    found += 1
            if open_ways != 1:
                continue
            state = advance(state)
            if chance(state, share) and found > 0:
                state = advance(state)
                link(grid, places, cell, choices[below(state, found)])
