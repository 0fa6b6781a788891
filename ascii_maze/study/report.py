"""The report of a study: report.html, one self-contained page, and report.md, the same as text."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

from ..evaluation.gallery import walks_side_by_side
from ..evaluation.schema import Results
from ..evaluation.tables import loading_rows
from ..files import write_text
from ..mazes.baselines import BASELINES
from ..mazes.failures import FAILURES
from ..methods import METHODS
from ..mri.regions.edges import ALL
from ..plots import colours_of
from ..templating import PAGES, render
from .figures import inside_figure, learning_figure, length_figure, reward_figure, validity_figure
from .results import evaluation_of, metrics_of, seed_folder
from .schema import SeedTest, StudyResults, write_results
from .settings import Study, to_yaml
from .view import clock

MAZES = 6
SPLITS = {
    "test": "test holds mazes of the trained kinds",
    "test_larger": "test_larger larger ones",
    "test_unseen": "test_unseen other generators'",
}
HEADER = ("model", "split", "n", "valid", "95 %", "shortest", "against base", "against its start", "tokens", "time")


def write_report(results: StudyResults, study: Study, out: Path) -> None:
    """Write results.json, report.md and report.html into the study's folder.

    Args:
        results: from `gather`.
    """
    write_results(results, out)
    write_text(out / "study.yaml", to_yaml(study))
    context = {
        "results": results,
        "study": study,
        "header": HEADER,
        "table": table_of(results),
        "failed": [stage for stage in results["stages"] if stage["state"] in ("failed", "left out")],
        "inside": inside_rows(results),
        "splits": ", ".join(said for split, said in SPLITS.items() if split in study.splits),
        "commands": [stage["command"] for stage in results["stages"]],
        "seconds": clock(sum(stage["seconds"] for stage in results["stages"])),
        "failures": failure_rows(study, out),
        "loading": loading_rows(evaluated) if (evaluated := _first_evaluation(study, out)) else [],
        "kinds": FAILURES,
    }
    write_text(out / "report.md", render(PAGES / "study.md.jinja", context))
    page = {**context, **figures_of(results, study, out), "mazes": mazes_of(study, out)}
    write_text(out / "report.html", render(PAGES / "study.html.jinja", page))


def table_of(results: StudyResults) -> list[dict]:
    """Rows of the table, grouped by split: cells as text, and whether the row is a baseline's."""
    rows = []
    splits = list(dict.fromkeys(split for by_split in results["models"].values() for split in by_split))
    for split in splits:
        for name, by_split in results["models"].items():
            cell = by_split[split]
            tests, costs = results["paired"].get(name, {}), results["training"].get(name, [])
            start = next((other for other in tests if other != "base"), None)
            low, high = cell["valid_ci"]
            rows.append(
                {
                    "split": split,
                    "baseline": name in BASELINES,
                    "cells": (
                        name,
                        split,
                        str(cell["n"]),
                        f"{100 * cell['valid']:.1f}",
                        f"{100 * low:.1f} - {100 * high:.1f}",
                        f"{100 * cell['optimal']:.1f}",
                        won_and_lost(tests.get("base", {}).get(split)),
                        won_and_lost(tests.get(start, {}).get(split)) if start else "",
                        f"{mean(cost['tokens'] or 0 for cost in costs):,.0f}" if costs else "",
                        clock(mean(cost["seconds"] or 0 for cost in costs)) if costs else "",
                    ),
                }
            )
    return rows


def won_and_lost(tests: list[SeedTest] | None) -> str:
    """Paired tests in a cell: mazes won and lost, and Holm's p, for each seed."""
    return "; ".join(f"+{test['won']} -{test['lost']}, p {test['p_holm']:.2g}" for test in tests or [])


def inside_rows(results: StudyResults) -> list[dict]:
    """Validity beside what the MRI found: a row for each model that it read."""
    mri = results["mri"]
    if not mri:
        return []
    split = next(iter(next(iter(results["models"].values()), {})), "")
    seed = str(results["settings"]["study"]["seeds"][0])  # the one whose models were looked into
    rows = []
    for name, by_layer in mri["drift"].items():
        cell = results["models"].get(name, {}).get(split)
        found = mri.get("regions", {}).get(name)
        rows.append(
            {
                "name": name,
                "valid": f"{100 * cell['seeds'][seed]['valid']:.1f}" if cell and seed in cell["seeds"] else "",
                "drift": _extreme(by_layer, max),
                "cka": _extreme(mri["cka"][name], min),
                "edges": "+{edges_gained} -{edges_lost} ={edges_kept}".format(**found) if found else "",
                "edges_agree": _agreement(found, "edges"),
                "regions_agree": _agreement(found, "regions"),
            }
        )
    return rows


def _extreme(by_layer: list[float | None], which: Callable) -> str:
    """The largest or smallest value and its layer; a layer without variance, such as an embedding, has none."""
    found = [(value, layer) for layer, value in enumerate(by_layer) if value is not None]
    return "{:.3f} at layer {}".format(*which(found)) if found else ""


def _agreement(found: dict | None, what: str) -> str:
    """Agreement of edges or regions between fine-tune and base on different prompts, and of the base with itself."""
    if not found:
        return ""
    of_all = found[what][ALL]
    return f"{of_all['across_halves']:.2f} ({of_all['noise_floor']:.2f})"


def failure_rows(study: Study, out: Path) -> list[tuple[str, str, str]]:
    """Model, split and how often each kind of failure occurs, of the first seed."""
    evaluated = _first_evaluation(study, out)
    return [
        (name, split, ", ".join(f"{kind} {count}" for kind, count in found["failures"].items()))
        for name, by_split in (evaluated["analysis"] if evaluated else {}).items()
        for split, found in by_split.items()
        if found["failures"]
    ]


def figures_of(results: StudyResults, study: Study, out: Path) -> dict:
    """Figures as safe SVG, by their names in the template; None for one without data."""
    from markupsafe import Markup

    models = results["models"]
    colours = colours_of([*models, *(name for name in study.recipes if name not in models)], {"base", *BASELINES})
    histories: dict[str, Sequence[dict]] = {
        name: metrics["history"]
        for name in study.recipes
        if (metrics := metrics_of(study, out, study.seeds[0], name)) and not METHODS[metrics["method"]].scores
    }
    rewarded = {name: history for name, history in histories.items() if any("reward" in line for line in history)}
    evaluated = _first_evaluation(study, out)
    drawn = {
        "validity": models and validity_figure(models, study.splits, colours),
        "by_length": evaluated and length_figure(evaluated["analysis"], study.splits, colours),
        "learning": histories and learning_figure(histories, colours),
        "reward": rewarded and reward_figure(rewarded, colours),
        "inside_figure": results["mri"] and inside_figure(results["mri"], colours),
    }
    # Drawn by matplotlib, which escapes what it writes.
    return {name: Markup(svg) if svg else None for name, svg in drawn.items()}  # noqa: S704


def mazes_of(study: Study, out: Path) -> list[list[dict]]:
    """Mazes on which the models differ, each with the walk of every model of the first seed."""
    evaluated = _first_evaluation(study, out)
    predictions = seed_folder(study, out, study.seeds[0]) / "evaluation" / "predictions.parquet"
    if not evaluated or not predictions.is_file():
        return []
    return walks_side_by_side(predictions, list(evaluated["settings"]["models"]), MAZES)


def _first_evaluation(study: Study, out: Path) -> Results | None:
    return evaluation_of(study, out, study.seeds[0])
