"""Figures as files and inside the page; the page itself is `templates/mri.html.jinja`."""

import io
import math
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..files import replacing, write_text
from .figures import TIP, WIDTH, CaptionedFigure

# The same numbers give the same bytes; text stays text.
SVG = {"svg.hashsalt": "ascii-maze", "svg.fonttype": "none", "text.parse_math": False}


def save_figure(drawn: CaptionedFigure, folder: Path) -> dict:
    """Write a figure as PNG and SVG.

    Returns:
        `name`, of the files without suffix; `svg`, for the page; `caption`; `wide`, needs the whole width of the page.
    """
    from matplotlib import rc_context

    name = drawn.kind if drawn.model is None else f"{drawn.model}_{drawn.kind}"
    svg = io.StringIO()
    with rc_context(SVG):
        drawn.figure.draw_without_rendering()
        drawn.figure.set_layout_engine("none")  # laid out once for both files
        with replacing(folder / f"{name}.png") as temporary:
            drawn.figure.savefig(temporary, format="png", dpi=160, metadata={"Software": None})
        drawn.figure.savefig(svg, format="svg", metadata={"Date": None})
    text = with_titles(svg.getvalue())
    write_text(folder / f"{name}.svg", text)
    wide = drawn.figure.get_figwidth() > WIDTH
    return {"name": name, "svg": inline_svg(text, name), "caption": drawn.caption, "wide": wide}


def with_titles(svg: str) -> str:
    """Turn the ids that hold a mark's numbers into titles, which a browser shows under the pointer."""
    return re.sub(f'<g id="{TIP}([^"]*)">', r"<g><title>\1</title>", svg)


def inline_svg(svg: str, name: str) -> str:
    """An SVG of matplotlib's to stand in the page: its ids are its own, and its black is the colour of the text."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="patch_1">.*?</g>', "", svg, count=1, flags=re.DOTALL)  # the white ground
    used = set(re.findall(r"(?:#|url\(#)([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', f'role="img" aria-label="{escape(name)}"', svg, count=1)
    return svg.replace("#000000", "currentColor")


def write_page(path: Path, results: dict, overview: Sequence[dict], methods: dict, appendix: Sequence[dict]) -> None:
    """Write report.html: one file, from which no request goes out.

    Args:
        results: what `report.analyse` returned.
        overview: of `save_figure`; so are the others.
        methods: adapter -> figures.
    """
    from jinja2 import PackageLoader
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup

    environment = SandboxedEnvironment(
        loader=PackageLoader("ascii_maze", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["svg"] = Markup  # matplotlib has escaped what stands in it
    environment.filters["number"] = lambda value, digits=2: "" if value is None else f"{value:.{digits}f}"
    page = environment.get_template("mri.html.jinja").render(
        results=results,
        settings=results["settings"],
        rows=[_summary(results, name) for name in results["models"][1:]],
        overview=overview,
        methods=methods,
        appendix=appendix,
    )
    write_text(path, page)


def _summary(results: dict, name: str) -> dict:
    """One fine-tune in the table at the head of the page."""
    drift, restored = results["drift"][name], results["patching"][name]["restored"]
    cka = [value if math.isfinite(value) else 1.0 for value in results["cka"][name]]
    half = next((layer for layer, share in enumerate(restored) if share is not None and share >= 0.5), None)
    return {
        "name": name,
        "valid": results["answers"][name],
        "drift": max(drift),
        "drift_layer": drift.index(max(drift)),
        "cka": min(cka),
        "cka_layer": cka.index(min(cka)),
        "kl": results["kl"][name]["from_base"],
        "half": half,
        "regions": results["regions"].get(name),
        "unchanged": name in results["unchanged"],
    }
