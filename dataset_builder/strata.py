"""Strata of held-out splits: short and long paths, few and many decisions, of easy and of hard mazes.

A path that is long for 4x4 cells is short for 7x7, and winding generators have longer paths than branching ones. So
the bins of a kind are bounded by quantiles of its own mazes, the first of its sequence, and depend on nothing else.
All strata get equally many rows, regardless of their share of the kind's mazes, except for those with very few: hard
mazes with short paths and few decisions.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from ascii_maze.mazes import kernels
from ascii_maze.mazes.generators import mazes_at
from ascii_maze.mazes.planning import decisions_along, rules_of

SURVEYED = 8_192  # mazes of a kind
LEAST_SHARE = 1 / 200  # of them; a rarer stratum is left out

Span = tuple[int, int | None]  # both included; None for no upper end
ANY: Span = (0, None)


class Stratum(NamedTuple):
    """Moves of the shortest path and decisions on it, each as an inclusive range."""

    lengths: Span = ANY
    decisions: Span = ANY


@cache
def strata_of(kind, seed: int, lengths: int, decisions: int) -> dict[str, list[Stratum]]:
    """The strata of a kind that are not too rare.

    Args:
        kind: a `config.Kind`.
        seed: of the dataset.
        lengths: how many bins of path lengths; 1 for none.
        decisions: likewise.

    Returns:
        `easy`, `hard` and `any` -> the strata; empty where such mazes are too rare.
    """
    indices = np.arange(SURVEYED)
    mazes = mazes_at(kind.generator, kind.width, kind.height, indices, seed, kind.braid, kind.endpoints)
    letters, offsets = kernels.solve(mazes.open, mazes.ends)
    length, made = np.diff(offsets), decisions_along(mazes.open, mazes.ends, letters, offsets)[:, 0]
    easy = rules_of(mazes.open, mazes.ends) > 0
    cells = [Stratum(one, other) for one in spans(length, lengths) for other in spans(made, decisions)]
    fits = [inside(length, cell.lengths) & inside(made, cell.decisions) for cell in cells]
    parts = {"easy": easy, "hard": ~easy, "any": np.ones(SURVEYED, bool)}
    return {
        name: [cell for cell, fit in zip(cells, fits) if (fit & part).mean() >= LEAST_SHARE]
        for name, part in parts.items()
    }


def spans(values: np.ndarray, bins: int) -> list[Span]:
    """At most `bins` ranges of integers, bounded by quantiles of some values; fewer if quantiles coincide."""
    ends = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf")).astype(int).tolist()
    ends = [end for end in ends if end < values.max()]
    return list(zip([0, *(end + 1 for end in ends)], [*ends, None]))


def inside(values: np.ndarray, span: Span) -> np.ndarray:
    """Which values lie in a span, bool (n,)."""
    least, most = span
    return (values >= least) & (values <= (np.inf if most is None else most))
