"""The charts that figures are made of: heatmaps, lines and bars, with every mark's number as a tooltip.

The number is the mark's id, after `TIP`: matplotlib writes ids into the SVG, and `page.with_titles` turns them into
titles, which a browser shows with or without JavaScript.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...plots import GREY, SETTINGS, colours_of, ink_on
from ..models import BASE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIP = "tip: "
WIDTH = 5.4  # inches
SHORT = 14  # characters of a legend's name, of which four fit side by side


@dataclass(frozen=True)
class CaptionedFigure:
    """A figure, with one sentence on how to read it.

    Attributes:
        kind: what it shows, fit for the name of a file.
        model: whose section it belongs to; None for the overview and the appendix.
    """

    kind: str
    model: str | None
    caption: str
    figure: "Figure"


def heatmap(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence,
    *,
    low: float | None = None,
    high: float | None = None,
    reverse: bool = False,
    signed: bool = False,
    axis: str = "layer (0: embedding)",
    said: np.ndarray | None = None,
) -> "Figure":
    """One cell per number, float (rows, columns); NaN stays empty.

    Args:
        said: bool (rows, columns), the cells in which the number is written; all by default.
        low: of the colour scale; 0.9 or the smallest number, if that is less, by default.
        high: of the colour scale; the largest number by default.
        reverse: brighter is less.
        signed: orange is above 0, blue below.
    """
    from matplotlib import colormaps
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    numbers = values[np.isfinite(values)]
    if signed:
        high = max(abs(numbers).max(initial=0), 1e-9)
        low = -high
    if low is None:  # for similarities: differences in the last digits should look small
        low = numbers.min(initial=0.9)
    high = max(numbers.max(initial=-np.inf) if high is None else high, low + 1e-9)
    colour = colormaps["PuOr_r" if signed else "viridis_r" if reverse else "viridis"]
    scale = Normalize(low, high)
    figure, panel = new_figure(0.8 + 0.32 * len(rows), frame=False)
    for row, column in np.ndindex(values.shape):
        value = float(values[row, column])
        if not np.isfinite(value):
            continue
        fill = colour(scale(value))
        tip = f"{TIP}{rows[row]}, layer {columns[column]}: {value:.4g}"
        panel.add_artist(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=fill, edgecolor="none", gid=tip))
        if len(columns) <= 12 and (said is None or said[row, column]):
            panel.text(column, row, _short(value), ha="center", va="center", color=ink_on(fill), fontsize=7.5)
    panel.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5), xlabel=axis)
    panel.set_yticks(range(len(rows)), rows)
    step = max(1, len(columns) // 12)
    panel.set_xticks(range(0, len(columns), step), [str(column) for column in columns][::step])
    panel.tick_params(length=0)
    return figure


def lines(
    series: Mapping[str, Sequence[float | None]],
    measure: str,
    *,
    intervals: Mapping[str, Sequence[Sequence[float] | None]] | None = None,
    dashed: Mapping[str, Sequence[float | None]] | None = None,
    level: tuple[float, str] | None = None,
    low: float | None = None,
) -> "Figure":
    """One line per name over the layers, skipping missing values; the base and dashed lines in grey.

    Args:
        intervals: error bars, low and high for each point.
        level: a horizontal line, and its name.
    """
    figure, panel = new_figure(2.7)
    colours = colours_of(series, {BASE})
    for rank, (name, column) in enumerate(series.items()):
        values = np.array(column, dtype=float)
        # Slightly offset, so that error bars and equal values do not overlap.
        places = np.arange(len(values)) + (0.06 * (rank - (len(series) - 1) / 2) if intervals else 0.0)
        there = np.isfinite(values)
        panel.plot(places[there], values[there], color=colours[name], linewidth=1.4, label=name)
        for place, value in zip(places, values):
            if not np.isfinite(value):
                continue
            tip = f"{TIP}{name}, layer {round(place)}: {value:.4g}"
            panel.plot([place], [value], color=colours[name], marker="o", markersize=4, gid=tip)
        for place, bounds in zip(places, (intervals or {}).get(name, ())):
            if bounds:
                panel.plot([place, place], bounds, color=colours[name], linewidth=0.9)
    for name, line in (dashed or {}).items():
        values = np.array(line, dtype=float)
        there = np.flatnonzero(np.isfinite(values))
        panel.plot(there, values[there], color=GREY, linewidth=1.1, linestyle=":", label=name)
    if level is not None:
        panel.axhline(level[0], color=GREY, linewidth=1.1, linestyle="--", label=level[1])
    panel.set(xlabel="layer (0: embedding)", ylabel=measure)
    count_in_wholes(panel)
    if low is not None:
        panel.set_ylim(bottom=low)
    # Four columns of short names are as wide as the figure.
    columns = 4 if max(map(len, panel.get_legend_handles_labels()[1])) <= SHORT else 2
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    panel.legend(frameon=False, fontsize=8, ncols=columns, **place)
    return figure


def count_in_wholes(panel: "Axes") -> None:
    """Put ticks of the horizontal axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    panel.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))


def bars(values: Mapping[str, float], measure: str) -> "Figure":
    """One bar per name, with its number beside it."""
    figure, panel = new_figure(0.7 + 0.32 * len(values), frame=False)
    colours = colours_of(values, {BASE})
    for row, (name, value) in enumerate(values.items()):
        panel.barh(row, value, color=colours[name], height=0.6)[0].set_gid(f"{TIP}{name}: {value:.4g}")
        panel.text(value, row, f" {value:.2g}", va="center", fontsize=8)
    panel.set_yticks(range(len(values)), list(values))
    panel.set(xlabel=measure, ylim=(len(values) - 0.5, -0.5), xlim=(0, 1.15 * max([*values.values(), 1e-9])))
    panel.tick_params(axis="y", length=0)
    return figure


def _short(value: float) -> str:
    return "0" if value == 0 else f"{value:.2f}".replace("-0.00", "0.00") if abs(value) < 99.5 else f"{value:.0f}"


def new_figure(height: float, frame: bool = True) -> tuple["Figure", "Axes"]:
    """A figure of the report's width, `height` in inches, and its panel, optionally without frame and axis lines."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panel = figure.subplots()
        if not frame:
            panel.spines[:].set_visible(False)
    return figure, panel
