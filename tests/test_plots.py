"""Contrast in figures from the colours that they are drawn in, by WCAG 2.2, AA: 3:1 for marks, 4.5:1 for text."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure

from ascii_maze.mri.report.maze_figures import DARKEST
from ascii_maze.plots import COLOURS, DARK, GREY, LIGHT, contrast, ink_on, inline_svg, svg_of
from ascii_maze.templating import PAGES

PACKAGE = Path(__file__).resolve().parents[1] / "ascii_maze"
DRAWING = [
    *(PACKAGE / name for name in ("training/outcome.py", "mri/report/charts.py", "mri/report/panels.py")),
    *(path for path in sorted(PACKAGE.rglob("*figures.py"))),
]


def schemes() -> list[dict[str, str]]:
    """The colours of the pages, light and dark, by name."""
    text = (PAGES / "page.html.jinja").read_text(encoding="utf-8")
    found = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{([^}]*)\}", text)]
    assert len(found) == 2
    return found


GROUNDS = ["#ffffff", *(scheme[ground] for scheme in schemes() for ground in ("page", "card"))]


def test_contrast_is_that_of_wcag():
    """Values that its authors' tools give: the ends of the scale, and the lightest grey that is legible on white."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast((1, 0, 0), (1, 1, 1)) == contrast("#ffffff", "#ff0000") == pytest.approx(4.0, abs=0.005)


@pytest.mark.parametrize("colour", [*COLOURS, GREY])
def test_marks_are_seen_on_every_ground(colour):
    assert min(contrast(colour, ground) for ground in GROUNDS) >= 3


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_the_colours_of_pages_are_seen_on_their_grounds(scheme):
    for ground in (scheme["page"], scheme["card"]):
        assert min(contrast(scheme[name], ground) for name in ("text", "soft", "link", "good", "bad")) >= 4.5
        assert contrast(scheme["wall"], ground) >= 3


@pytest.mark.parametrize("name", ["viridis", "viridis_r", "PuOr_r", "Blues"])
def test_numbers_are_legible_on_every_cell_of_a_heatmap(name):
    fills = colormaps[name](np.linspace(0, 1, 256))
    assert min(contrast(ink_on(fill), fill) for fill in fills) >= 4.5


def test_letters_and_walls_are_seen_over_the_shades_of_a_maze():
    fills = colormaps["Oranges"](np.linspace(0, DARKEST, 256))
    assert min(contrast(DARK, fill) for fill in fills) >= 4.5
    assert contrast(GREY, LIGHT) >= 3


@pytest.mark.parametrize("path", DRAWING, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_figures_are_drawn_in_those_colours_and_without_transparency(path):
    """The lines of a grid may be faint: they say nothing that the ticks do not."""
    source = path.read_text(encoding="utf-8")
    assert re.findall(r"#[0-9a-fA-F]{6}|#[0-9a-fA-F]{3}\b", source) == []
    assert [line for line in source.splitlines() if "alpha=" in line and ".grid(" not in line] == []
    named = {name for key, name in re.findall(r'\b(\w*color)="(\w+)"', source) if key != "facecolor"}
    assert named <= {"black", "none"}  # black is the page's text colour there


def test_what_is_black_becomes_the_text_colour_of_the_page():
    """Strokes, and fills, which matplotlib leaves out where they are black, so that they are inherited."""
    figure = Figure()
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1], color="black")
    panel.scatter([0, 1], [1, 0], c="black")
    svg = inline_svg(svg_of(figure), "made")
    assert "#000000" not in svg
    assert 'fill="currentColor"' in svg.partition(">")[0]
    assert "stroke: currentColor" in svg
