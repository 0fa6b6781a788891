"""How strong each model is in the eyes of those who compared: Bradley and Terry's model, fitted by `choix`.

Paper: Bradley & Terry, "Rank analysis of incomplete block designs", Biometrika 1952.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

# Keeps the strength of a model that always wins, or never, finite.
PRIOR = 0.1
RESAMPLES = 400


class Strength(TypedDict):
    """One model's strength.

    Attributes:
        score: log odds against a model of mean strength; they sum to 0.
        score_ci: 95 %, by bootstrap over the mazes.
        wins: comparisons won, ties counted as half; `comparisons` are all.
    """

    model: str
    score: float
    score_ci: list[float]
    wins: float
    comparisons: int


def strengths(comparisons: Sequence[tuple[str, str, float, str]], seed: int = 0) -> list[Strength]:
    """The strength of every model, the strongest first; empty where there are not two models.

    Args:
        comparisons: (model, other model, 1 for a win of the first, 0 for a loss, 0.5 for a tie, maze).
    """
    models = sorted({name for one, two, _, _ in comparisons if one != two for name in (one, two)})
    if len(models) < 2:
        return []
    wins = _wins_by_maze(models, comparisons)
    total = wins.sum(axis=0)
    scores = _fit(total)
    generator = np.random.default_rng(seed)
    drawn = [
        _fit(np.tensordot(generator.multinomial(len(wins), np.full(len(wins), 1 / len(wins))), wins, axes=1))
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    found: list[Strength] = [
        {
            "model": model,
            "score": float(scores[k]),
            "score_ci": [float(low[k]), float(high[k])],
            "wins": float(total[k].sum()),
            "comparisons": int(total[k].sum() + total[:, k].sum()),
        }
        for k, model in enumerate(models)
    ]
    return sorted(found, key=lambda one: -one["score"])


def _wins_by_maze(models: Sequence[str], comparisons: Sequence[tuple[str, str, float, str]]) -> np.ndarray:
    """How often one model won against another, float (mazes, models, models)."""
    mazes = {maze: k for k, maze in enumerate(dict.fromkeys(maze for *_, maze in comparisons))}
    wins = np.zeros((len(mazes), len(models), len(models)))
    for one, two, won, maze in comparisons:
        if one != two:
            first, second = models.index(one), models.index(two)
            wins[mazes[maze], first, second] += won
            wins[mazes[maze], second, first] += 1 - won
    return wins


def _fit(wins: np.ndarray) -> np.ndarray:
    """Log strengths, centred, float (models,)."""
    import choix

    scores = choix.ilsr_pairwise_dense(wins, alpha=PRIOR)
    return scores - scores.mean()
