"""Regions and graphs of activations (LLM-MRI, Costa et al., SBBD 2024), base against each fine-tune.

All models share one basis per layer, fitted on the union of their prompts, so that a component or a cell means the
same in each; as a check, edges are also counted in a basis of the base alone. Every count comes with the noise floor:
how well two halves of the base's own prompts agree, which a change must exceed.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...errors import AsciiMazeError, UsageError, did_you_mean
from ..schema.regions import Agreement, ModelRegions, RegionComparison
from .edges import ALL, compare_models, find_edges, find_regions, split_halves

if TYPE_CHECKING:
    from .areas import ModelAreas

LLM_MRI = "llm-mri==0.2.1"
# With half as many, the p value of a rank correlation by Student's t is still accurate.
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
        AsciiMazeError: it, or one of its dependencies, is missing; says how to install it.
    """
    try:
        importlib.import_module("llm_mri")
    except ImportError as error:
        add = f"pip install 'ascii-maze[mri]' && pip install --no-deps {LLM_MRI}"
        raise AsciiMazeError(f"activation regions need llm-mri ({error}); add it: {add}") from error


@dataclass(frozen=True)
class RegionSettings:
    """How regions and edges are found.

    Attributes:
        position: one of `Readable.positions`.
        seed: of the reductions and of the halves.
        reduction: pca, svd or umap.
        components: of the graph; the grid has two.
        gridsize: cells along each side of the grid, which spans the coordinates of all models.
        threshold: least absolute Spearman correlation of an edge.
        alpha: false discovery rate among all pairs of components of adjacent layers.
        share: of all prompts, which a cell must hold to be a region.
        splits: random halves of the prompts from which the noise floor is taken.
    """

    position: str
    seed: int
    reduction: str = "pca"
    components: int = 10
    gridsize: int = 10
    threshold: float = 0.3
    alpha: float = 0.05
    share: float = 0.01
    splits: int = 10


@dataclass(frozen=True)
class Fitted:
    """Several models in shared bases at one position, not yet labelled.

    Attributes:
        groups: int (n,), of each prompt.
        explained: as `compare_regions` returns it.
        areas: `components` and `plane`, in bases of all models, and `components_of_base`, in bases of the base alone
            -> model -> its llm-mri areas, without labels.
        of_all: what `edges.compare_models` returns over all prompts, by what is compared.
    """

    settings: RegionSettings
    groups: np.ndarray
    explained: dict[str, list[float | None]]
    areas: dict[str, dict[str, "ModelAreas"]]
    of_all: dict[str, dict[str, Agreement]]


def fit_regions(activations: Readable, settings: RegionSettings, groups: np.ndarray | None = None) -> Fitted:
    """Fit shared bases layer by layer, transform every model's prompts, and compare them with the base's.

    Args:
        activations: whose models, the base first, read the same prompts.
        groups: int (n,), rows of one group, such as the moves of one maze, stay in one half; None: each row its own.

    Raises:
        UsageError: too few prompts, no such position or reduction, or activations that are not finite, not of one
            number of prompts, or all equal.
        AsciiMazeError: llm-mri is not installed.
    """
    _check_settings(activations, settings)
    count = _count_prompts(activations, settings)
    require_llm_mri()
    from .areas import HiddenStates

    unlabelled = np.zeros(count, dtype=int), [ALL]
    states = {
        model: HiddenStates(_reader(activations, model, settings, count), activations.layers, *unlabelled)
        for model in activations.models
    }
    areas, explained = _fit_bases(states, settings)
    groups = np.arange(count) if groups is None else groups
    halves = split_halves(groups, settings.splits, [settings.seed, 0])
    of_all = {
        what: compare_models(measure, activations.models, np.arange(count), halves)
        for what, measure in measures(areas, settings).items()
    }
    return Fitted(settings, groups, explained, areas, of_all)


def _count_prompts(activations: Readable, settings: RegionSettings) -> int:
    count = len(activations.read(activations.models[0], 0, settings.position))
    least = max(LEAST_PROMPTS, settings.components)
    if count < least:
        raise UsageError(
            f"{count} prompts are too few for {settings.components} components: take {least} or more, or fewer "
            "components"
        )
    return count


def _fit_bases(states: dict, settings: RegionSettings) -> tuple[dict, dict[str, list[float | None]]]:
    """`areas` and `explained` of `Fitted`."""
    from .areas import fit_areas
    from .reduction import REDUCTIONS

    areas, explained = {}, {}
    for name, fitted_on, dimensions in (
        ("components", list(states), settings.components),
        ("plane", list(states), 2),
        ("components_of_base", list(states)[:1], settings.components),
    ):
        reduction = REDUCTIONS[settings.reduction]
        basis = reduction(dimensions, random_state=settings.seed, gridsize=settings.gridsize)
        areas[name] = fit_areas(basis, fitted_on, states, settings.alpha)
        explained[name] = basis.explained()
        if all(fitted is None for fitted in basis.bases.values()):
            raise UsageError(
                f"every prompt has the same activations at {settings.position}, in every layer: the models have "
                "read nothing of the mazes there; choose another position"
            )
    return areas, {name: explained[name] for name in ("components", "plane")}


def compare_regions(fitted: Fitted, labels: np.ndarray, label_names: Sequence[str]) -> RegionComparison:
    """Compare the regions and the edges of every model with those of the base, over all prompts and by label.

    Args:
        labels: int (n,), indices of `label_names`; a label of fewer than 20 prompts gets no graph of its own.

    Returns:
        What JSON can hold: `models`, for every model but the base, has `edges_gained`, `edges_lost`, `edges_kept` and
        `noise_floor` over all prompts, and for all prompts and for each label `edges`, `edges_in_basis_of_base` and
        `regions`, each as `edges.compare_models` returns it; `metrics` of the graphs, by model and label; `explained`,
        the share of the variance that the components and the two of the grid hold, by layer; `labels`, the prompts of
        each; `left_out`; `settings`; and for the figures `graphs` (networkx's node-link data) and `grids`.

    Raises:
        UsageError: fewer than two labels of enough prompts, or not one label for each prompt.
    """
    settings, models = fitted.settings, list(fitted.areas["components"])
    rows, left_out = _rows_by_label(labels, label_names, len(fitted.groups))
    labelled = {
        name: {model: area.relabelled(labels, label_names) for model, area in fitted.areas[name].items()}
        for name in ("components", "plane")
    }
    # Of all prompts, llm-mri's name of the category is None.
    category = {ALL: None, **{name: name for name in rows}}
    graphs = {
        model: {name: area.get_graph(label, settings.threshold) for name, label in category.items()}
        for model, area in labelled["components"].items()
    }
    return {
        "base": models[0],
        "models": _agreements(fitted, rows),
        "metrics": {model: {name: _metrics(graph) for name, graph in some.items()} for model, some in graphs.items()},
        "explained": fitted.explained,
        "labels": {ALL: len(labels), **{name: len(some) for name, some in rows.items()}},
        "left_out": left_out,
        "settings": asdict(settings),
        "graphs": {model: {name: _data(graph) for name, graph in some.items()} for model, some in graphs.items()},
        "grids": {
            model: {name: area.graph_class.counts(label).tolist() for name, label in category.items()}
            for model, area in labelled["plane"].items()
        },
    }


def _agreements(fitted: Fitted, rows: dict[str, np.ndarray]) -> dict[str, ModelRegions]:
    """Of every model but the base, over all prompts and by label; `rows` are each label's."""
    settings, models = fitted.settings, list(fitted.areas["components"])
    compared: dict[str, dict[str, dict[str, Agreement]]] = {
        what: {model: {ALL: table[model]} for model in models[1:]} for what, table in fitted.of_all.items()
    }
    for rank, (name, some) in enumerate(rows.items(), 1):
        halves = split_halves(fitted.groups[some], settings.splits, [settings.seed, rank])
        for what, measure in measures(fitted.areas, settings).items():
            for model, row in compare_models(measure, models, some, halves).items():
                compared[what][model][name] = row
    return {
        model: {
            "edges_gained": compared["edges"][model][ALL]["gained"],
            "edges_lost": compared["edges"][model][ALL]["lost"],
            "edges_kept": compared["edges"][model][ALL]["kept"],
            "noise_floor": compared["edges"][model][ALL]["noise_floor"],
            "edges": compared["edges"][model],
            "edges_in_basis_of_base": compared["edges_in_basis_of_base"][model],
            "regions": compared["regions"][model],
        }
        for model in models[1:]
    }


@dataclass(frozen=True)
class Measure:
    """What is compared: (model, rows) -> its set of edges or regions; see `edges`.

    Attributes:
        data: model -> what its set is made of, (layers, n, ...).
        set_of: some prompts' part of it -> their set.
    """

    data: dict[str, np.ndarray]
    set_of: Callable[[np.ndarray], np.ndarray]

    def __call__(self, model: str, rows: np.ndarray) -> np.ndarray:
        return self.set_of(self.data[model][:, rows])


def measures(areas: dict[str, dict[str, "ModelAreas"]], settings: RegionSettings) -> dict[str, Measure]:
    """Every measure by its name.

    Args:
        areas: of `Fitted`; so are `settings`.
    """

    def edges(name: str) -> Measure:
        components = {
            model: np.stack([x.numpy() for x in area.reduced_dataset.values()]) for model, area in areas[name].items()
        }
        return Measure(components, lambda layers: find_edges(list(layers), settings.threshold, settings.alpha))

    cells = {model: area.graph_class.cells for model, area in areas["plane"].items()}
    return {
        "edges": edges("components"),
        "edges_in_basis_of_base": edges("components_of_base"),
        "regions": Measure(cells, lambda places: find_regions(places, settings.gridsize**2, settings.share)),
    }


def _check_settings(activations: Readable, settings: RegionSettings) -> None:
    known = ("pca", "svd", "umap")
    for kind, name, names in (
        ("reduction", settings.reduction, known),
        ("position", settings.position, activations.positions),
    ):
        if name not in names:
            raise UsageError(f"no {kind} {name!r}{did_you_mean(name, names)}; there are {', '.join(names)}")
    for name, least in (("components", 3), ("gridsize", 2), ("splits", 1)):
        if (given := getattr(settings, name)) < least:
            raise UsageError(f"{name} must be at least {least}, not {given}")


def _rows_by_label(labels: np.ndarray, names: Sequence[str], count: int) -> tuple[dict, dict[str, int]]:
    """The rows of each label with enough prompts; and the number of prompts of the others."""
    if len(labels) != count:
        raise UsageError(f"there are {len(labels)} labels of {count} prompts; give one for each")
    counts = np.bincount(labels, minlength=len(names))
    rows = {name: np.flatnonzero(labels == index) for index, name in enumerate(names)}
    kept = {name: some for name, some in rows.items() if len(some) >= LEAST_PROMPTS}
    if len(kept) < 2:
        found = ", ".join(f"{name!r}: {number}" for name, number in zip(names, counts) if number)
        raise UsageError(
            f"regions compare two labels or more, of {LEAST_PROMPTS} prompts each, but there are {found}: "
            "take other labels or more prompts"
        )
    return kept, {name: len(some) for name, some in rows.items() if 0 < len(some) < LEAST_PROMPTS}


def _reader(activations: Readable, model: str, settings: RegionSettings, count: int) -> Callable:
    """Layer -> float32 (n, width), checked."""
    position, components = settings.position, settings.components

    def read(layer: int) -> np.ndarray:
        rows = activations.read(model, layer, position)
        if len(rows) != count:
            raise UsageError(
                f"{model!r} has {len(rows)} rows at {position}, layer {layer}, where the base has {count}"
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
    """llm-mri's metrics of a graph; None for undefined ones, such as the centre of a graph without edges."""
    import warnings

    from .graphs import GraphMetrics

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # equal degrees have no skewness
        metrics = GraphMetrics(graph, None, None).get_basic_metrics()
    numbers = {name: float(value) for name, value in metrics.items() if name not in ("model_name", "label")}
    return {name: value if np.isfinite(value) else None for name, value in numbers.items()}


def _data(graph) -> dict:
    from networkx import node_link_data

    return node_link_data(graph, edges="edges")
