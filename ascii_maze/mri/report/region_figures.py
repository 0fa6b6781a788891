"""Figures of what `compare_regions` returned: regions as heatmaps, graphs of components, and what changed in both."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...plots import DARK, GREY, colours_of
from ...templating.language import Say
from ..models import BASE
from ..regions.edges import ALL, overlay
from ..schema.regions import RegionComparison
from .charts import CaptionedFigure, count_in_wholes
from .panels import BLUE, ORANGE, STYLE, draw_edges, finish_panel, graph_panel, mosaic, new_figure, outline

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.figure import Figure


def region_figures(result: RegionComparison, say: Say) -> Iterator[CaptionedFigure]:
    """Every figure of a comparison: the overview, then those of each model, the base first."""
    from matplotlib import rc_context

    overview = {"regions_overview": _overview, "regions_by_layer": _by_layer}
    of_one = {"regions": _regions, "graphs": _graphs, "labels_overlaid": _labels_overlaid}
    of_two = {"regions_changed": _regions_changed, "edges_changed": _edges_changed}
    wanted: list[tuple[str, str | None, Callable[..., tuple[Figure, str]]]] = [
        (kind, None, draw) for kind, draw in overview.items()
    ]
    for name in result["grids"]:
        kinds = of_one if name == result["base"] else {**of_one, **of_two}
        wanted += [(kind, name, draw) for kind, draw in kinds.items()]
    for kind, model, draw in wanted:
        with rc_context(STYLE):
            figure, caption = draw(result, say) if model is None else draw(result, model, say)
        yield CaptionedFigure(kind, model, caption, figure)


def _overview(result: RegionComparison, say: Say) -> tuple["Figure", str]:
    models: Mapping[str, Any] = result["models"]
    figure, panels = new_figure(1.1 + 0.3 * len(models), columns=2)
    places = range(len(models))
    for panel, kind in zip(panels, ("edges", "regions")):
        tables = [model[kind][ALL] for model in models.values()]
        band: dict[str, Any] = {"facecolor": (GREY, 0.3), "edgecolor": GREY, "linewidth": 0.6}
        panel.axvspan(*tables[0]["noise_range"], label="base, half against half: range", **band)
        panel.axvline(tables[0]["noise_floor"], color=GREY, label="base, half against half: mean")
        across = [table["across_halves"] for table in tables]
        panel.plot(across, places, "o", color=BLUE, label="fine-tune on one half against base on the other")
        p = [f"p {table['p']:.2g}" if "p" in table else "" for table in tables]
        names = [f"{name}, {one}".rstrip(", ") for name, one in zip(models, p)]
        panel.set_yticks(places, names if panel is panels[0] else p)
        panel.set(title=kind, xlabel="agreement (Jaccard)", xlim=(0, 1.02), ylim=(len(models) - 0.5, -0.5))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure, say(
        "What decides is p, of a test that swaps the labels base and fine-tune at random prompts; the grey band is a "
        "floor of something else, the choice of prompts (how well the base on one half of them agrees with itself on "
        "the other), and a dot left of it is a change larger than other prompts would have made."
    )


def _by_layer(result: RegionComparison, say: Say) -> tuple["Figure", str]:
    models: Mapping[str, Any] = result["models"]
    figure, panels = new_figure(3.2, columns=2)
    colours = colours_of(models, {BASE})
    titles = {"edges": "edges from a layer to the next", "regions": "regions of a layer"}
    for panel, (kind, title) in zip(panels, titles.items()):
        tables = {name: model[kind][ALL]["by_layer"] for name, model in models.items()}
        floor = _with_gaps(next(iter(tables.values()))["noise_floor"])
        panel.plot(floor, "--", color="black", zorder=3, label="base, half against half")
        for rank, (name, table) in enumerate(tables.items()):
            line = _with_gaps(table["across_halves"])
            marker = "osD^v<>"[rank % 7]
            panel.plot(line, marker=marker, markersize=4, linewidth=1.2, color=colours[name], label=name)
        panel.set(title=title, xlabel="layer", ylim=(-0.03, 1.03))
        count_in_wholes(panel)
    panels[0].set_ylabel("agreement with the base (Jaccard)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return figure, say(
        "Where a line is below the dashed one, that fine-tune has changed that layer by more than the choice of "
        "prompts explains; gaps are layers without an edge."
    )


def _regions(result: RegionComparison, model: str, say: Say) -> tuple["Figure", str]:
    every = [share for name in result["grids"] for share in _shares(result, name).values()]
    # One scale for all models, without layers in which all prompts are in one cell.
    greatest = max(share[share < 1].max(initial=0.0) for share in every) or 1.0
    figure, panel, _ = mosaic(_shares(result, model), "Blues", greatest)
    panel.set_title(model)
    return figure, say(
        "Each square is a layer's plane of the first two components, the same for every model; the darker a cell, the "
        "larger the share of the label's prompts that lie in it."
    )


def _regions_changed(result: RegionComparison, model: str, say: Say) -> tuple["Figure", str]:
    base, other = _shares(result, result["base"]), _shares(result, model)
    change = {label: other[label] - base[label] for label in other}
    greatest = max(float(np.abs(share).max()) for share in change.values()) or 1.0
    figure, panel, places = mosaic(change, "PuOr_r", greatest, signed=True)
    panel.set_title(f"{model} minus {result['base']}")
    share, size = result["settings"]["share"], result["settings"]["gridsize"]
    for label, (top, lefts) in places.items():
        least = max(share, 1 / result["labels"][label])
        one, two = base[label] >= least, other[label] >= least
        for layer, column, row in np.argwhere(one != two):
            outline(panel, lefts[layer] + column, top + size - 1 - row, DARK)
    return figure, say(
        "Orange cells hold more of the label's prompts after fine-tuning, violet ones fewer; outlined cells are "
        "regions gained or lost, with at least {share:.0%} of the prompts in one of the two models only."
    ).format(share=share)


def _graphs(result: RegionComparison, model: str, say: Say) -> tuple["Figure", str]:
    labels = result["graphs"][model]
    rows = -(-len(labels) // 2)
    figure, panels = new_figure(0.3 + 2.4 * rows, columns=2, rows=rows)
    for panel, label in zip(panels, labels):
        graph_panel(panel, _graph(result, model, label))
        panel.set_title(f"{model}: {label} ({result['labels'][label]})")
    for panel in panels[len(labels) :]:
        panel.axis("off")
    return figure, say(
        "Each column is a layer, each dot a component, the first on top, each line a rank correlation of at least "
        "{threshold:g} over the label's prompts, wider if stronger, dashed if negative."
    ).format(threshold=result["settings"]["threshold"])


def _labels_overlaid(result: RegionComparison, model: str, say: Say) -> tuple["Figure", str]:
    sizes = {label: count for label, count in result["labels"].items() if label != ALL}
    labels = sorted(sizes, key=sizes.__getitem__, reverse=True)[:2]
    figure, (panel,) = new_figure(3.8)
    graph_panel(panel, overlay({label: _graph(result, model, label) for label in labels}))
    panel.set_title(model)
    return figure, say(
        "The graphs of the two most frequent labels in one: an edge of both is drawn twice, side by side, each line "
        "as wide as its own correlation is strong."
    )


def _edges_changed(result: RegionComparison, model: str, say: Say) -> tuple["Figure", str]:
    base, other = _graph(result, result["base"], ALL), _graph(result, model, ALL)
    figure, panels = new_figure(3.4, columns=2)
    graph_panel(panels[0], overlay({result["base"]: base, model: other}))
    panels[0].set_title(f"{result['base']} and {model}")
    signed = [{(u, v, sign) for u, v, sign in graph.edges(data="sign")} for graph in (base, other)]
    kept, lost, gained = signed[0] & signed[1], signed[0] - signed[1], signed[1] - signed[0]
    for name, edges, graph, color in (
        ("kept", kept, base, GREY),
        ("lost", lost, base, ORANGE),
        ("gained", gained, other, BLUE),
    ):
        dashed = name == "lost"
        draw_edges(panels[1], graph, [edge[:2] for edge in sorted(edges)], color, dashed)
        panels[1].plot([], [], "--" if dashed else "-", color=color, label=f"{name} ({len(edges)})")
    finish_panel(panels[1], base)
    panels[1].set_title("kept, lost and gained")
    table = result["models"][model]["edges"][ALL]
    return figure, say(
        "Left both graphs, an edge of both drawn twice, as wide as strong in each; right what the fine-tune kept, "
        "lost and gained: on the same prompts the two agree to {agreement:.2f}, on different halves of them to "
        "{across_halves:.2f}, and the base with itself on different halves to {noise_floor:.2f}."
    ).format(**table)


def _with_gaps(values: Sequence[float | None]) -> list[float]:
    return [np.nan if value is None else value for value in values]


def _shares(result: RegionComparison, model: str) -> dict[str, np.ndarray]:
    """By label, the share of its prompts in each cell: float64 (layers, columns, rows)."""
    return {label: np.array(grid) / result["labels"][label] for label, grid in result["grids"][model].items()}


def _graph(result: RegionComparison, model: str, label: str) -> "nx.DiGraph":
    from networkx import node_link_graph

    return node_link_graph(result["graphs"][model][label], edges="edges")
