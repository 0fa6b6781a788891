"""Parts of the figures of regions: graphs in columns of layers, and mosaics of grids."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...plots import COLOURS, DARK, GREY, LIGHT, SETTINGS, ink_on
from .charts import count_in_wholes

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.5  # inches: 1200 pixels at 160 to the inch
BLUE, ORANGE = COLOURS[:2]
STYLE = {**SETTINGS, "font.size": 8}


def new_figure(height: float, columns: int = 1, rows: int = 1) -> tuple["Figure", Sequence["Axes"]]:
    """A figure, `height` in inches, and its panels, row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def draw_graph(graph: "nx.Graph") -> "Figure":
    """A graph of `graphs`, one column per layer; see `graph_panel`."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure, (panel,) = new_figure(4.2)
        graph_panel(panel, graph)
    return figure


def draw_grid(counts: np.ndarray, title: str) -> "Figure":
    """Prompts in each cell, int (columns, rows), as a heatmap with the numbers in it."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure, (panel,) = new_figure(6.0)
        image = panel.imshow(counts.T, origin="lower", cmap="Blues")
        for column, row in np.argwhere(counts):
            color = ink_on(image.to_rgba(counts[column, row]))
            panel.text(column, row, counts[column, row], ha="center", va="center", color=color)
        panel.set(title=title, xlabel="component 1", ylabel="component 2")
    return figure


def graph_panel(panel: "Axes", graph: "nx.Graph") -> None:
    """Edges solid if positive, dashed if negative; of graphs overlaid, one colour each, side by side."""
    if graph.is_multigraph():
        names = graph.graph["label_names"]
        for rank, name in enumerate(names):
            edges = [edge for edge in graph.edges(keys=True) if edge[2] == name]
            color = COLOURS[rank % len(COLOURS)]
            draw_edges(panel, graph, edges, color, shift=0.012 * (rank - (len(names) - 1) / 2))
            panel.plot([], [], color=color, label=name)
    else:
        for sign, color in ((1, BLUE), (-1, ORANGE)):
            edges = [(u, v) for u, v, data in graph.edges(data=True) if data.get("sign", 1) == sign]
            draw_edges(panel, graph, edges, color, dashed=sign < 0)
    finish_panel(panel, graph)


def draw_edges(
    panel: "Axes", graph: "nx.Graph", edges: Sequence[tuple], color: str, dashed: bool = False, shift: float = 0.0
) -> None:
    """Some edges of a graph as lines, the wider the greater their weight; `shift` moves them up."""
    from matplotlib.collections import LineCollection

    places = {node: (data["layer"], shift - data["place"]) for node, data in graph.nodes(data=True)}
    weights = np.array([graph.edges[edge]["weight"] for edge in edges], dtype=float)
    greatest = max((weight for _, _, weight in graph.edges(data="weight")), default=1.0)
    lines = LineCollection(
        [[places[edge[0]], places[edge[1]]] for edge in edges],
        linewidths=0.4 + 1.6 * (weights / greatest) ** 2,
        colors=color,
        linestyles="--" if dashed else "-",
    )
    panel.add_collection(lines)


def finish_panel(panel: "Axes", graph: "nx.Graph") -> None:
    """The nodes over the lines, those without an edge pale, and the axes."""
    nodes = list(graph.nodes(data=True))
    tied = [graph.degree(node) > 0 for node, _ in nodes]
    panel.scatter(
        [data["layer"] for _, data in nodes],
        [-data["place"] for _, data in nodes],
        s=[12 if some else 4 for some in tied],
        c=["black" if some else GREY for some in tied],
        zorder=3,
        linewidths=0,
    )
    panel.set(xlabel="layer", ylabel="component", yticks=[], ylim=(-1.05, 0.05))
    panel.set_xlim(-0.3, graph.graph["layers"] - 0.7)
    count_in_wholes(panel)
    panel.spines["left"].set_visible(False)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False)


def mosaic(
    grids: Mapping[str, np.ndarray], cmap: str, greatest: float, signed: bool = False
) -> tuple["Figure", "Axes", dict[str, tuple[int, list[int]]]]:
    """Many grids as one picture, a row per name and a column per layer.

    Args:
        grids: shares 0-1, or their differences if signed, (layers, columns, rows).
        greatest: the share at the end of the scale.

    Returns:
        figure, panel, and by name the topmost line of its grids and the leftmost column of each.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.ticker import PercentFormatter

    layers, size, _ = next(iter(grids.values())).shape
    step = size + 1
    picture = np.full((len(grids) * step - 1, layers * step - 1), np.nan)
    places = {name: (rank * step, [layer * step for layer in range(layers)]) for rank, name in enumerate(grids)}
    for name, (top, lefts) in places.items():
        for left, grid in zip(lefts, grids[name]):
            picture[top : top + size, left : left + size] = grid.T[::-1]
    figure, (panel,) = new_figure(0.82 * WIDTH * picture.shape[0] / picture.shape[1] + 0.9)
    # The square root makes cells with few prompts visible.
    scale = {"vmin": -greatest, "vmax": greatest} if signed else {"norm": PowerNorm(0.5, 0, greatest)}
    image = panel.imshow(picture, cmap=cmap, interpolation="nearest", **scale)
    for top, lefts in places.values():
        for left in lefts:
            outline(panel, left, top, GREY, size)
    middle = (size - 1) / 2
    panel.set_xticks([layer * step + middle for layer in range(layers)], [str(layer) for layer in range(layers)])
    panel.set_yticks([top + middle for top, _ in places.values()], list(places))
    panel.set_xlabel("layer (0: embeddings)")
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    figure.colorbar(image, ax=panel, shrink=0.7, pad=0.01, format=PercentFormatter(1.0))
    return figure, panel, places


def outline(panel: "Axes", left: float, top: float, color: str, size: int = 1) -> None:
    """A frame around cells of a mosaic; with `DARK`, over a wider one in `LIGHT`, so that one is seen on any cell."""
    from matplotlib.patches import Rectangle

    for edge, width in ((LIGHT, 1.6), (DARK, 0.7)) if color == DARK else ((color, 0.7),):
        place = (left - 0.5, top - 0.5)
        panel.add_artist(Rectangle(place, size, size, fill=False, edgecolor=edge, linewidth=width))
