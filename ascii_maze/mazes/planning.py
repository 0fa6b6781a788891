"""`heuristics` for batches of mazes: which rules solve them, and the decisions on their shortest paths.

Arrays are as in `kernels`: open ground uint8 (n, rows, columns), start and goal int32 (n, 2).
"""

import numpy as np
from numba import njit

from . import kernels
from .heuristics import RULES, TURNS

# Headings run clockwise, U R D L. The move (of U D L R) of each heading, and the headings each rule tries, in order.
_MOVE = np.array([0, 3, 1, 2])
_TURNS = np.array(list(TURNS.values()))
_BACK = np.array([1, 0, 3, 2])


def rules_of(open_: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The rules that walk each maze by a shortest path, as bits in the order of `RULES`; 0 marks a hard maze.

    Returns:
        uint8 (n,); 0 also where there is no path.
    """
    lengths = np.diff(kernels.solve(open_, ends)[1])
    return _rules_of(open_, ends, lengths)


def rule_names() -> list[str]:
    """The meaning of each number of `rules_of`: names as in `solved_by`, separated by spaces."""
    return [" ".join(name for bit, name in enumerate(RULES) if number >> bit & 1) for number in range(2 ** len(RULES))]


@njit(cache=True, nogil=True)
def _rules_of(open_, ends, lengths):
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    found = np.zeros(count, dtype=np.uint8)
    for item in range(count):
        grid, start, goal, most = flat[item], ends[item, 0], ends[item, 1], lengths[item]
        if most == 0:
            continue
        found[item] |= _greed_arrives(grid, columns, start, goal, most)
        for rule in range(len(_TURNS)):
            for heading in range(4):
                if _turns_arrive(grid, columns, start, goal, most, rule, heading):
                    found[item] |= np.uint8(2 << rule)
                    break
    return found


@njit(cache=True)
def _turns_arrive(grid, columns, start, goal, most, rule, heading):
    steps = np.array([-columns, columns, -1, 1])
    here = np.int64(start)
    for _ in range(most):
        moved = False
        for turn in range(4):
            way = (heading + _TURNS[rule, turn]) % 4
            if grid[here + steps[_MOVE[way]]]:
                heading, here, moved = way, here + steps[_MOVE[way]], True
                break
        if not moved or here == goal:
            break
    return here == goal


@njit(cache=True)
def _greed_arrives(grid, columns, start, goal, most):
    steps = np.array([-columns, columns, -1, 1])
    here, before = np.int64(start), -1
    for _ in range(most):
        move = _greedy_move(grid, columns, here, before, goal)
        if move < 0:
            break
        here, before = here + steps[move], move
        if here == goal:
            break
    return here == goal


@njit(cache=True)
def _greedy_move(grid, columns, here, before, goal):
    """The move to the open neighbour nearest to the goal, ignoring walls; back only in a dead end; -1 for none."""
    steps = np.array([-columns, columns, -1, 1])
    best, least = -1, np.int64(0)
    for move in range(4):
        there = here + steps[move]
        if not grid[there] or (before >= 0 and move == _BACK[before]):
            continue
        apart = abs(there // columns - goal // columns) + abs(there % columns - goal % columns)
        if best < 0 or apart < least:
            best, least = move, apart
    if best < 0 and before >= 0 and grid[here + steps[_BACK[before]]]:
        return _BACK[before]
    return best


@njit(cache=True, nogil=True)
def decisions_along(open_, ends, letters, offsets):
    """Decisions on the shortest path of each maze, and those of them where the greedy rule goes wrong.

    Args:
        letters, offsets: the paths, from `kernels.solve`.

    Returns:
        int32 (n, 2), as `made` and `against_greedy` of `heuristics.decisions_of`.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    steps = np.array([-columns, columns, -1, 1])
    distance, queue = np.empty(rows * columns, dtype=np.int32), np.empty(rows * columns, dtype=np.int32)
    found = np.zeros((count, 2), dtype=np.int32)
    for item in range(count):
        grid, goal = flat[item], ends[item, 1]
        kernels.distances_into(grid, columns, goal, distance, queue)
        here, before = np.int64(ends[item, 0]), -1
        for k in range(offsets[item], offsets[item + 1]):
            onward, right = 0, 0
            for move in range(4):
                there = here + steps[move]
                if grid[there] and not (before >= 0 and move == _BACK[before]):
                    onward += 1
                    right += distance[there] < distance[here]
            if 0 < right < onward:
                greedy = here + steps[_greedy_move(grid, columns, here, before, goal)]
                found[item, 0] += 1
                found[item, 1] += distance[greedy] >= distance[here]
            before = kernels.move_of(letters[k])
            here += steps[before]
    return found
