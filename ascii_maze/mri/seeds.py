"""Whether two methods change the model differently, or only as two seeds of one method would.

Adapters `sft@0` and `sft@1` are two seeds of `sft`. Two methods differ if the distances between their adapters are
larger than those among the seeds of one method. The labels (method, seed) are permuted in all ways; the statistic is
the largest, over layers, of (between - within) / all distances, which accounts for testing many layers. With few
seeds even the clearest difference has a large p: 1/3 with two seeds of each, 1/126 with five.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .schema.states import SeedTest


def method_of(name: str) -> str:
    """`sft@1` -> `sft`."""
    return name.partition("@")[0]


def methods_of(names: Sequence[str]) -> dict[str, list[str]]:
    """Method -> its adapters, in their order."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(method_of(name), []).append(name)
    return found


def first_seeds(names: Sequence[str]) -> list[str]:
    """One adapter of each method."""
    return [seeds[0] for seeds in methods_of(names).values()]


def distances(names: Sequence[str], between: Callable[[str, str], Sequence[float]]) -> np.ndarray:
    """The distances of every two adapters, float64 (layers, n, n); symmetric, 0 on the diagonal."""
    pairs = list(itertools.combinations(range(len(names)), 2))
    columns = [np.asarray(between(names[a], names[b]), dtype=float) for a, b in pairs]
    table = np.zeros((len(columns[0]), len(names), len(names)))
    for (a, b), column in zip(pairs, columns):
        table[:, a, b] = table[:, b, a] = column
    return table


def compare_seeds(
    names: Sequence[str], measures: Mapping[str, Callable[[str, str], Sequence[float]]]
) -> list[SeedTest]:
    """Every two methods of several seeds, by every measure.

    Args:
        names: of the adapters.
        measures: name -> (adapter, adapter) -> their distance by layer.
    """
    several = [name for name in names if len(methods_of(names)[method_of(name)]) > 1]
    if len(methods_of(several)) < 2:
        return []
    return [
        test
        for measure, between in measures.items()
        for test in compare_methods(measure, several, distances(several, between))
    ]


def compare_methods(measure: str, names: Sequence[str], table: np.ndarray) -> list[SeedTest]:
    """A test of every two methods of which there are two seeds or more.

    Args:
        measure: what the distances are of.
        names: of the adapters.
        table: of `distances`.
    """
    several = {method: seeds for method, seeds in methods_of(names).items() if len(seeds) > 1}
    found: list[SeedTest] = []
    for a, b in itertools.combinations(several, 2):
        rows, first = [names.index(name) for name in (*several[a], *several[b])], len(several[a])
        part = table[np.ix_(range(len(table)), rows, rows)]
        between, within = split(part, range(first))
        statistic, p, ways = permute(part, first)
        layers = _excess(part, range(first))
        found.append(
            SeedTest(
                a=a,
                b=b,
                measure=measure,
                seeds=[first, len(rows) - first],
                between=between.tolist(),
                within=within.tolist(),
                layer=int(np.nanargmax(layers)) if np.isfinite(layers).any() else None,
                statistic=statistic,
                p=p,
                smallest_p=1 / ways,
            )
        )
    return found


def permute(table: np.ndarray, first: int) -> tuple[float, float, int]:
    """The permutation test of two groups of adapters.

    Args:
        table: distances, float (layers, n, n).
        first: how many of the n are of the first group; the rest are of the second.

    Returns:
        The statistic, its p, and in how many ways the adapters can be divided.
    """
    count = table.shape[1]
    groups = list(itertools.combinations(range(count), first))
    if 2 * first == count:  # a division and its mirror image are the same
        groups = [group for group in groups if 0 in group]
    values = [_largest(table, group) for group in groups]
    observed = _largest(table, range(first))
    return observed, sum(value >= observed - 1e-12 for value in values) / len(groups), len(groups)


def split(table: np.ndarray, group: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean distances between a group and the rest, and within both: float64 (layers,) each."""
    inside = np.isin(np.arange(table.shape[1]), group)
    across = inside[:, None] != inside[None, :]
    upper = np.triu(np.ones_like(across), 1).astype(bool)
    return table[:, across & upper].mean(axis=1), table[:, ~across & upper].mean(axis=1)


def _excess(table: np.ndarray, group: Sequence[int]) -> np.ndarray:
    between, within = split(table, group)
    count = table.shape[1]
    scale = table.sum(axis=(1, 2)) / (count * (count - 1))  # the same for every division
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(scale > 0, (between - within) / scale, np.nan)


def _largest(table: np.ndarray, group: Sequence[int]) -> float:
    excess = _excess(table, group)
    return float(np.nanmax(excess)) if np.isfinite(excess).any() else 0.0
