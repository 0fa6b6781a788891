"""Regions and graphs of activations (LLM-MRI, Costa et al., SBBD 2024), base against each fine-tune.

Every model is seen in one basis per layer, fitted on the union of all models, so that a component or a cell means the
same in each; as a check, the edges are counted in a basis of the base alone too. Beside every count stands how well
two halves of the base's own prompts agree: what a change must exceed.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from ..errors import AsciiMazeError, UsageError, did_you_mean
from .edges import ALL, compare_models, find_edges, find_regions, split_halves

LLM_MRI = "llm-mri==0.2.1"
# Of half of them the p-value of a rank correlation, by Student's t, is to be trusted.
LEAST_PROMPTS = 20


class Readable(Protocol):
    """Hidden states of several models on the same prompts, the base first; see `activations`."""

    models: list[str]
    layers: int
    positions: list[str]

    def read(self, model: str, layer: int, position: str) -> np.ndarray:
        """float32 (n, width)."""


def require_llm_mri() -> None:
    """Import llm-mri.

    Raises:
        AsciiMazeError: it, or something that it needs, is not there; says how to add it.
    """
    try:
        importlib.import_module("llm_mri")
    except ImportError as error:
        add = f"pip install 'ascii-maze[mri]' && pip install --no-deps {LLM_MRI}"
        raise AsciiMazeError(f"activation regions need llm-mri ({error}); add it: {add}") from error


def compare_regions(
    activations: Readable,
    labels: np.ndarray,
    label_names: Sequence[str],
    position: str,
    seed: int,
    *,
    groups: np.ndarray | None = None,
    reduction: str = "pca",
    components: int = 10,
    gridsize: int = 10,
    threshold: float = 0.3,
    alpha: float = 0.05,
    share: float = 0.01,
    splits: int = 10,
) -> dict:
    """Compare the regions and the edges of every model with those of the base.

    Args:
        activations: whose models, the base first, read the same prompts.
        labels: int (n,), indices of `label_names`; a label of fewer than 20 prompts gets no graph of its own.
        position: one of `activations.positions`.
        seed: of the reductions and of the halves.
        groups: int (n,), rows of one group, as the moves of one maze, stay in one half; each row its own if None.
        reduction: pca, svd or umap.
        components: of the graph; the grid has two.
        gridsize: cells along either side of the grid, which spans the coordinates of all models.
        threshold: least absolute Spearman correlation of an edge.
        alpha: false discovery rate among all pairs of components of adjacent layers.
        share: of the prompts that a cell must hold to be a region.
        splits: random halves of the prompts from which the noise floor is taken.

    Returns:
        What JSON can hold: `models`, for every model but the base, has `edges_gained`, `edges_lost`, `edges_kept` and
        `noise_floor` over all prompts, and for all prompts and for each label `edges`, `edges_in_basis_of_base` and
        `regions`, each as `edges.compare_models` returns it; `metrics` of the graphs, by model and label; `explained`,
        the share of the variance that the components and the two of the grid hold, by layer; `labels`, the prompts of
        each; `left_out`; `settings`; and for the figures `graphs` (networkx's node-link data) and `grids`.

    Raises:
        UsageError: too few prompts, fewer than two labels, no such position, activations that are not finite.
        AsciiMazeError: llm-mri is not installed.
    """
    settings = {"position": position, "seed": seed, "reduction": reduction, "components": components}
    settings |= {"gridsize": gridsize, "threshold": threshold, "alpha": alpha, "share": share, "splits": splits}
    _check_settings(activations, settings)
    rows, left_out = _rows_by_label(labels, label_names, components)
    require_llm_mri()
    from .areas import HiddenStates, fit_areas
    from .reduction import REDUCTIONS

    models, base = activations.models, activations.models[0]
    groups = np.arange(len(labels)) if groups is None else groups
    halves = {name: split_halves(groups[some], splits, [seed, rank]) for rank, (name, some) in enumerate(rows.items())}
    states = {}
    for model in models:
        read = _reader(activations, model, position, len(labels), components)
        states[model] = HiddenStates(read, activations.layers, labels, label_names)

    def fit(fitted_on: Sequence[str], count: int):
        basis = REDUCTIONS[reduction](count, random_state=seed, gridsize=gridsize)
        return basis, fit_areas(basis, fitted_on, states, alpha)

    def compare(measure: Callable) -> dict[str, dict[str, dict]]:
        tables = {name: compare_models(measure, models, some, halves[name]) for name, some in rows.items()}
        return {model: {name: table[model] for name, table in tables.items()} for model in models[1:]}

    def compare_edges(areas: dict) -> dict[str, dict[str, dict]]:
        layers = {model: [layer.numpy() for layer in area.reduced_dataset.values()] for model, area in areas.items()}
        return compare(lambda model, some: find_edges([layer[some] for layer in layers[model]], threshold, alpha))

    (basis, areas), (plane, planes) = fit(models, components), fit(models, 2)
    if all(fitted is None for fitted in basis.bases.values()):
        raise UsageError(
            f"every prompt has the same activations at {position}, in every layer: the models have seen nothing of "
            "the mazes there; choose another position"
        )
    cells = {model: area.graph_class.cells for model, area in planes.items()}
    edges, in_base = compare_edges(areas), compare_edges(fit([base], components)[1])
    regions = compare(lambda model, some: find_regions(cells[model][:, some], gridsize**2, share))
    # Of all prompts, llm-mri's name of the category is None.
    category = {name: None if name == ALL else name for name in rows}
    graphs = {
        model: {name: area.get_graph(category[name], threshold) for name in rows} for model, area in areas.items()
    }
    return {
        "base": base,
        "models": {
            model: {
                **{f"edges_{what}": edges[model][ALL][what] for what in ("gained", "lost", "kept")},
                "noise_floor": edges[model][ALL]["noise_floor"],
                "edges": edges[model],
                "edges_in_basis_of_base": in_base[model],
                "regions": regions[model],
            }
            for model in models[1:]
        },
        "metrics": {model: {name: _metrics(graph) for name, graph in some.items()} for model, some in graphs.items()},
        "explained": {"components": basis.explained(), "plane": plane.explained()},
        "labels": {name: len(some) for name, some in rows.items()},
        "left_out": left_out,
        "settings": settings,
        "graphs": {model: {name: _data(graph) for name, graph in some.items()} for model, some in graphs.items()},
        "grids": {
            model: {name: area.graph_class.counts(category[name]).tolist() for name in rows}
            for model, area in planes.items()
        },
    }


def _check_settings(activations: Readable, settings: dict) -> None:
    known = ("pca", "svd", "umap")
    for kind, name, names in (
        ("reduction", settings["reduction"], known),
        ("position", settings["position"], activations.positions),
    ):
        if name not in names:
            raise UsageError(f"no {kind} {name!r}{did_you_mean(name, names)}; there are {', '.join(names)}")
    for name, least in (("components", 3), ("gridsize", 2), ("splits", 1)):
        if settings[name] < least:
            raise UsageError(f"{name} must be at least {least}, not {settings[name]}")


def _rows_by_label(labels: np.ndarray, names: Sequence[str], components: int) -> tuple[dict, dict[str, int]]:
    """The rows of all prompts and of each label that has enough; and how many prompts the others have."""
    least = max(LEAST_PROMPTS, components)
    if len(labels) < least:
        raise UsageError(
            f"{len(labels)} prompts are too few for {components} components: take {least} or more, or fewer components"
        )
    counts = np.bincount(labels, minlength=len(names))
    rows = {name: np.flatnonzero(labels == index) for index, name in enumerate(names)}
    kept = {name: some for name, some in rows.items() if len(some) >= LEAST_PROMPTS}
    if len(kept) < 2:
        found = ", ".join(f"{name!r}: {count}" for name, count in zip(names, counts) if count)
        raise UsageError(
            f"regions compare two labels or more, of {LEAST_PROMPTS} prompts each, but there are {found}: "
            "take other labels or more prompts"
        )
    left_out = {name: len(some) for name, some in rows.items() if 0 < len(some) < LEAST_PROMPTS}
    return {ALL: np.arange(len(labels)), **kept}, left_out


def _reader(activations: Readable, model: str, position: str, count: int, components: int) -> Callable:
    """Layer -> float32 (n, width), checked."""

    def read(layer: int) -> np.ndarray:
        rows = activations.read(model, layer, position)
        if len(rows) != count:
            raise UsageError(
                f"{model!r} has {len(rows)} rows at {position}, layer {layer}, but there are {count} labels"
            )
        if rows.shape[1] < components:
            raise UsageError(f"{components} components are more than the model's width, {rows.shape[1]}: take fewer")
        broken = int(np.sum(~np.isfinite(rows).all(axis=1)))
        if broken:
            raise UsageError(
                f"activations of {model!r} at layer {layer}, {position}, are NaN or infinite for {broken} of {count} "
                "prompts: its weights are broken; train it again, or leave it out"
            )
        return rows

    return read


def _metrics(graph) -> dict[str, float | None]:
    """llm-mri's metrics of a graph; None for what has no value, as the centre of a graph without edges."""
    import warnings

    from .graphs import GraphMetrics

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of degrees that are all alike, which have no skewness
        metrics = GraphMetrics(graph, None, None).get_basic_metrics()
    numbers = {name: float(value) for name, value in metrics.items() if name not in ("model_name", "label")}
    return {name: value if np.isfinite(value) else None for name, value in numbers.items()}


def _data(graph) -> dict:
    from networkx import node_link_data

    return node_link_data(graph, edges="edges")
