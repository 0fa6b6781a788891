"""A report as files: figures, tables, mri.json, and the page, which is `templating/pages/mri.html.jinja`."""

import itertools
import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...files import replacing, write_text
from ...models.sources import loaded_in_words
from ...plots import inline_svg, svg_of, write_png
from ...templating import PAGES, render
from ...templating.language import LANGUAGES, Say, say_in
from ...terminal import OnProgress
from ..analysis import HEADLINE
from ..models import BASE
from ..regions.edges import ALL, agreement_in_words
from ..schema import Results, write_results
from ..schema.maze import OneMaze
from ..schema.regions import Changes, RegionComparison
from ..schema.states import AgainstStart
from ..seeds import methods_of
from .charts import TIP, WIDTH, CaptionedFigure
from .component_figures import component_figures, layer_figures
from .figures import appendix_figures, method_figures, overview_figures
from .findings import findings
from .maze_figures import maze_figures
from .mixture_figures import mixture_figures
from .region_figures import region_figures
from .steering_figures import steering_figures, wall_figures
from .tables import tables, to_csv
from .text_figures import text_figures

OF_ALL = (wall_figures, mixture_figures, text_figures)
OF_METHODS = (method_figures, layer_figures, component_figures, steering_figures)
# The section of one maze; no adapter can have this name.
ONE_MAZE = "one maze"


def draw_report(
    results: Results, regions: RegionComparison | None, out: Path, on_progress: OnProgress, language: str = "en"
) -> None:
    """Write figures, tables, report.html and mri.json.

    Args:
        regions: what the figures of regions are drawn from, if there are any.
        on_progress: called with `figures`, those drawn and those in all.
        language: of report.html, one of `LANGUAGES`; the other files are in English.
    """
    say = say_in("mri", language)
    of_regions = list(region_figures(regions, say)) if regions else []
    sections: dict[str | None, list[CaptionedFigure]] = {
        None: [*overview_figures(results, say), *(drawn for draw in OF_ALL for drawn in draw(results, say))],
        **{name: [drawn for draw in OF_METHODS for drawn in draw(results, name, say)] for name in results["patching"]},
        ONE_MAZE: [*maze_figures(results, say)],
        BASE: [*appendix_figures(results, say)],
    }
    for name, figures in sections.items():
        figures += [drawn for drawn in of_regions if drawn.model == name]
    total, done = sum(map(len, sections.values())), itertools.count(1)

    def save(drawn: Iterable[CaptionedFigure]) -> list[dict]:
        saved = []
        for each in drawn:
            saved.append(save_figure(each, out / "figures"))
            on_progress("figures", next(done), total)
        return saved

    pictures = {name: save(figures) for name, figures in sections.items()}
    for name, records in tables(results).items():
        if records:
            write_text(out / "tables" / f"{name}.csv", to_csv(records))
    write_page(out / "report.html", results, pictures, language)
    write_results(out / "mri.json", results)


def save_figure(drawn: CaptionedFigure, folder: Path) -> dict:
    """Write a figure as PNG and SVG.

    Returns:
        `name`, of the files without suffix; `svg`, for the page; `caption`; `wide`, needs the whole width of the page.
    """
    from markupsafe import Markup

    name = drawn.kind if drawn.model is None else f"{drawn.model}_{drawn.kind}"
    with replacing(folder / f"{name}.png") as temporary:
        write_png(drawn.figure, temporary)
    text = with_titles(svg_of(drawn.figure))
    write_text(folder / f"{name}.svg", text)
    wide = drawn.figure.get_figwidth() > WIDTH
    # Matplotlib has escaped its text.
    svg = Markup(inline_svg(text, name))  # noqa: S704
    return {"name": name, "svg": svg, "caption": drawn.caption, "wide": wide}


def with_titles(svg: str) -> str:
    """Turn the ids that hold a mark's numbers into titles, which a browser shows under the pointer."""
    return re.sub(f'<g id="{TIP}([^"]*)">', r"<g><title>\1</title>", svg)


def write_page(path: Path, results: Results, pictures: dict[str | None, list[dict]], language: str = "en") -> None:
    """Write report.html: one file that makes no requests.

    Args:
        pictures: of `save_figure`, by section: None is the overview, `ONE_MAZE` and `base`, the
            appendix, are others, and else it is an adapter.
        language: one of `LANGUAGES`.
    """
    say, other = say_in("mri", language), next(one for one in LANGUAGES if one != language)
    adapters = results["models"][1:]
    context = {
        "results": results,
        "settings": results["settings"],
        "loading": loaded_in_words(results["settings"]["loaded"]),
        "rows": [_summary(results, name) for name in adapters],
        "overview": pictures[None],
        "methods": {name: pictures[name] for name in results["patching"]},
        "_": say,
        "findings": findings(results, say),
        "other": {"language": other, "findings": findings(results, say_in("mri", other))},
        "several_seeds": len(methods_of(adapters)) < len(adapters),
        "seeds": results["seeds"],
        "one_maze": pictures[ONE_MAZE],
        "walk": walk_of(results["one_maze"], say),
        "appendix": pictures[BASE],
        "number": lambda value, digits=2: "" if value is None else f"{value:.{digits}f}",
    }
    write_text(path, render(PAGES / "mri.html.jinja", context))


def walk_of(of: OneMaze, say: Say) -> dict:
    """The data of the page's script for one maze, step by step; probabilities to three digits."""
    moves = [[name, np.round(table, 3).tolist()] for name, table in of["moves"].items()]  # in their order
    layers = [say("layer {layer}").format(layer=layer) for layer in of["layers"]]
    kept = {key: of[key] for key in ("maze", "places", "path", "decisions")}
    return {**kept, "layers": layers, "moves": moves, "decision": say("a decision")}


def _extremes(drift: list[float], likeness: list[float], kl: float) -> dict:
    """The layers that have changed most."""
    cka = [value if math.isfinite(value) else 1.0 for value in likeness]
    return {
        "drift": max(drift),
        "drift_layer": drift.index(max(drift)),
        "cka": min(cka),
        "cka_layer": cka.index(min(cka)),
        "kl": kl,
    }


def _changes(results: Results, name: str, started: AgainstStart | None) -> tuple[Changes | None, Changes | None]:
    """Regions and edges against the start, or against the base: as LLM-MRI defines them, and centred."""
    if started:
        return started["as_llm_mri"], started["centred"]
    if name not in results["regions"]:
        return None, None
    whole = results["regions"][name]
    return Changes(edges=whole["edges"][ALL], regions=whole["regions"][ALL]), results["regions_centred"][name]


def _agreements(as_llm_mri: Changes | None, centred: Changes | None) -> list[str]:
    """The cells of a row."""
    if as_llm_mri is None or centred is None:
        return []
    found = as_llm_mri["edges"], as_llm_mri["regions"], centred["edges"], centred["regions"]
    return [agreement_in_words(one) for one in found]


def _summary(results: Results, name: str) -> dict:
    """One fine-tune in the table at the head of the page."""
    started = results["against_start"].get(name)
    of_base = _extremes(results["drift"][name], results["cka"][name], results["kl"][name]["from_base"])
    return {
        "name": name,
        "valid": results["answers"][name],
        "start": started["start"] if started else BASE,
        "of_start": _extremes(
            started["drift_by_position"][HEADLINE]["relative"], started["cka"], started["kl"]["from_start"]
        )
        if started
        else of_base,
        "of_base": of_base if started else None,
        "half": results["patching"].get(name),
        "regions_of_start": _agreements(*_changes(results, name, started)),
        "regions_of_base": _agreements(*_changes(results, name, None)) if started else None,
        "unchanged": name in results["unchanged"],
    }
