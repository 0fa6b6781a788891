"""Figures as files and inside the page; the page itself is `templates/mri.html.jinja`."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from ...files import replacing, write_text
from ...plots import SETTINGS, inline_svg, svg_of
from ...templating import PAGES, render
from .charts import TIP, WIDTH, CaptionedFigure


def save_figure(drawn: CaptionedFigure, folder: Path) -> dict:
    """Write a figure as PNG and SVG.

    Returns:
        `name`, of the files without suffix; `svg`, for the page; `caption`; `wide`, needs the whole width of the page.
    """
    from markupsafe import Markup
    from matplotlib import rc_context

    name = drawn.kind if drawn.model is None else f"{drawn.model}_{drawn.kind}"
    with rc_context(SETTINGS), replacing(folder / f"{name}.png") as temporary:
        drawn.figure.draw_without_rendering()
        drawn.figure.set_layout_engine("none")  # laid out once for both files
        drawn.figure.savefig(temporary, format="png", dpi=160, metadata={"Software": None})
    text = with_titles(svg_of(drawn.figure))
    write_text(folder / f"{name}.svg", text)
    wide = drawn.figure.get_figwidth() > WIDTH
    # Matplotlib has escaped what stands in it.
    svg = Markup(inline_svg(text, name))  # noqa: S704
    return {"name": name, "svg": svg, "caption": drawn.caption, "wide": wide}


def with_titles(svg: str) -> str:
    """Turn the ids that hold a mark's numbers into titles, which a browser shows under the pointer."""
    return re.sub(f'<g id="{TIP}([^"]*)">', r"<g><title>\1</title>", svg)


def write_page(path: Path, results: dict, overview: Sequence[dict], methods: dict, appendix: Sequence[dict]) -> None:
    """Write report.html: one file, from which no request goes out.

    Args:
        results: what `report.analyse` returned.
        overview: of `save_figure`; so are the others.
        methods: adapter -> figures.
    """
    context = {
        "results": results,
        "settings": results["settings"],
        "rows": [_summary(results, name) for name in results["models"][1:]],
        "overview": overview,
        "methods": methods,
        "appendix": appendix,
        "number": lambda value, digits=2: "" if value is None else f"{value:.{digits}f}",
    }
    write_text(path, render(PAGES / "mri.html.jinja", context))


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
