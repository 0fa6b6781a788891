"""The strength of each model in people's comparisons: the Bradley-Terry model, fitted by `choix`.

Paper: Bradley & Terry, "Rank analysis of incomplete block designs", Biometrika 1952.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .schema import Strength

# Regularisation, which keeps the strength of a model that always or never wins finite.
PRIOR = 0.1
RESAMPLES = 400


class Comparison(NamedTuple):
    """Two models' answers to one maze, compared by a person.

    Attributes:
        won: 1 if `model` won, 0 if `other` did, 0.5 for a tie.
        maze: its text.
    """

    model: str
    other: str
    won: float
    maze: str


def strengths(comparisons: Sequence[Comparison], seed: int = 0) -> list[Strength]:
    """The strength of every model, the strongest first; empty if there are fewer than two models."""
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


def _wins_by_maze(models: Sequence[str], comparisons: Sequence[Comparison]) -> np.ndarray:
    """Number of wins of each model against each other one, float (mazes, models, models)."""
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
