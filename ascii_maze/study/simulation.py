"""Simulated studies with known true effects: answers of methods with no difference, or with a given one.

The statistics of a study are checked on them, by benchmarks/contrasts.py and by the tests. A maze is solved if a
normal variable exceeds 0: the sum of the maze's ease, the method's effect on that maze, effects of the start's seed
and of the method's own seed, and noise. Each method's expected rate is independent of the variance of its seeds.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

# A study's methods and their starts; a seed's effect adds to that of its start.
STARTS = {
    **{"sft": "base", "orpo": "base"},
    **dict.fromkeys(("sft_twice", "dpo", "kto", "rlhf", "grpo"), "sft"),
}
EASE = 1.5  # standard deviation of the mazes' ease; that of the noise is 1


class Share(NamedTuple):
    """Shares of the noise that belong to method and maze, to the start's seed and maze, and to the run alone."""

    method: float
    start: float
    run: float


SHARES = {
    "base": Share(0.5, 0.0, 0.5),
    "sft": Share(0.3, 0.6, 0.1),
    "orpo": Share(0.3, 0.0, 0.7),
    "rlhf": Share(0.05, 0.85, 0.1),  # a strong KL penalty keeps it near its start
}


def simulate(
    rng: np.random.Generator,
    seeds: int,
    mazes: int,
    spread: Mapping[str, float],
    effects: Mapping[str, float] | None = None,
    rate: float = 0.6,
) -> dict[str, dict[int, np.ndarray]]:
    """Answers of a base and its fine-tunes: model -> seed -> whether each maze is solved, float (mazes,).

    Args:
        spread: of the methods of `STARTS`: the standard deviation of their seeds' effects, on the scale of the noise;
            for rates near one half, 0.1 is about two points.
        effects: of the methods, on that scale; none by default.
        rate: share of mazes that a model without an effect solves.
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
        total = inherited**2 + own**2  # the noise is reduced by it, so that the rate over all seeds is unchanged
        latent = ease + (effects or {}).get(name, 0.0) + np.sqrt(1 - total) * chance + (name != "base") * between
        walked = np.broadcast_to(latent > 0, (seeds, mazes)).astype(float)
        answers[name] = dict(enumerate(walked))
    return answers


def effect_of(points: float, rate: float = 0.6) -> float:
    """The effect, on the scale of the noise, that raises a rate by a given amount."""
    from scipy.stats import norm

    return float((norm.ppf(rate + points) - norm.ppf(rate)) * np.sqrt(1 + EASE**2))
