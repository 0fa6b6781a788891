"""What all figures share: matplotlib's settings, a colour for every model, and SVG that can stand in a page."""

import io
import re
from collections.abc import Collection, Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The same numbers give the same bytes; text stays text, also with dollar signs; the page's ground shows through.
SETTINGS: dict = {
    "svg.hashsalt": "ascii-maze",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
GREY = "#8a8f98"
# Seen on white and on black, and told apart without red and green (Okabe & Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7f5fd0")


def colours_of(names: Iterable[str], grey: Collection[str]) -> dict[str, str]:
    """A colour for every model, by its place among those that are not grey."""
    names = list(names)
    trained = [name for name in names if name not in grey]
    return {name: COLOURS[trained.index(name) % len(COLOURS)] if name in trained else GREY for name in names}


def lay_out(figure: "Figure") -> None:
    """Lay a figure out for good, so that it is alike in files of every kind."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")


# What follows does without `savefig`, which draws everything twice.


def svg_of(figure: "Figure") -> str:
    """A figure as the text of an SVG file; it is laid out first."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text = io.StringIO()
    with rc_context(SETTINGS):
        lay_out(figure)
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    return text.getvalue()


def write_png(figure: "Figure", path: Path, dpi: int = 160) -> None:
    """Write a figure as a PNG file; it is laid out first."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with rc_context(SETTINGS):
        lay_out(figure)
        figure.set_dpi(dpi)
        FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


def inline_svg(svg: str, name: str) -> str:
    """An SVG of matplotlib's to stand in a page: its ids are its own, and its black is the colour of the text.

    Matplotlib has escaped what stands in it. How wide it was meant to be is in its property `--width`.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="patch_1">.*?</g>', "", svg, count=1, flags=re.DOTALL)  # the white ground
    used = set(re.findall(r"(?:#|url\(#)([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    said = rf'role="img" aria-label="{escape(name)}" style="--width: \1"'
    svg = re.sub(r'width="([\d.]+pt)" height="[\d.]+pt"', said, svg, count=1)
    return svg.replace("#000000", "currentColor")
