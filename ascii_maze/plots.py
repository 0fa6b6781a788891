"""Shared by all figures: matplotlib's settings, a colour for every model, and inline SVG for pages."""

import io
import re
from collections.abc import Collection, Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Deterministic output; text stays text, even with dollar signs; the page's background shows through.
SETTINGS: dict = {
    "svg.hashsalt": "ascii-maze",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
# Every mark has 3:1 contrast on the pages' light and dark backgrounds (WCAG 2.2, 1.4.11), so none may be transparent.
GREY = "#838892"
# Safe for colour-blind readers: those of Okabe & Ito, some darker.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#c46a9c", "#a67a00", "#1f96b6", "#7f5fd0")
# Text on, or outlines of, coloured areas. Not quite black and white, since the page replaces black by its text colour,
# but these must not change.
DARK, LIGHT = "#010101", "#fefefe"


def colours_of(names: Iterable[str], grey: Collection[str]) -> dict[str, str]:
    """A colour for every model, by its index among those that are not grey."""
    names = list(names)
    trained = [name for name in names if name not in grey]
    return {name: COLOURS[trained.index(name) % len(COLOURS)] if name in trained else GREY for name in names}


def luminance(colour: Iterable[float] | str) -> float:
    """Relative luminance of a colour as WCAG 2.2 defines it, 0-1; red, green, blue as floats 0-1, or `#rrggbb`."""
    if isinstance(colour, str):
        colour = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in [*colour][:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Iterable[float] | str, other: Iterable[float] | str) -> float:
    """Contrast of two colours as WCAG 2.2 defines it, 1-21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(fill: Iterable[float] | str) -> str:
    """The colour of text on a fill, `DARK` or `LIGHT`: at least 4.5:1."""
    return max(DARK, LIGHT, key=lambda ink: contrast(ink, fill))


def lay_out(figure: "Figure") -> None:
    """Fix a figure's layout, so that it is the same in all file formats."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")


# The functions below avoid `savefig`, which draws everything twice.


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
    """A matplotlib SVG for use inline in a page: its ids are unique, and black becomes the colour of the text.

    Matplotlib has escaped its text. Its original width is in the property `--width`.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="patch_1">.*?</g>', "", svg, count=1, flags=re.DOTALL)  # the white background
    used = set(re.findall(r"(?:#|url\(#)([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    # Matplotlib leaves out a black fill, since that is SVG's default.
    said = rf'role="img" aria-label="{escape(name)}" fill="currentColor" style="--width: \1"'
    svg = re.sub(r'width="([\d.]+pt)" height="[\d.]+pt"', said, svg, count=1)
    return svg.replace("#000000", "currentColor")
