"""Kernels that write the thought before an answer, line by line.

A place is `row,column`, a character of the map in style `hash`; its open sides are a word of the letters U D L R in
this order, `-` for none. Moves are letters, each preceded by a space.

- `steps`: for each move the place, its open sides, and the move: `1,1 DR R`. At the end `3,5 G`.
- `search_dfs`: depth first, sides in the order U D L R. After `1,1 DR`, the start, a line for each stretch walked:
  its first place, the moves, its last place and the open sides there: `1,1 R R 1,3 DLR`. A stretch ends at a junction,
  in a dead end, at the goal (`G` in place of the sides), or at a place visited before (`*`). The search turns back by
  beginning the next stretch at an earlier junction.
- `search_bfs`: breadth first. After `1,1 S` a line for each number of moves, with every new place after the move that
leads to it: `R1,2 D2,1`. It ends with the goal, then `3,5 G`.

After Searchformer (Lehnert et al., arXiv:2402.14083) and Stream of Search (Gandhi et al., arXiv:2404.03683), in fewer
tokens: a corridor is one line, and each line can be checked against the maze on its own.
"""

import numpy as np
from numba import njit

from .kernels import LETTERS, move_of

BLANK, BREAK, COMMA, DASH, STAR, ZERO = (ord(symbol) for symbol in " \n,-*0")
START, GOAL = ord("S"), ord("G")
STEPS, DEPTH_FIRST, BREADTH_FIRST = range(3)


@njit(cache=True, nogil=True)
def think(kind, open_, ends, letters, offsets, shift, stops):
    """The thoughts of some mazes.

    Args:
        kind: one of `STEPS`, `DEPTH_FIRST`, `BREADTH_FIRST`.
        open_: uint8 (n, rows, columns), with walls all around.
        ends: int32 (n, 2), start and goal.
        letters, offsets: the paths that `STEPS` takes, from `kernels.solve`.
        shift: subtracted from rows and columns before they are written.
        stops: whether a search stops at the goal, or visits every place.

    Returns:
        uint8 text and int64 (n + 1,) offsets.
    """
    count, rows, columns = open_.shape
    flat = open_.reshape((count, rows * columns))
    # The longest line per place is a stretch of one move: two places of two numbers, sides, and separators.
    digits = len(str(max(rows, columns)))
    most = (rows * columns + 2) * (4 * digits + 16)
    seen = np.empty(rows * columns, dtype=np.uint8)
    queue = np.empty(rows * columns + 1, dtype=np.int64)
    tried = np.empty(rows * columns + 1, dtype=np.int64)
    text = np.empty(most + 256 * count, dtype=np.uint8)
    out = np.zeros(count + 1, dtype=np.int64)
    for item in range(count):
        at = out[item]
        if at + most > len(text):
            grown = np.empty(2 * (at + most), dtype=np.uint8)
            grown[:at] = text[:at]
            text = grown
        grid, start, goal = flat[item], np.int64(ends[item, 0]), np.int64(ends[item, 1])
        seen[:] = 0
        if kind == STEPS:
            at = steps(grid, columns, start, letters[offsets[item] : offsets[item + 1]], shift, text, at)
        elif kind == DEPTH_FIRST:
            at = search_dfs(grid, columns, start, goal, stops, seen, queue, tried, shift, text, at)
        else:
            at = search_bfs(grid, columns, start, goal, stops, seen, queue, tried, shift, text, at)
        out[item + 1] = at
    return text[: out[count]], out


@njit(cache=True)
def steps(grid, columns, start, path, shift, text, at):
    """Place, open sides and move for each move of a path; for an empty path only the place."""
    here = start
    for letter in path:
        at = _sides(grid, columns, here, text, _place(here, columns, shift, text, at))
        text[at], text[at + 1], text[at + 2] = BLANK, letter, BREAK
        at += 3
        here += _step(columns, move_of(letter))
    at = _place(here, columns, shift, text, at)
    if len(path) == 0:
        return _sides(grid, columns, here, text, at)
    text[at], text[at + 1] = BLANK, GOAL
    return at + 2


@njit(cache=True)
def search_dfs(grid, columns, start, goal, stops, seen, stack, tried, shift, text, at):
    """Stretch after stretch, each from the latest junction with a side that leads to an unvisited place."""
    at = _sides(grid, columns, start, text, _place(start, columns, shift, text, at))
    seen[start] = 1
    stack[0], tried[0], depth = start, 0, 1
    while depth > 0:
        junction, move = stack[depth - 1], tried[depth - 1]
        if move == 4:
            depth -= 1
            continue
        tried[depth - 1] += 1
        here = junction + _step(columns, move)
        if grid[here] == 0 or seen[here] == 1:
            continue
        text[at] = BREAK
        at = _place(junction, columns, shift, text, at + 1)
        here, ways = junction, 2
        while True:
            here += _step(columns, move)
            text[at], text[at + 1] = BLANK, LETTERS[move]
            at += 2
            if seen[here] == 1:
                break
            seen[here] = 1
            ways, onward = 0, 0
            for way in range(4):
                if grid[here + _step(columns, way)] == 1:
                    ways += 1
                    if way != move ^ 1:  # opposite moves differ in the lowest bit
                        onward = way
            if ways != 2 or (here == goal and stops):
                seen[here] = 2
                break
            move = onward
        text[at] = BLANK
        at = _place(here, columns, shift, text, at + 1)
        if here == goal and stops:
            text[at], text[at + 1] = BLANK, GOAL
            return at + 2
        if seen[here] == 1:
            text[at], text[at + 1] = BLANK, STAR
            at += 2
            continue
        seen[here] = 1
        at = _sides(grid, columns, here, text, at)
        if ways > 2:
            stack[depth], tried[depth] = here, 0
            depth += 1
    return at


@njit(cache=True)
def search_bfs(grid, columns, start, goal, stops, seen, queue, moves, shift, text, at):
    """Ring after ring of new places around the start."""
    at = _place(start, columns, shift, text, at)
    text[at], text[at + 1] = BLANK, START
    at += 2
    seen[start] = 1
    queue[0], moves[0] = start, 0
    head, tail = 0, 1
    while head < tail:
        here = queue[head]
        for move in range(4):
            there = here + _step(columns, move)
            if grid[there] == 0 or seen[there] == 1:
                continue
            seen[there] = 1
            moves[tail] = moves[head] + 1
            text[at] = BREAK if moves[tail] != moves[tail - 1] else BLANK
            text[at + 1] = LETTERS[move]
            at = _place(there, columns, shift, text, at + 2)
            if there == goal and stops:
                text[at] = BREAK
                at = _place(goal, columns, shift, text, at + 1)
                text[at], text[at + 1] = BLANK, GOAL
                return at + 2
            queue[tail] = there
            tail += 1
        head += 1
    return at


@njit(cache=True)
def _step(columns, move):
    return (-columns, columns, -1, 1)[move]


@njit(cache=True)
def _number(number, text, at):
    scale = 1
    while number // scale >= 10:
        scale *= 10
    while scale > 0:
        text[at] = ZERO + number // scale % 10
        at += 1
        scale //= 10
    return at


@njit(cache=True)
def _place(here, columns, shift, text, at):
    at = _number(here // columns - shift, text, at)
    text[at] = COMMA
    return _number(here % columns - shift, text, at + 1)


@njit(cache=True)
def _sides(grid, columns, here, text, at):
    """Write a space and the open sides."""
    text[at] = BLANK
    at += 1
    first = at
    for move in range(4):
        if grid[here + _step(columns, move)] == 1:
            text[at] = LETTERS[move]
            at += 1
    if at == first:
        text[at] = DASH
        at += 1
    return at
