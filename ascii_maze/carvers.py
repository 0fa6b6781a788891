"""Numba kernels that carve mazes: one algorithm each, with its reference.

Every `carve_NAME(keys, height, width)` takes uint64 keys (n,) from `kernels.item_keys` and a size in cells; it returns
`open`, uint8 (n, 2*height+1, 2*width+1); see `kernels` for the conventions. All but `percolation` and `open_rooms`
carve *perfect* mazes: the open passages are a spanning tree of the lattice, so that there is one path between any two
cells. `braid` afterwards opens dead ends of any of them, which makes loops.

Cells are numbered row by row; cell (row, column) is the character (2*row+1, 2*column+1). The algorithms by their usual
names are collected in J. Buck, "Mazes for Programmers", Pragmatic Bookshelf 2015.
"""

import numpy as np
from numba import njit

from .kernels import advance, below, mix

# Share of the passages that percolation opens; the critical share of the square lattice is 1/2.
PERCOLATION_SHARE = 0.6


@njit(cache=True)
def _solid(count, height, width):
    """Every cell open, every passage walled."""
    open_ = np.zeros((count, 2 * height + 1, 2 * width + 1), dtype=np.uint8)
    open_[:, 1::2, 1::2] = 1
    return open_


@njit(cache=True)
def _link(grid, one, two, width):
    """Open the wall between two neighbouring cells."""
    grid[one // width + two // width + 1, one % width + two % width + 1] = 1


@njit(cache=True)
def _neighbours(cell, height, width, out):
    """Write the neighbours of a cell on the lattice, up, down, left, right, into `out`; returns how many there are."""
    row, column = cell // width, cell % width
    found = 0
    if row > 0:
        out[found] = cell - width
        found += 1
    if row < height - 1:
        out[found] = cell + width
        found += 1
    if column > 0:
        out[found] = cell - 1
        found += 1
    if column < width - 1:
        out[found] = cell + 1
        found += 1
    return found


@njit(cache=True)
def _keep(cells, found, flags, wanted):
    """Drop those of `cells[:found]` whose flag is not `wanted`; returns how many are left."""
    kept = 0
    for k in range(found):
        if flags[cells[k]] == wanted:
            cells[kept] = cells[k]
            kept += 1
    return kept


@njit(cache=True)
def _edges(height, width):
    """All pairs of neighbouring cells, int64 (2*h*w - h - w, 2)."""
    edges = np.empty((2 * height * width - height - width, 2), dtype=np.int64)
    found = 0
    for cell in range(height * width):
        if cell % width < width - 1:
            edges[found] = (cell, cell + 1)
            found += 1
        if cell // width < height - 1:
            edges[found] = (cell, cell + width)
            found += 1
    return edges


@njit(cache=True)
def _root(parents, cell):
    """The representative of a cell's set, halving the path to it (Tarjan and van Leeuwen, JACM 1984)."""
    while parents[cell] != cell:
        parents[cell] = parents[parents[cell]]
        cell = parents[cell]
    return cell


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
    # Cells on the lattice's rim have neighbours outside the array or on its frame; `inside` rules those out.
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
    open_ = _solid(len(keys), height, width)
    cells = height * width
    near = np.empty(4, dtype=np.int64)
    frontier = np.empty((4 * cells, 2), dtype=np.int64)
    for item in range(len(keys)):
        state = advance(keys[item])
        visited = np.zeros(cells, dtype=np.uint8)
        cell = below(state, cells)
        size, joined = 0, 1
        while True:
            visited[cell] = 1
            for k in range(_keep(near, _neighbours(cell, height, width, near), visited, 0)):
                frontier[size] = (cell, near[k])
                size += 1
            if joined == cells:
                break
            while True:  # an edge whose far end has been reached otherwise is dropped
                state = advance(state)
                pick = below(state, size)
                inner, cell = frontier[pick]
                size -= 1
                frontier[pick] = frontier[size]
                if visited[cell] == 0:
                    break
            _link(open_[item], inner, cell, width)
            joined += 1
    return open_


@njit(cache=True, nogil=True)
def carve_kruskal(keys, height, width):
    """Randomised Kruskal (J. B. Kruskal, Proc. AMS 1956): edges in random order, each kept unless it closes a loop."""
    open_ = _solid(len(keys), height, width)
    edges = _edges(height, width)
    cells = height * width
    parents = np.empty(cells, dtype=np.int64)
    for item in range(len(keys)):
        state = advance(keys[item])
        order = np.arange(len(edges))
        parents[:] = np.arange(cells)
        missing, position = cells - 1, 0
        while missing > 0:  # a Fisher-Yates shuffle, as far as it is needed
            state = advance(state)
            pick = position + below(state, len(edges) - position)
            order[position], order[pick] = order[pick], order[position]
            one, two = edges[order[position]]
            position += 1
            root_one, root_two = _root(parents, one), _root(parents, two)
            if root_one != root_two:
                parents[root_one] = root_two
                _link(open_[item], one, two, width)
                missing -= 1
    return open_


@njit(cache=True, nogil=True)
def carve_wilson(keys, height, width):
    """Wilson's algorithm (D. B. Wilson, STOC 1996): loop-erased random walks; every spanning tree equally likely."""
    open_ = _solid(len(keys), height, width)
    cells = height * width
    near = np.empty(4, dtype=np.int64)
    # Where the walk last left each cell for: following it from the walk's start erases the loops.
    onward = np.empty(cells, dtype=np.int64)
    for item in range(len(keys)):
        state = advance(keys[item])
        visited = np.zeros(cells, dtype=np.uint8)
        visited[below(state, cells)] = 1
        for start in range(cells):
            cell = start
            while visited[cell] == 0:
                found = _neighbours(cell, height, width, near)
                state = advance(state)
                onward[cell] = near[below(state, found)]
                cell = onward[cell]
            cell = start
            while visited[cell] == 0:
                visited[cell] = 1
                _link(open_[item], cell, onward[cell], width)
                cell = onward[cell]
    return open_


@njit(cache=True, nogil=True)
def carve_aldous_broder(keys, height, width):
    """Aldous-Broder (D. Aldous, SIAM J. Discrete Math. 1990; A. Broder, FOCS 1989): a random walk until it has been
    everywhere, keeping each cell's first entrance; every spanning tree equally likely.
    """
    open_ = _solid(len(keys), height, width)
    cells = height * width
    near = np.empty(4, dtype=np.int64)
    for item in range(len(keys)):
        state = advance(keys[item])
        visited = np.zeros(cells, dtype=np.uint8)
        cell = below(state, cells)
        visited[cell] = 1
        missing = cells - 1
        while missing > 0:
            found = _neighbours(cell, height, width, near)
            state = advance(state)
            there = near[below(state, found)]
            if visited[there] == 0:
                visited[there] = 1
                _link(open_[item], cell, there, width)
                missing -= 1
            cell = there
    return open_


@njit(cache=True, nogil=True)
def carve_hunt_and_kill(keys, height, width):
    """Hunt and kill (W. D. Pullen, "Think Labyrinth", 1996): walk at random until stuck, then scan row by row for an
    unvisited cell beside the maze and walk on from there; few dead ends.
    """
    open_ = _solid(len(keys), height, width)
    cells = height * width
    near = np.empty(4, dtype=np.int64)
    for item in range(len(keys)):
        state = advance(keys[item])
        visited = np.zeros(cells, dtype=np.uint8)
        cell = below(state, cells)
        visited[cell] = 1
        hunted = 0  # no cell before it is unvisited beside the maze
        while cell >= 0:
            found = _keep(near, _neighbours(cell, height, width, near), visited, 0)
            if found > 0:
                state = advance(state)
                there = near[below(state, found)]
                _link(open_[item], cell, there, width)
                visited[there] = 1
                cell = there
                continue
            cell = -1
            while hunted < cells and visited[hunted]:
                hunted += 1
            for prey in range(hunted, cells):
                if visited[prey] == 0:
                    found = _keep(near, _neighbours(prey, height, width, near), visited, 1)
                    if found > 0:
                        state = advance(state)
                        _link(open_[item], prey, near[below(state, found)], width)
                        visited[prey] = 1
                        cell = prey
                        break
    return open_


@njit(cache=True, nogil=True)
def carve_recursive_division(keys, height, width):
    """Recursive division (Pullen, "Think Labyrinth", 1996): split an open field by a wall with one gap, across its
    longer side, and each half again; long straight walls.
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
    """Binary tree (Buck 2015, chapter 2): each cell opens up or left, by a coin; two clear corridors along the rim."""
    open_ = _solid(len(keys), height, width)
    for item in range(len(keys)):
        state = advance(keys[item])
        for cell in range(1, height * width):
            up = cell % width == 0
            if not up and cell >= width:
                state = advance(state)
                up = below(state, 2) == 0
            _link(open_[item], cell - width if up else cell - 1, cell, width)
    return open_


@njit(cache=True, nogil=True)
def carve_sidewinder(keys, height, width):
    """Sidewinder (Buck 2015, chapter 2): rows fall into runs by coins, each run opens up once; one clear corridor."""
    open_ = _solid(len(keys), height, width)
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
                    _link(open_[item], cell, cell + 1, width)
                elif row > 0:
                    state = advance(state)
                    exit_ = first + below(state, cell + 1 - first)
                    _link(open_[item], exit_ - width, exit_, width)
                    first = cell + 1
    return open_


@njit(cache=True, nogil=True)
def carve_percolation(keys, height, width):
    """Bond percolation (Broadbent and Hammersley, Proc. Camb. Phil. Soc. 1957): each passage open by chance
    (`PERCOLATION_SHARE`); of what comes out the largest connected part is kept, the rest is wall. Loops and blind
    regions; not every cell is open.
    """
    open_ = _solid(len(keys), height, width)
    edges = _edges(height, width)
    cells = height * width
    parents = np.empty(cells, dtype=np.int64)
    for item in range(len(keys)):
        grid = open_[item]
        state = advance(keys[item])
        largest = -1
        while largest < 0:  # until any passage is open
            parents[:] = np.arange(cells)
            for edge in range(len(edges)):
                one, two = edges[edge]
                state = advance(state)
                if _chance(state, PERCOLATION_SHARE):
                    _link(grid, one, two, width)
                    parents[_root(parents, one)] = _root(parents, two)
                    largest = 0
        sizes = np.zeros(cells, dtype=np.int64)
        for cell in range(cells):
            sizes[_root(parents, cell)] += 1
        largest = np.argmax(sizes)
        for cell in range(cells):
            if _root(parents, cell) != largest:
                row, column = 2 * (cell // width) + 1, 2 * (cell % width) + 1
                grid[row - 1 : row + 2, column] = 0
                grid[row, column - 1 : column + 2] = 0
    return open_


@njit(cache=True, nogil=True)
def carve_open_rooms(keys, height, width):
    """Rooms and mazes (R. Nystrom, "Rooms and Mazes", 2014): a depth-first maze with rectangular rooms cleared in it,
    2 to 4 cells a side, one for every 12 cells. Open ground, loops, many shortest paths.
    """
    open_ = carve_depth_first(keys, height, width)
    for item in range(len(keys)):
        # A second stream of the same key: the maze under the rooms is that of `carve_depth_first`.
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


@njit(cache=True)
def _chance(state, probability):
    """True with a probability 0-1, from an advanced state."""
    return (mix(state) >> np.uint64(11)) * 2.0**-53 < probability


@njit(cache=True, nogil=True)
def braid(keys, open_, share):
    """Open dead ends, in place: each cell with one way out gets a second by chance, through a random wall to a cell.

    Args:
        open_: uint8 (n, rows, columns).
        share: of the dead ends, 0-1. At 1 none is left that could be opened.
    """
    count, rows, columns = open_.shape
    height, width = rows // 2, columns // 2
    near = np.empty(4, dtype=np.int64)
    for item in range(count):
        grid = open_[item]
        state = advance(keys[item] ^ np.uint64(0x2545F4914F6CDD1D))
        for cell in range(height * width):
            row, column = 2 * (cell // width) + 1, 2 * (cell % width) + 1
            ways = grid[row - 1, column] + grid[row + 1, column] + grid[row, column - 1] + grid[row, column + 1]
            if grid[row, column] == 0 or ways != 1:
                continue
            state = advance(state)
            if not _chance(state, share):
                continue
            found = 0
            for k in range(_neighbours(cell, height, width, near)):
                there = near[k]
                wall = grid[cell // width + there // width + 1, cell % width + there % width + 1]
                if wall == 0 and grid[2 * (there // width) + 1, 2 * (there % width) + 1] == 1:
                    near[found] = there
                    found += 1
            if found > 0:
                state = advance(state)
                _link(grid, cell, near[below(state, found)], width)
