"""Intervals over mazes: whole mazes are resampled, since moves of one maze are correlated."""

import numpy as np

RESAMPLES = 1_000


def mean_intervals(table: np.ndarray, seed: int) -> list[list[float]]:
    """95 % intervals of the means of some measures, by a percentile bootstrap over mazes.

    Args:
        table: float (measures, mazes); all measures are resampled alike.
        seed: of the resampled mazes.

    Returns:
        Low and high for each measure.
    """
    count = table.shape[1]
    weights = np.random.default_rng([seed, 3]).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    bounds = np.percentile(table @ weights.T / count, [2.5, 97.5], axis=1)
    return [[float(low), float(high)] for low, high in bounds.T]
