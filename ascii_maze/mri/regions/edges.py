"""Edges between components of adjacent layers, and how much two sets of edges (or of regions) share.

A set of edges is an array (layers - 1, k, k): at [l, a, b] the weight of the edge from component a of layer l to
component b of layer l + 1, and 0 where there is none. A set of regions is an array (layers, cells) of 0 and 1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..schema.regions import Agreement

if TYPE_CHECKING:
    import networkx as nx

# The name of the graph over the prompts of all labels.
ALL = "all prompts"
Halves = Sequence[tuple[np.ndarray, np.ndarray]]


def rank_correlations(layers: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Spearman's rho of every component of a layer with every one of the next; ties share their mean rank.

    Args:
        layers: float (n, k) each, the components of n prompts.

    Returns:
        rho and its two-sided p-value by Student's t, float64 (layers - 1, k, k). A constant component has no ranks:
        rho 0 and p 1 with everything.
    """
    from scipy.stats import rankdata, t

    count = len(layers[0])
    ranks = rankdata(np.stack(layers), axis=1) - (count + 1) / 2
    lengths = np.linalg.norm(ranks, axis=1, keepdims=True)
    ranks /= np.where(lengths, lengths, 1.0)
    rho = np.clip(ranks[:-1].transpose(0, 2, 1) @ ranks[1:], -1.0, 1.0)
    with np.errstate(divide="ignore"):
        p = 2 * t.sf(np.abs(rho) * np.sqrt((count - 2) / (1 - rho**2)), count - 2)
    return rho, p


def find_edges(layers: Sequence[np.ndarray], threshold: float, alpha: float) -> np.ndarray:
    """The correlations that are strong and significant.

    Args:
        layers: float (n, k) each.
        threshold: least absolute rho of an edge.
        alpha: false discovery rate among all pairs of the graph (Benjamini and Hochberg, JRSS B 1995).

    Returns:
        rho where there is an edge, else 0: float64 (layers - 1, k, k).
    """
    from scipy.stats import false_discovery_control

    rho, p = rank_correlations(layers)
    q = false_discovery_control(p, axis=None).reshape(p.shape)
    return np.where((q <= alpha) & (np.abs(rho) >= threshold), rho, 0.0)


def count_cells(cells: np.ndarray, number: int) -> np.ndarray:
    """Prompts in each cell: of int (layers, n), the cell of each prompt, int (layers, number)."""
    return np.array([np.bincount(layer, minlength=number) for layer in cells])


def find_regions(cells: np.ndarray, number: int, share: float) -> np.ndarray:
    """The cells that hold at least a share of the prompts, and at least one: 0 and 1, (layers, number)."""
    return (count_cells(cells, number) >= max(1.0, share * cells.shape[1])).astype(np.int8)


def split_halves(groups: np.ndarray, splits: int, seed: Sequence[int]) -> Halves:
    """Random halves of rows; rows of one group, such as the moves of one maze, stay together.

    Args:
        groups: int (n,), the group of each row.

    Returns:
        `splits` pairs of int arrays, the rows of either half.
    """
    rng, names = np.random.default_rng(seed), np.unique(groups)
    halves = []
    for _ in range(splits):
        first = np.isin(groups, rng.permutation(names)[: len(names) // 2])
        halves.append((np.flatnonzero(first), np.flatnonzero(~first)))
    return halves


def compare_sets(before: np.ndarray, after: np.ndarray) -> dict:
    """What is gained, lost and kept, in total and by layer; an edge that changes sign is both lost and gained."""
    one, two = np.sign(before), np.sign(after)
    inner = tuple(range(1, one.ndim))
    kept = np.sum((one == two) & (one != 0), axis=inner)
    counts = {"gained": np.sum(two != 0, axis=inner) - kept, "lost": np.sum(one != 0, axis=inner) - kept, "kept": kept}
    return {
        **{name: int(count.sum()) for name, count in counts.items()},
        "by_layer": {name: count.tolist() for name, count in counts.items()},
    }


def agreements(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Jaccard's index of two sets, kept / (kept + gained + lost): of all layers, then of each, float64 (1 + layers,).

    Two empty sets agree: 1 over all layers, NaN for a single layer.
    """
    sets = compare_sets(before, after)
    kept, gained, lost = (np.array([sets[name], *sets["by_layer"][name]]) for name in ("kept", "gained", "lost"))
    either = kept + gained + lost
    index = np.divide(kept, either, out=np.full(len(kept), np.nan), where=either > 0)
    index[0] = 1.0 if np.isnan(index[0]) else index[0]
    return index


def compare_models(measure: Callable, models: Sequence[str], rows: np.ndarray, halves: Halves) -> dict[str, Agreement]:
    """Each model's set against the first model's, beside the noise from the choice of prompts.

    Args:
        measure: (model, rows) -> its set, as an array.
        rows: int (n,), the prompts to use.
        halves: pairs of int arrays that index `rows`.

    Returns:
        By name of every model but the first, what `compare_sets` returns, `agreement`, and over the splits
        `noise_floor`, how well the first model on one half agrees with itself on the other (mean), `noise_range`
        (least and greatest), and `across_halves`, how well the other model on one half agrees with the first on the
        other (mean). Noise floor and across halves use equally many prompts: if the latter is no lower, another choice
        of prompts would have changed as much. All are also given by layer, `by_layer`, None for empty sets.
    """
    base = models[0]
    whole = {model: measure(model, rows) for model in models}
    noise: list[np.ndarray] = []
    across: dict[str, list[np.ndarray]] = {model: [] for model in models[1:]}
    for halved in halves:
        sets = {model: [measure(model, rows[half]) for half in halved] for model in models}
        noise.append(agreements(*sets[base]))
        for model, values in across.items():
            values += [agreements(sets[base][0], sets[model][1]), agreements(sets[model][0], sets[base][1])]
    floor, floors = _mean(noise)
    extent = [min(float(value[0]) for value in noise), max(float(value[0]) for value in noise)]
    table = {}
    for model, values in across.items():
        mean, means = _mean(values)
        counts = compare_sets(whole[base], whole[model])
        table[model] = Agreement(
            agreement=float(agreements(whole[base], whole[model])[0]),
            noise_floor=floor,
            noise_range=extent,
            across_halves=mean,
            gained=counts["gained"],
            lost=counts["lost"],
            kept=counts["kept"],
            by_layer={**counts["by_layer"], "noise_floor": floors, "across_halves": means},
        )
    return table


def _mean(values: Sequence[np.ndarray]) -> tuple[float, list[float | None]]:
    """The mean of agreements, of all layers and of each."""
    table = np.array(values)
    there = ~np.isnan(table)
    sums, counts = np.where(there, table, 0.0).sum(axis=0), there.sum(axis=0)
    layers = [float(one / count) if count else None for one, count in zip(sums[1:], counts[1:])]
    return float(sums[0] / counts[0]), layers


def overlay(graphs: Mapping[str, "nx.DiGraph"]) -> "nx.MultiDiGraph":
    """Graphs of several labels or models in one; an edge of two is there twice, by name, with the weight of each."""
    import networkx as nx

    both = nx.MultiDiGraph()
    for name, graph in graphs.items():
        both.add_nodes_from(graph.nodes(data=True))
        both.add_edges_from((u, v, name, dict(data)) for u, v, data in graph.edges(data=True))
        both.graph.update(graph.graph)
    both.graph["label_names"] = list(graphs)
    return both


def agreement_in_words(found: Agreement) -> str:
    """`0.60, 0.77 expected, p 0.01`: on the same prompts, with the expected agreement of models that do not differ."""
    expected = f", {found['expected']:.2f} expected, p {found['p']:.2g}" if "p" in found else ""
    return f"{found['agreement']:.2f}{expected}"
