"""The rate of mazes of held-out layouts that the model would walk optimally, computed without generating."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from ...mazes.generators import MazeBatch
from ...mazes.planning import rules_of
from .corpus import IGNORED, Batch, Shape, longest_walk, mazes_of_step, skill_batch

# Batch -> float logits (n, length, vocabulary).
Reader = Callable[[Batch], torch.Tensor]


def held_out_rates(
    read: Reader, kinds: Sequence[tuple[str, int]], seed: int, count: int, rows: int = 64
) -> dict[str, dict[str, float]]:
    """Share of mazes whose whole shortest path is the model's most likely walk.

    If the argmax agrees at every step with the walk given as input, greedy decoding writes that walk. In
    mazes without loops there is one shortest path.

    Args:
        kinds: generators with sizes.
        count: mazes per kind, of split validation.
        rows: batch size.

    Returns:
        "GENERATOR SIZE" -> `easy`, `hard`: rates on mazes that a rule solves, and on those that no rule solves.
    """
    rates = {}
    for generator, size in kinds:
        mazes, keys = mazes_of_step("validation", generator, size, seed, 0, count)
        shape = Shape(size, 1, longest_walk(size))
        right = np.concatenate(
            [
                _walked(read, skill_batch(mazes[start : start + rows], keys[start : start + rows], shape, 0.0), shape)
                for start in range(0, count, rows)
            ]
        )
        rates[f"{generator} {size}x{size}"] = _by_difficulty(mazes, right)
    return rates


@torch.no_grad()
def _walked(read: Reader, batch: Batch, shape: Shape) -> np.ndarray:
    """Whether each row's walk is the most likely one, bool (n,)."""
    choice = read(batch).argmax(-1).cpu().numpy()[:, shape.before_walks :]
    wanted = batch.labels[:, shape.before_walks :]
    return ((choice == wanted) | (wanted == IGNORED)).all(axis=1)


def _by_difficulty(mazes: MazeBatch, right: np.ndarray) -> dict[str, float]:
    easy = rules_of(mazes.open, mazes.ends) > 0
    parts: Mapping[str, np.ndarray] = {"easy": right[easy], "hard": right[~easy]}
    return {name: round(float(part.mean()), 3) for name, part in parts.items() if len(part)}
