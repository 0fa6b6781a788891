"""The corpus that the embedded model is pre-trained on: mazes and walks through them, in two stages.

*Skill*: walks that wander a little and then solve; each position is labelled with the shortest path's next move from
there, whatever the walk itself does next. That is imitation with an expert's labels along another's states (DAgger,
Ross et al., 2011): every move of every walk teaches, where plain walks teach at a few junctions.

*Habits*: plain next-token prediction on walks of mixed skill. Most walkers follow a habit: straight on, else right,
else left, else back, and give up after a few cells; a minority solves. The model's most likely walk becomes the habit,
and the skill remains latent, as in a pre-trained LLM, for fine-tuning to bring out.

Only mazes of the training split (`ascii_maze.mazes.splits`) are used, so whatever a dataset holds out is new to this
model too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit

from ..mazes import kernels
from ..mazes.carvers import carve_depth_first
from ..mazes.generators import MazeBatch
from ..mazes.splits import marks_of, split_of
from .tokenizer import BOS, EOS, FIRST_MOVE, MAZE_TOKENS, NEXT_MOVE, PAD, WALK

IGNORED = -100
STOP = 4  # beside the moves 0-3: the end of a walk
# What lies to the right and to the left of a heading, in the order U D L R.
_RIGHT = np.array([3, 2, 0, 1])
_LEFT = np.array([2, 3, 1, 0])
_CLOCKWISE = np.array([0, 3, 1, 2])


@dataclass(frozen=True)
class Batch:
    """Token ids and labels, int64 (n, length). Labels stand where the model must predict them, not one later."""

    tokens: np.ndarray
    labels: np.ndarray


def mazes_of_split(split: str, size: int, seed: int, block: int = 4096) -> Iterator[tuple[MazeBatch, np.ndarray]]:
    """Endless depth-first mazes of one split, in blocks, with their random keys."""
    start = 0
    while True:
        keys = kernels.item_keys(seed, "tiny", size, size, np.arange(start, start + block))
        open_ = carve_depth_first(keys, size, size)
        mazes = MazeBatch(open_, kernels.place_random(keys, open_))
        kept = np.array([split_of(int(mark), "maze") == split for mark in marks_of(open_, mazes.ends, "maze")])
        yield MazeBatch(mazes.open[kept], mazes.ends[kept]), keys[kept]
        start += block


def skill_batch(mazes: MazeBatch, keys: np.ndarray, max_moves: int, wander: float) -> Batch:
    """Walks with the expert's labels; a share of `wander` of them strays before it solves."""
    moves, labels = wandering_walks(mazes.open, mazes.ends, keys, max_moves, wander)
    return _assemble(mazes, moves, labels)


def habit_batch(
    mazes: MazeBatch, keys: np.ndarray, max_moves: int, solvers: float, patience: tuple[int, int]
) -> Batch:
    """Walks as their walkers made them: a share of `solvers`; the others give up after `patience` cells."""
    moves, labels = habitual_walks(mazes.open, mazes.ends, keys, max_moves, solvers, *patience)
    return _assemble(mazes, moves, labels)


def _assemble(mazes: MazeBatch, moves: np.ndarray, labels: np.ndarray) -> Batch:
    count = len(mazes)
    maze_tokens = MAZE_TOKENS[kernels.render(mazes.open, mazes.ends)]
    move_tokens = np.where(moves >= 0, moves + NEXT_MOVE, PAD)
    move_tokens[:, 0] = np.where(moves[:, 0] >= 0, moves[:, 0] + FIRST_MOVE, PAD)
    edge = np.ones((count, 1), dtype=np.int64)
    tokens = np.concatenate([BOS * edge, maze_tokens, WALK * edge, move_tokens], axis=1)
    walk_labels = np.where(labels == STOP, EOS, np.where(labels >= 0, labels + NEXT_MOVE, IGNORED))
    walk_labels[:, 0] = labels[:, 0] + FIRST_MOVE
    silent = np.full((count, 1 + maze_tokens.shape[1]), IGNORED)
    return Batch(tokens, np.concatenate([silent, walk_labels], axis=1))


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
    """Walks that stray, a share `wander` of them, and then solve, and the shortest path's next move all along.

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
            astray = 2 * (1 + kernels.below(state, rows - 1))  # moves; a cell is two
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
    """Walks by habit and, a share of `solvers`, shortest ones, labelled by their own moves; see `wandering_walks`."""
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
                move = heading  # between two cells there is only one way on
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
