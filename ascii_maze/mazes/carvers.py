"""Numba kernels that carve *perfect* mazes: one algorithm each, with its reference.

Every `carve_NAME(keys, height, width)` takes uint64 keys (n,) from `kernels.item_keys` and a size in cells; it returns
`open`, uint8 (n, 2*height+1, 2*width+1); see `kernels` for the conventions. In a perfect maze the open passages are a
spanning tree of the lattice, so there is exactly one path between any two cells; `loops` has other carvers.

Cells are numbered row by row; cell (row, column) is the character (2*row+1, 2*column+1). All algorithms are
described under these names in J. Buck, "Mazes for Programmers", Pragmatic Bookshelf 2015.
"""

import numpy as np
from numba import njit

from .kernels import advance, below
from .lattice import edges_of, lattice, link, root, shaped, solid, which


@njit(cache=True, nogil=True)
def carve_depth_first(keys, height, width):
    """Randomised depth-first search, the recursive backtracker (Tarjan, SIAM J. Comput. 1972): long corridors, few
    junctions.
    """
    rows, columns = 2 * height + 1, 2 * width + 1
    open_ = np.zeros((len(keys), rows * columns), dtype=np.uint8)
    steps = np.array([-columns, columns, -1, 1], dtype=np.int64)
    stack = np.empty(height * width, dtype=np.int64)
    choices = np.empty(4, dtype=np.int64)
    # Cells on the border have neighbours outside the array or on its frame; `inside` excludes those.
    inside = np.zeros((rows + 4) * columns, dtype=np.uint8)
    for row in range(height):
        for column in range(width):
            inside[(2 * row + 1) * columns + 2 * column + 1] = 1
    for item in range(len(keys)):
        grid = open_[item]
        state = advance(keys[item])
        cell = below(state, height * width)
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
                state = advance(state)
                step = choices[below(state, found)]
            grid[here + step] = 1
            grid[here + 2 * step] = 1
            stack[depth] = here + 2 * step
            depth += 1
    return open_.reshape((len(keys), rows, columns))


@njit(cache=True, nogil=True)
def carve_prim(keys, height, width):
    """Randomised Prim (R. C. Prim, Bell Syst. Tech. J. 1957; V. Jarnik 1930): grow one tree by a random edge of its
    frontier; many short dead ends.
    """
    places, near, ways = lattice(height, width)
    open_ = solid(len(keys), places, height, width)
    cells = height * width
    inner, outer = np.empty(4 * cells, dtype=np.int32), np.empty(4 * cells, dtype=np.int32)
    for item in range(len(keys)):
        state = advance(keys[item])
        visited = np.zeros(cells, dtype=np.uint8)
        cell = below(state, cells)
        size, joined = 0, 1
        while True:
            visited[cell] = 1
            for k in range(ways[cell]):
                if visited[near[cell, k]] == 0:
                    inner[size], outer[size] = cell, near[cell, k]
                    size += 1
            if joined == cells:
                break
            while True:  # drop edges whose far end has been reached since
                state = advance(state)
                pick = below(state, size)
                grown, cell = inner[pick], np.int64(outer[pick])
                size -= 1
                inner[pick], outer[pick] = inner[size], outer[size]
                if visited[cell] == 0:
                    break
            link(open_[item], places, grown, cell)
            joined += 1
    return shaped(open_, height, width)


@njit(cache=True, nogil=True)
def carve_kruskal(keys, height, width):
    """Randomised Kruskal (J. B. Kruskal, Proc. AMS 1956): edges in random order, kept unless they close a cycle."""
    places, _, _ = lattice(height, width)
    open_ = solid(len(keys), places, height, width)
    edges = edges_of(places, height, width)
    cells = height * width
    singles = np.arange(cells).astype(np.int32)
    parents = np.empty_like(singles)
    order = np.empty(len(edges), dtype=np.int32)
    for item in range(len(keys)):
        grid = open_[item]
        state = advance(keys[item])
        for k in range(len(edges)):
            order[k] = k
        parents[:] = singles
        missing, position = cells - 1, 0
        while missing > 0:  # a Fisher-Yates shuffle, only as far as needed
            state = advance(state)
            pick = position + below(state, len(edges) - position)
            edge = order[pick]
            order[pick] = order[position]
            position += 1
            one, two = root(parents, edges[edge, 0]), root(parents, edges[edge, 1])
            if one != two:
                parents[one] = two
                grid[edges[edge, 2]] = 1
                missing -= 1
    return shaped(open_, height, width)


@njit(cache=True, nogil=True)
def carve_wilson(keys, height, width):
    """Wilson's algorithm (D. B. Wilson, STOC 1996): loop-erased random walks; all spanning trees equally likely."""
    places, near, ways = lattice(height, width)
    open_ = solid(len(keys), places, height, width)
    cells = height * width
    # The neighbour to which the walk last left each cell; following these from the walk's start erases the loops.
    onward = np.empty(cells, dtype=np.int32)
    for item in range(len(keys)):
        state = advance(keys[item])
        visited = np.zeros(cells, dtype=np.uint8)
        visited[below(state, cells)] = 1
        for start in range(cells):
            cell = start
            while visited[cell] == 0:
                state = advance(state)
                onward[cell] = near[cell, below(state, ways[cell])]
                cell = onward[cell]
            cell = start
            while visited[cell] == 0:
                visited[cell] = 1
                link(open_[item], places, cell, onward[cell])
                cell = onward[cell]
    return shaped(open_, height, width)


@njit(cache=True, nogil=True)
def carve_aldous_broder(keys, height, width):
    """Aldous-Broder (D. Aldous, SIAM J. Discrete Math. 1990; A. Broder, FOCS 1989): a random walk until every
    cell is visited, keeping the edge by which each is first entered; every spanning tree is equally likely.
    """
    places, near, ways = lattice(height, width)
    open_ = solid(len(keys), places, height, width)
    cells = height * width
    for item in range(len(keys)):
        state = advance(keys[item])
        visited = np.zeros(cells, dtype=np.uint8)
        cell = below(state, cells)
        visited[cell] = 1
        missing = cells - 1
        while missing > 0:
            state = advance(state)
            there = np.int64(near[cell, below(state, ways[cell])])
            if visited[there] == 0:
                visited[there] = 1
                link(open_[item], places, cell, there)
                missing -= 1
            cell = there
    return shaped(open_, height, width)


@njit(cache=True, nogil=True)
def carve_hunt_and_kill(keys, height, width):
    """Hunt and kill (W. D. Pullen, "Think Labyrinth", 1996): walk at random until stuck, then scan row by row for an
    unvisited cell beside the maze and continue from there; few dead ends.
    """
    places, near, ways = lattice(height, width)
    open_ = solid(len(keys), places, height, width)
    cells = height * width
    choices = np.empty(4, dtype=np.int32)
    for item in range(len(keys)):
        state = advance(keys[item])
        visited = np.zeros(cells, dtype=np.uint8)
        cell = below(state, cells)
        visited[cell] = 1
        hunted = 0  # every cell before it is visited
        while cell >= 0:
            found = which(near[cell], ways[cell], visited, 0, choices)
            if found > 0:
                state = advance(state)
                there = np.int64(choices[below(state, found)])
                link(open_[item], places, cell, there)
                visited[there] = 1
                cell = there
                continue
            cell = -1
            while hunted < cells and visited[hunted]:
                hunted += 1
            for prey in range(hunted, cells):
                if visited[prey] == 0:
                    found = which(near[prey], ways[prey], visited, 1, choices)
                    if found > 0:
                        state = advance(state)
                        link(open_[item], places, prey, choices[below(state, found)])
                        visited[prey] = 1
                        cell = prey
                        break
    return shaped(open_, height, width)


@njit(cache=True, nogil=True)
def carve_recursive_division(keys, height, width):
    """Recursive division (Pullen, "Think Labyrinth", 1996): split an open field by a wall with one gap across its
    longer side, then each half in turn; long straight walls.
    """
    open_ = np.zeros((len(keys), 2 * height + 1, 2 * width + 1), dtype=np.uint8)
    fields = np.empty((height * width + 1, 4), dtype=np.int64)
    for item in range(len(keys)):
        grid = open_[item]
        grid[1:-1, 1:-1] = 1
        state = advance(keys[item])
        fields[0] = (0, 0, height, width)
        waiting = 1
        while waiting > 0:
            waiting -= 1
            row, column, tall, wide = fields[waiting]
            if tall == 1 or wide == 1:
                continue
            state = advance(state)
            across = tall > wide or (tall == wide and below(state, 2) == 0)
            state = advance(state)
            if across:
                cut = 1 + below(state, tall - 1)
                state = advance(state)
                gap = 2 * (column + below(state, wide)) + 1
                wall = 2 * (row + cut)
                for place in range(2 * column + 1, 2 * (column + wide)):
                    grid[wall, place] = place == gap
                fields[waiting] = (row, column, cut, wide)
                fields[waiting + 1] = (row + cut, column, tall - cut, wide)
            else:
                cut = 1 + below(state, wide - 1)
                state = advance(state)
                gap = 2 * (row + below(state, tall)) + 1
                wall = 2 * (column + cut)
                for place in range(2 * row + 1, 2 * (row + tall)):
                    grid[place, wall] = place == gap
                fields[waiting] = (row, column, tall, cut)
                fields[waiting + 1] = (row, column + cut, tall, wide - cut)
            waiting += 2
    return open_


@njit(cache=True, nogil=True)
def carve_binary_tree(keys, height, width):
    """Binary tree (Buck 2015, chapter 2): each cell opens up or left at random; two corridors along the border."""
    places, _, _ = lattice(height, width)
    open_ = solid(len(keys), places, height, width)
    for item in range(len(keys)):
        state = advance(keys[item])
        for row in range(height):
            for column in range(width):
                cell = row * width + column
                up = column == 0
                if row > 0 and column > 0:
                    state = advance(state)
                    up = below(state, 2) == 0
                if cell > 0:
                    link(open_[item], places, cell - width if up else cell - 1, cell)
    return shaped(open_, height, width)


@njit(cache=True, nogil=True)
def carve_sidewinder(keys, height, width):
    """Sidewinder (Buck 2015, chapter 2): rows are cut into random runs, each opens up once; one straight corridor."""
    places, _, _ = lattice(height, width)
    open_ = solid(len(keys), places, height, width)
    for item in range(len(keys)):
        state = advance(keys[item])
        for row in range(height):
            first = row * width
            for cell in range(row * width, (row + 1) * width):
                closes = cell == (row + 1) * width - 1
                if row > 0 and not closes:
                    state = advance(state)
                    closes = below(state, 2) == 0
                if not closes:
                    link(open_[item], places, cell, cell + 1)
                elif row > 0:
                    state = advance(state)
                    exit_ = first + below(state, cell + 1 - first)
                    link(open_[item], places, exit_ - width, exit_)
                    first = cell + 1
    return shaped(open_, height, width)
