"""Regions and graphs (LLM-MRI) in mri.json."""

from typing import Any, NotRequired, TypedDict


class Agreement(TypedDict):
    """Edges or regions of a fine-tune against the base's; see `regions.edges.compare_models`."""

    agreement: float
    noise_floor: float
    noise_range: list[float]
    across_halves: float
    gained: int
    lost: int
    kept: int
    by_layer: dict[str, list]
    expected: NotRequired[float]
    p: NotRequired[float]


class Changes(TypedDict):
    """Edges and regions of a fine-tune against another model's, with a test; see `regions.changes.find_changes`."""

    edges: Agreement
    regions: Agreement


class ModelRegions(TypedDict):
    """One fine-tune's graph against the base's: over all prompts, then in full by label."""

    edges_gained: int
    edges_lost: int
    edges_kept: int
    noise_floor: float
    edges: dict[str, Agreement]
    edges_in_basis_of_base: dict[str, Agreement]
    regions: dict[str, Agreement]


class RegionNumbers(TypedDict):
    """Regions and graphs of all models under one way to label the mazes; see `regions.comparison.compare_regions`."""

    models: dict[str, ModelRegions]
    metrics: dict[str, dict[str, dict[str, float | None]]]
    explained: dict[str, list[float | None]]
    labels: dict[str, int]
    left_out: dict[str, int]
    settings: dict[str, Any]


class RegionComparison(RegionNumbers):
    """The same with what its figures are drawn from, which mri.json leaves out.

    Attributes:
        graphs: model -> label -> networkx's node-link data.
        grids: model -> label -> prompts in each cell, int (layers, columns, rows).
    """

    base: str
    graphs: dict[str, dict[str, dict]]
    grids: dict[str, dict[str, list]]
