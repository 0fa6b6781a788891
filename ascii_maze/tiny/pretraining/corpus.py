"""The pre-training corpus of the embedded model: mazes of training layouts, and walks through them.

A row is a maze followed by one or more *walks*, each processed as if it alone followed the maze: no walk attends to
another, and all begin at the same position. So a maze is read once and used several times.

*Skill*: walks that stray a little before they solve the maze. Each position is labelled with the next move of the
shortest path from there, regardless of the walk's own next move: imitation with an expert's labels on another policy's
states (DAgger, Ross et al., 2011). Every move of a walk is informative; in plain walks only a few junctions are.

*Habits*: plain next-token prediction on walks of mixed skill. Most walkers go straight ahead, else right, else left,
else back, and give up after a few cells; a minority solves the maze. The model's most likely walk becomes the habit,
and the skill stays, as in a pre-trained LLM, for fine-tuning to bring out.

A batch is a function of the recipe and the number of its step, so a run can resume at any step without saved state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from ...mazes import kernels
from ...mazes.generators import MazeBatch, mazes_at
from ...mazes.splits import marks_of, split_range
from .vocabulary import BOS, EOS, FIRST_MOVE, MAZE_TOKENS, NEXT_MOVE, PAD, WALK
from .walks import STOP, habitual_walks, wandering_walks

IGNORED = -100
# Mazes of a sequence reserved for one step: more than any batch needs, since eight in ten are of split train.
RESERVED = 4096


class Shape(NamedTuple):
    """The dimensions that all rows of a batch share.

    Attributes:
        size: cells on a side.
        walks: number through each maze.
        max_moves: most moves of a walk.
    """

    size: int
    walks: int
    max_moves: int

    @property
    def before_walks(self) -> int:
        """Number of tokens of a maze and of the mark before it."""
        return (2 * self.size + 1) * (2 * self.size + 2)

    @property
    def length(self) -> int:
        """Number of tokens of a row."""
        return self.before_walks + self.walks * (1 + self.max_moves)


@dataclass(frozen=True)
class Batch:
    """Rows of one shape.

    Attributes:
        tokens: int64 (n, length).
        labels: int64 (n, length), each at the position that predicts it, not shifted by one.
        attends: bool (length, length), the tokens that each token attends to.
        positions: int64 (length,).
    """

    tokens: np.ndarray
    labels: np.ndarray
    attends: np.ndarray
    positions: np.ndarray


def longest_walk(size: int) -> int:
    """The most moves of a walk: at least the longest shortest path that is not rare at this size."""
    return 11 * size - 9


def mazes_of_step(
    split: str, generator: str, size: int, seed: int, step: int, count: int
) -> tuple[MazeBatch, np.ndarray]:
    """`count` mazes with layouts of one split, and random keys; different steps use different mazes of a sequence.

    Raises:
        ValueError: more are asked for than a step has.
    """
    low, high = split_range(split, "layout")
    first = step * RESERVED
    # Almost always enough for `count` mazes of the split; if not, all that are reserved.
    for drawn in (min(RESERVED, 64 + int(1.4 * count * 2**64 / (high - low))), RESERVED):
        indices = np.arange(first, first + drawn)
        mazes = mazes_at(generator, size, size, indices, seed)
        marks = marks_of(mazes.open, mazes.ends, "layout")
        kept = np.flatnonzero((marks >= np.uint64(low)) & (marks <= np.uint64(high - 1)))[:count]
        if len(kept) == count:
            keys = kernels.item_keys(seed, "tiny walks", size, size, indices[kept])
            return MazeBatch(mazes.open[kept], mazes.ends[kept]), keys
    raise ValueError(f"of {RESERVED} {generator} mazes {len(kept)} are of '{split}', {count} were asked for")


def skill_batch(mazes: MazeBatch, keys: np.ndarray, shape: Shape, wander: float) -> Batch:
    """Walks with the expert's labels; a share `wander` of them strays before it solves the maze."""
    walks = [
        wandering_walks(mazes.open, mazes.ends, _key_of_walk(keys, walk), shape.max_moves, wander)
        for walk in range(shape.walks)
    ]
    return _assemble(mazes, walks, shape)


def habit_batch(mazes: MazeBatch, keys: np.ndarray, shape: Shape, solvers: float, patience: tuple[int, int]) -> Batch:
    """Walks labelled with their own moves: a share `solvers` solves the maze, others stop after `patience` cells."""
    walks = [
        habitual_walks(mazes.open, mazes.ends, _key_of_walk(keys, walk), shape.max_moves, solvers, *patience)
        for walk in range(shape.walks)
    ]
    return _assemble(mazes, walks, shape)


def _key_of_walk(keys: np.ndarray, walk: int) -> np.ndarray:
    return kernels.mix(keys + np.uint64(walk))


def _assemble(mazes: MazeBatch, walks: list[tuple[np.ndarray, np.ndarray]], shape: Shape) -> Batch:
    count = len(mazes)
    edge = np.ones((count, 1), dtype=np.int64)
    tokens = [BOS * edge, MAZE_TOKENS[kernels.render(mazes.open, mazes.ends)]]
    labels = [np.full((count, shape.before_walks), IGNORED)]
    for moves, ways in walks:
        spoken = np.where(moves >= 0, moves + NEXT_MOVE, PAD)
        spoken[:, 0] = np.where(moves[:, 0] >= 0, moves[:, 0] + FIRST_MOVE, PAD)
        tokens += [WALK * edge, spoken]
        wanted = np.where(ways == STOP, EOS, np.where(ways >= 0, ways + NEXT_MOVE, IGNORED))
        wanted[:, 0] = ways[:, 0] + FIRST_MOVE
        labels.append(wanted)
    return Batch(np.concatenate(tokens, axis=1), np.concatenate(labels, axis=1), attends(shape), positions(shape))


@cache
def attends(shape: Shape) -> np.ndarray:
    """The tokens that each token of a row attends to: those before it, except in other walks."""
    walk = np.concatenate([np.zeros(shape.before_walks, int), _walk_numbers(shape)])
    return np.tril(np.ones((len(walk), len(walk)), bool)) & ((walk[:, None] == walk) | (walk == 0))


@cache
def positions(shape: Shape) -> np.ndarray:
    """The position of every token of a row: every walk begins directly after the maze."""
    within = np.tile(np.arange(1 + shape.max_moves), shape.walks)
    return np.concatenate([np.arange(shape.before_walks), shape.before_walks + within])


def _walk_numbers(shape: Shape) -> np.ndarray:
    return np.repeat(np.arange(1, 1 + shape.walks), 1 + shape.max_moves)


def choose(weights: Mapping, rng: np.random.Generator):
    """Draw a name by weight."""
    names = list(weights)
    shares = np.array(list(weights.values()), dtype=float)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]
