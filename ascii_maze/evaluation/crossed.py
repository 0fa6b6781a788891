"""Differences over seeds and mazes at once, with intervals that hold for other seeds and other mazes.

All runs walk the same mazes, so seeds and mazes are crossed, and both are samples. The variance of a mean difference
is estimated from the mean squares of a two-way layout (seeds, mazes, both together) and given to Student's t with
Satterthwaite's degrees of freedom (Satterthwaite, 1946; Miller, "Adding error bars to evals", arXiv:2411.00640, has
the clustered errors of one factor). With one seed only the mazes are a sample, and the result holds for these runs.

Two seeds say little of how much seeds differ, and often look alike by luck. So every contrast is estimated twice: with
the variance between its `own` seeds, and with the larger of that and the mean over all contrasts of the study, which
has more degrees of freedom (`shared`). A claim must hold by both: by the shared one after Holm's correction, by its
own one without. The first keeps the errors of the whole study at 5 % where seeds differ about as much for one method
as for the next, the second those of each contrast where they do not. Intervals are the wider of the two.

Tried against it on simulated studies (benchmarks/STATISTICS.md): Student's t over seeds, a test over mazes, the
bootstrap of both factors (Owen, "The pigeonhole bootstrap", 2007), and each of the two estimates alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.05
POWER = 0.8
DRAWS = 4_000


class Components(NamedTuple):
    """Variances of the difference on one maze with one seed: of seeds, of mazes, of both together and chance."""

    seeds: float
    mazes: float
    both: float


class Squares(NamedTuple):
    """Mean squares of differences in a two-way layout; those of seeds and of both are 0 where there is one seed."""

    mean: float
    of_seeds: float
    of_mazes: float
    of_both: float
    seeds: int
    mazes: int


class Estimate(NamedTuple):
    """A mean difference, -1 to 1, its standard error, and the degrees of freedom of that."""

    difference: float
    error: float
    df: float

    def interval(self, misses: float = LEVEL) -> list[float]:
        """Student's interval within -1 to 1, of 95 % by default."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.df, 1 - misses / 2)) * self.error
        return [max(-1.0, self.difference - half), min(1.0, self.difference + half)]

    def p(self) -> float:
        """Two-sided p of no difference."""
        from scipy.special import stdtr

        return float(2 * stdtr(self.df, -abs(self.difference) / self.error))

    def p_equivalent(self, margin: float) -> float:
        """The p of a difference of `margin` or more in either direction: two one-sided tests (Schuirmann, 1987)."""
        from scipy.special import stdtr

        return float(stdtr(self.df, (abs(self.difference) - margin) / self.error))


class Estimates(NamedTuple):
    """Both estimates of one difference, its variances, and the variance between seeds over all contrasts."""

    own: Estimate
    shared: Estimate
    components: Components
    pooled: float

    def interval(self, misses: float = LEVEL) -> list[float]:
        """The wider of both intervals."""
        both = (self.own.interval(misses), self.shared.interval(misses))
        return [min(low for low, _ in both), max(high for _, high in both)]


def estimates(differences: Sequence[np.ndarray], pairs: Sequence[tuple[str, str]]) -> list[Estimates]:
    """The means of several differences, with the variance between seeds estimated for each alone and for all together.

    Args:
        differences: each float (seeds, mazes), of outcomes 0-1; at least two mazes.
        pairs: the two models of each.
    """
    squares = [mean_squares(one) for one in differences]
    between = [(one.of_seeds - one.of_both) / one.mazes for one in squares if one.seeds > 1]
    pooled = max(0.0, sum(between) / len(between)) if between else 0.0
    of_pairs = pairs_in_effect(pairs)
    return [_estimates(one, pooled, of_pairs) for one in squares]


def mean_squares(differences: np.ndarray) -> Squares:
    """Mean squares of differences, float (seeds, mazes)."""
    seeds, mazes = differences.shape
    mean, by_seed, by_maze = differences.mean(), differences.mean(axis=1), differences.mean(axis=0)
    of_mazes = seeds * np.sum((by_maze - mean) ** 2) / (mazes - 1)
    of_seeds = of_both = 0.0
    if seeds > 1:
        of_seeds = mazes * np.sum((by_seed - mean) ** 2) / (seeds - 1)
        rest = differences - by_seed[:, None] - by_maze + mean
        of_both = np.sum(rest**2) / ((seeds - 1) * (mazes - 1))
    return Squares(float(mean), float(of_seeds), float(of_mazes), float(of_both), seeds, mazes)


def pairs_in_effect(pairs: Sequence[tuple[str, str]]) -> float:
    """The effective number of independent pairs, where many pairs share a model (Satterthwaite, 1946)."""
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    signs = np.array([[(name == a) - (name == b) for name in names] for a, b in pairs], dtype=float)
    correlations = signs @ signs.T / 2
    return len(pairs) ** 2 / float(np.sum(correlations**2))


def _estimates(squares: Squares, pooled: float, of_pairs: float) -> Estimates:
    mean, of_seeds, of_mazes, of_both, seeds, mazes = squares
    own = error_of(of_seeds, of_mazes, of_both, seeds, mazes, seeds - 1)
    larger = max(of_seeds, of_both + mazes * pooled)
    shared = error_of(larger, of_mazes, of_both, seeds, mazes, (seeds - 1) * of_pairs)
    components = Components(
        max(0.0, (of_seeds - of_both) / mazes) if seeds > 1 else 0.0, max(0.0, (of_mazes - of_both) / seeds), of_both
    )
    both = (Estimate(mean, float(error), float(df)) for error, df in (own, shared))
    return Estimates(next(both), next(both), components, pooled)


def error_of(of_seeds, of_mazes, of_both, seeds: int, mazes: int, df_seeds: float):
    """Standard error of a mean, and Satterthwaite's degrees of freedom.

    No mean square counts for less than that of both together, since no variance is negative. The error is at least
    that of one maze: outcomes that never differ in a sample may differ elsewhere.

    Args:
        of_seeds: like the other mean squares a number or an array.
        df_seeds: its degrees of freedom.
    """
    count = seeds * mazes
    of_mazes = np.maximum(of_mazes, of_both)
    if seeds == 1:
        return np.sqrt(np.maximum(of_mazes / count, 1 / mazes**2)), mazes - 1.0 + 0 * of_mazes
    of_seeds = np.maximum(of_seeds, of_both)
    variance = (of_seeds + of_mazes - of_both) / count
    spread = of_seeds**2 / df_seeds + of_mazes**2 / (mazes - 1) + of_both**2 / ((seeds - 1) * (mazes - 1))
    df = (variance * count) ** 2 / np.maximum(spread, np.finfo(float).tiny)
    return np.sqrt(np.maximum(variance, 1 / mazes**2)), np.where(variance > 0, df, mazes - 1.0)


class Design:
    """The power of a number of seeds and mazes for a difference with known variances, by simulated mean squares.

    Args:
        components: of the difference.
        pooled: the variance between seeds, mean over all contrasts.
        tests: how many contrasts are planned.
        of_pairs: see `pairs_in_effect`.
    """

    def __init__(
        self, components: Components, pooled: float, seeds: int, mazes: int, tests: int = 1, of_pairs: float = 1.0
    ):
        from scipy.special import stdtrit

        rng = np.random.default_rng(0)

        def drawn(expected: float, df: float) -> np.ndarray:
            return expected * rng.chisquare(df, DRAWS) / df if df else np.zeros(DRAWS)

        both = components.both if seeds > 1 else 0.0
        of_seeds = drawn(both + mazes * components.seeds, seeds - 1)
        # The contrast is one of those that are pooled.
        others = drawn(both + mazes * pooled, (seeds - 1) * (of_pairs - 1))
        of_pool = (of_seeds + (of_pairs - 1) * others) / of_pairs
        of_mazes = drawn(components.both + seeds * components.mazes, mazes - 1)
        of_both = drawn(both, (seeds - 1) * (mazes - 1))
        error, df = error_of(of_seeds, of_mazes, of_both, seeds, mazes, seeds - 1)
        own = stdtrit(df, 1 - LEVEL / 2) * error
        larger = np.maximum(of_seeds, of_pool)
        error, df = error_of(larger, of_mazes, of_both, seeds, mazes, (seeds - 1) * of_pairs)
        self.needed = np.maximum(own, stdtrit(df, 1 - LEVEL / 2 / tests) * error)  # Holm's first step
        variance = components.mazes / mazes + components.both / (seeds * mazes)
        variance += components.seeds / seeds if seeds > 1 else 0.0
        self.chance = np.sqrt(variance) * rng.standard_normal(DRAWS)

    def power(self, effect: float) -> float:
        """The share of studies in which a true difference of `effect` is shown."""
        return float(np.mean(np.abs(effect + self.chance) > self.needed))

    def smallest(self) -> float | None:
        """The least true difference that is shown in 80 % of such studies; None where not even 1 is."""
        if self.power(1.0) < POWER:
            return None
        low, high = 0.0, 1.0
        for _ in range(16):
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(middle) >= POWER else (middle, high)
        return high


def holm(ps: Sequence[float]) -> list[float]:
    """The p values corrected for their number (Holm, 1979).

    statsmodels has it too, and collects garbage at every call: a tenth of a second with our packages loaded.
    """
    order = np.argsort(ps)
    corrected = np.empty(len(ps))
    corrected[order] = np.maximum.accumulate(np.asarray(ps)[order] * np.arange(len(ps), 0, -1)) if len(ps) else []
    return np.minimum(corrected, 1.0).tolist()
