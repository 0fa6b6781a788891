"""Numba kernels for batches of walks: those that stray before they solve the maze, and those by habit."""

import numpy as np
from numba import njit

from ...mazes import kernels

STOP = 4  # in addition to the moves 0-3: the end of a walk
# The directions to the right and to the left of each heading, in the order U D L R.
_RIGHT = np.array([3, 2, 0, 1])
_LEFT = np.array([2, 3, 1, 0])
_CLOCKWISE = np.array([0, 3, 1, 2])


@njit(cache=True)
def best_moves(grid, columns, goal, distance, queue, best):
    """The shortest path's next move from every open position; `STOP` at the goal."""
    steps = np.array([-columns, columns, -1, 1])
    kernels.distances_into(grid, columns, goal, distance, queue)
    for here in range(len(grid)):
        if distance[here] > 0:
            for move in range(4):
                if distance[here + steps[move]] == distance[here] - 1:
                    best[here] = move
                    break
    best[goal] = STOP


@njit(cache=True)
def wandering_walks(open_, ends, keys, max_moves, wander):
    """Walks that solve the maze, a share `wander` of them after straying, labelled with the shortest path's next move.

    Returns:
        int64 (n, max_moves) moves and (n, max_moves + 1) labels; -1 after the goal, `STOP` at it.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    steps = np.array([-columns, columns, -1, 1])
    moves = np.full((count, max_moves), -1, dtype=np.int64)
    labels = np.full((count, max_moves + 1), -1, dtype=np.int64)
    distance, queue = np.empty(rows * columns, dtype=np.int32), np.empty(rows * columns, dtype=np.int32)
    best, ways = np.empty(rows * columns, dtype=np.int64), np.empty(4, dtype=np.int64)
    for item in range(count):
        grid = flat[item]
        best_moves(grid, columns, ends[item, 1], distance, queue, best)
        state = kernels.advance(keys[item] ^ np.uint64(0xA0761D6478BD642F))
        astray = 0
        if kernels.below(state, 1000) < wander * 1000:
            state = kernels.advance(state)
            astray = 2 * (1 + kernels.below(state, rows - 1))  # moves; two per cell
        here, heading = np.int64(ends[item, 0]), -1
        for k in range(max_moves):
            labels[item, k] = best[here]
            if here == ends[item, 1]:
                break
            move = best[here]
            if k < astray:
                move = heading
                if k % 2 == 0:
                    found = 0
                    for way in range(4):
                        if grid[here + steps[way]] and not (heading >= 0 and way == heading ^ 1):
                            ways[found] = way
                            found += 1
                    move = heading ^ 1
                    if found > 0:
                        state = kernels.advance(state)
                        move = ways[kernels.below(state, found)]
            moves[item, k] = move
            here, heading = here + steps[move], move
            labels[item, k + 1] = best[here]
    return moves, labels


@njit(cache=True)
def habitual_walks(open_, ends, keys, max_moves, solvers, least_patience, most_patience):
    """Walks by habit, a share `solvers` of them shortest, labelled with their own moves; see `wandering_walks`."""
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    steps = np.array([-columns, columns, -1, 1])
    moves = np.full((count, max_moves), -1, dtype=np.int64)
    labels = np.full((count, max_moves + 1), -1, dtype=np.int64)
    distance, queue = np.empty(rows * columns, dtype=np.int32), np.empty(rows * columns, dtype=np.int32)
    best = np.empty(rows * columns, dtype=np.int64)
    for item in range(count):
        grid = flat[item]
        best_moves(grid, columns, ends[item, 1], distance, queue, best)
        state = kernels.advance(keys[item] ^ np.uint64(0xE7037ED1A0B428DB))
        solves = kernels.below(state, 1000) < solvers * 1000
        state = kernels.advance(state)
        patience = 2 * (least_patience + kernels.below(state, most_patience - least_patience + 1))
        here, heading = np.int64(ends[item, 0]), -1
        for k in range(max_moves + 1):
            if here == ends[item, 1] or (not solves and k >= patience):
                labels[item, k] = STOP
                break
            move = best[here]
            if not solves and k % 2 == 1:
                move = heading  # between two cells there is only one way forward
            elif not solves:
                for turn in range(4):
                    move = _CLOCKWISE[turn]
                    if heading >= 0:
                        move = (heading, _RIGHT[heading], _LEFT[heading], heading ^ 1)[turn]
                    if grid[here + steps[move]]:
                        break
            labels[item, k] = move
            if k == max_moves:
                break
            moves[item, k] = move
            here, heading = here + steps[move], move
    return moves, labels
