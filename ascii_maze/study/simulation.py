"""Studies whose truth is known: simulated answers of methods that are no better than others, or are by so much.

The statistics of a study are checked on them, by benchmarks/contrasts.py and by the tests. A maze is walked where a
normal variable exceeds 0: the sum of the maze's ease, of what a method makes of that maze, of the seed of the start,
of the method's own seed, and of chance. Over all seeds each method has the same rate, whatever its seeds vary.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

# The demo's methods and their starts; the others' seeds build on that of the start.
STARTS = {
    **{"sft": "base", "orpo": "base"},
    **dict.fromkeys(("sft_twice", "dpo", "kto", "rlhf", "grpo"), "sft"),
}
EASE = 1.5  # standard deviation of the mazes' ease; chance has 1


class Share(NamedTuple):
    """How much of chance is of the method and the maze, of the start's seed and the maze, and of the run's own."""

    method: float
    start: float
    run: float


SHARES = {
    "base": Share(0.5, 0.0, 0.5),
    "sft": Share(0.3, 0.6, 0.1),
    "orpo": Share(0.3, 0.0, 0.7),
    "rlhf": Share(0.05, 0.85, 0.1),  # on a short leash: nearly its start
}


def simulate(
    rng: np.random.Generator,
    seeds: int,
    mazes: int,
    spread: Mapping[str, float],
    effects: Mapping[str, float] | None = None,
    rate: float = 0.6,
) -> dict[str, dict[int, np.ndarray]]:
    """Answers of a base and its fine-tunes: model -> seed -> whether each maze is walked, float (mazes,).

    Args:
        spread: of the methods of `STARTS`: the standard deviation of their own seeds, on the scale of chance; where
            rates are in the middle, 0.1 is about two points.
        effects: what a method adds on that scale; none by default.
        rate: share of mazes that a model without an effect walks.
    """
    from scipy.stats import norm

    ease = rng.normal(norm.ppf(rate) * np.sqrt(1 + EASE**2), EASE, mazes)
    of_start, start_and_maze = rng.normal(size=(seeds, 1)), rng.normal(size=(seeds, mazes))
    answers = {}
    for name in ("base", *STARTS):
        share = SHARES.get(name, Share(0.3, 0.3, 0.4))
        chance = np.sqrt(share.method) * rng.normal(size=mazes) + np.sqrt(share.start) * start_and_maze
        chance = chance + np.sqrt(share.run) * rng.normal(size=(1 if name == "base" else seeds, mazes))
        inherited = spread["sft"] if STARTS.get(name) == "sft" or name == "sft" else 0.0
        own = spread.get(name, 0.0) if name != "sft" else 0.0
        between = inherited * of_start + own * rng.normal(size=(seeds, 1))
        total = inherited**2 + own**2  # chance makes room for it, so that the rate over all seeds stays
        latent = ease + (effects or {}).get(name, 0.0) + np.sqrt(1 - total) * chance + (name != "base") * between
        walked = np.broadcast_to(latent > 0, (seeds, mazes)).astype(float)
        answers[name] = dict(enumerate(walked))
    return answers


def effect_of(points: float, rate: float = 0.6) -> float:
    """The effect, on the scale of chance, that raises a rate by so much."""
    from scipy.stats import norm

    return float((norm.ppf(rate + points) - norm.ppf(rate)) * np.sqrt(1 + EASE**2))
