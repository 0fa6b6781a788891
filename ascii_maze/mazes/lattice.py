"""Shared kernels of the carvers: the lattice of cells, walls between neighbours, sets of cells."""

import numpy as np
from numba import njit

from .kernels import mix


@njit(cache=True)
def solid(count, places, height, width):
    """Maps with every cell open and every passage walled, uint8 (n, characters)."""
    open_ = np.zeros((count, (2 * height + 1) * (2 * width + 1)), dtype=np.uint8)
    for item in range(count):
        for place in places:
            open_[item, place] = 1
    return open_


@njit(cache=True)
def shaped(open_, height, width):
    """The maps reshaped to (n, rows, columns)."""
    return open_.reshape((len(open_), 2 * height + 1, 2 * width + 1))


@njit(cache=True)
def lattice(height, width):
    """The lattice of cells, computed once per batch so that the inner loops need no divisions.

    Returns:
        places: int32 (cells,), index of each cell's character; the wall between two cells is at the mean of theirs.
        near: int32 (cells, 4), the neighbours of each cell: up, down, left, right, without missing ones.
        ways: int32 (cells,), the number of neighbours.
    """
    cells = height * width
    places = np.empty(cells, dtype=np.int32)
    near = np.empty((cells, 4), dtype=np.int32)
    ways = np.zeros(cells, dtype=np.int32)
    for cell in range(cells):
        row, column = cell // width, cell % width
        places[cell] = (2 * row + 1) * (2 * width + 1) + 2 * column + 1
        for there, exists in (
            (cell - width, row > 0),
            (cell + width, row < height - 1),
            (cell - 1, column > 0),
            (cell + 1, column < width - 1),
        ):
            if exists:
                near[cell, ways[cell]] = there
                ways[cell] += 1
    return places, near, ways


@njit(cache=True)
def link(grid, places, one, two):
    """Open the wall between two neighbouring cells."""
    grid[(places[one] + places[two]) >> 1] = 1


@njit(cache=True)
def which(near, ways, visited, wanted, out):
    """Write the neighbours of a cell whose flag is `wanted` to `out`; returns their number."""
    found = 0
    for k in range(ways):
        if visited[near[k]] == wanted:
            out[found] = near[k]
            found += 1
    return found


@njit(cache=True)
def edges_of(places, height, width):
    """All pairs of neighbouring cells and the index of the wall between them, int32 (2*h*w - h - w, 3)."""
    edges = np.empty((2 * height * width - height - width, 3), dtype=np.int32)
    found = 0
    for cell in range(height * width):
        for there, exists in ((cell + 1, cell % width < width - 1), (cell + width, cell // width < height - 1)):
            if exists:
                edges[found] = (cell, there, (places[cell] + places[there]) >> 1)
                found += 1
    return edges


@njit(cache=True)
def root(parents, cell):
    """The representative of a cell's set, with path halving (Tarjan and van Leeuwen, JACM 1984)."""
    while parents[cell] != cell:
        parents[cell] = parents[parents[cell]]
        cell = parents[cell]
    return cell


@njit(cache=True)
def chance(state, probability):
    """True with the given probability (0-1), from an advanced state."""
    return (mix(state) >> np.uint64(11)) * 2.0**-53 < probability
