"""The report of a study: report.html, one self-contained page, and report.md, the same as text."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

from ..evaluation.findings import best_rule
from ..evaluation.forgetting.tables import HEADER as LOST
from ..evaluation.forgetting.tables import WORDS as LOST_WORDS
from ..evaluation.forgetting.tables import cells as lost_cells
from ..evaluation.gallery import walks_side_by_side
from ..evaluation.schema import Results
from ..evaluation.tables import loading_rows
from ..files import write_text
from ..mazes.baselines import BASELINES
from ..mazes.failures import FAILURES
from ..mri.analysis import HEADLINE
from ..mri.regions.edges import ALL, agreement_in_words
from ..plots import colours_of
from ..recipe import load_recipe
from ..recipe.methods import METHODS
from ..templating import PAGES, render
from ..templating.language import say_in
from .contrasts import PRIMARY, is_within_margin
from .figures import (
    contrast_figure,
    inside_figure,
    learning_figure,
    length_figure,
    rates_figure,
    reward_figure,
)
from .findings import findings, more_training, unequal_terms
from .results import evaluation_of, metrics_of, seed_folder
from .schema import Contrast, MeanRates, StudyResults, write_results
from .settings import Study, to_yaml
from .view import clock

MAZES = 6
SPLITS = {
    "test": "test holds mazes of the trained kinds",
    "test_larger": "test_larger larger ones",
    "test_unseen": "test_unseen other generators'",
}
HEADER = (
    *("model", "split", "n", "shortest", "95 %", "on hard", "valid", "valid, lenient", "parsed", "parsed, lenient"),
    "at decisions",
    *("against its start", "tokens", "time", "mazes"),
)
CONTRASTS = (
    "contrast",
    "split",
    "outcome",
    "points",
    "95 %",
    "p",
    "p of equivalence",
    "detectable difference",
    "finding",
)


def lost_seeds(results: StudyResults) -> list[str]:
    """The seeds of which it was measured what was lost, in order."""
    return sorted({seed for found in results["forgetting"].values() for seed in found["seeds"]}, key=int)


def write_report(results: StudyResults, study: Study, out: Path, language: str = "en") -> None:
    """Write results.json, report.md and report.html into the study's folder.

    Args:
        results: from `gather`.
        language: of report.html, one of `LANGUAGES`; the other files are in English.
    """
    say = say_in("study", language)
    write_results(results, out)
    write_text(out / "study.yaml", to_yaml(study))
    context = {
        "results": results,
        "study": study,
        "header": HEADER,
        "table": table_of(results),
        "by_split": splits_side_by_side(results, study.splits),
        "contrast_header": CONTRASTS,
        "contrasts": contrast_rows(results),
        "failed": [stage for stage in results["stages"] if stage["state"] in ("failed", "left out")],
        "inside": inside_rows(results),
        "lost_header": LOST,
        "lost": [lost_cells(name, found["mean"]) for name, found in results["forgetting"].items()],
        "lost_seeds": lost_seeds(results),
        "lost_words": LOST_WORDS,
        "splits": ", ".join(said for split, said in SPLITS.items() if split in study.splits),
        "commands": [stage["command"] for stage in results["stages"]],
        "seconds": clock(sum(stage["seconds"] for stage in results["stages"])),
        "failures": failure_rows(results, study, out),
        "loading": loading_rows(evaluated) if (evaluated := _first_evaluation(results, study, out)) else [],
        "kinds": FAILURES,
    }
    write_text(out / "report.md", render(PAGES / "study.md.jinja", context))
    compared = results["contrasts"], results["training"], say
    unequal = [*more_training(*compared), *unequal_terms(*compared)]
    said = findings(results["contrasts"], results["planned"], study.margin, unequal, say)
    of_splits = ", ".join(say(words) for split, words in SPLITS.items() if split in study.splits)
    page = {
        **context,
        "_": say,
        "findings": said,
        "walkers": [name for name, file in study.recipes.items() if not METHODS[load_recipe(file).method].scores],
        "splits": of_splits,
        **figures_of(results, study, out),
        "mazes": mazes_of(results, study, out),
    }
    write_text(out / "report.html", render(PAGES / "study.html.jinja", page))


def splits_side_by_side(results: StudyResults, splits: Sequence[str]) -> list[tuple[str, ...]]:
    """The share of shortest paths with its interval, a row per model and a column per split; the rules in the last."""
    models = results["models"]

    def cell(name: str, split: str) -> str:
        if split not in models[name]:
            return ""
        low, high = models[name][split]["optimal_ci"]
        return f"{per_cent(models[name][split]['optimal'])} ({100 * low:.1f} - {100 * high:.1f})"

    rows = [(name, *(cell(name, split) for split in splits)) for name in models if name not in BASELINES]
    best = [best_rule(models, split) for split in splits]
    rules = (f"{rule}: {cell(rule, split)}" if rule else "" for rule, split in zip(best, splits))
    return [*rows, ("best rule", *rules)] if any(best) else rows


def table_of(results: StudyResults) -> list[dict]:
    """Rows of the table, grouped by split: cells as text, and whether the row is that of the rules, the last."""
    rows = []
    models = results["models"]
    for split in dict.fromkeys(split for by_split in models.values() for split in by_split):
        for name in (name for name in models if name not in BASELINES and split in models[name]):
            cells = (name, *rate_cells(models[name][split], split), *cost_cells(results, name, split))
            rows.append({"split": split, "baseline": False, "cells": cells})
        if best := best_rule(models, split):
            cells = (f"best rule: {best}", *rate_cells(models[best][split], split), *cost_cells(results, best, split))
            rows.append({"split": split, "baseline": True, "cells": cells})
    return rows


def rate_cells(cell: MeanRates, split: str) -> tuple[str, ...]:
    """The cells of a model's rates on a split; see `HEADER`."""
    low, high = cell["optimal_ci"]
    hard, decisions = cell["by_rules"].get("hard"), cell["decisions"]
    parts = " / ".join(per_cent(decisions[part]["right"]) for part in ("greedy_right", "greedy_wrong"))
    return (
        split,
        str(cell["n"]),
        per_cent(cell["optimal"]),
        f"{100 * low:.1f} - {100 * high:.1f}",
        f"{per_cent(hard['optimal'])} of {hard['n']}" if hard else "",
        per_cent(cell["valid"]),
        per_cent(cell["valid_lenient"]),
        per_cent(cell["parsed"]),
        per_cent(cell["parsed_lenient"]),
        f"{per_cent(decisions['right'])} ({parts})" if decisions["n"] else "",
    )


def cost_cells(results: StudyResults, name: str, split: str) -> tuple[str, ...]:
    """The cells of a model against its start, and of its cost with all runs that it builds on; see `HEADER`."""
    costs = results["training"].get(name, [])
    if not costs:
        return ("",) * 4
    pair = (name, costs[0]["start"], split, PRIMARY)
    against = [one for one in results["contrasts"] if (one["a"], one["b"], one["split"], one["outcome"]) == pair]
    tokens = [cost["chain_tokens"] for cost in costs if cost["chain_tokens"] is not None]
    seconds = [cost["chain_seconds"] for cost in costs if cost["chain_seconds"] is not None]
    mazes = [cost["mazes"] for cost in costs if cost["mazes"] is not None]
    return (
        interval_text(against[0]) if against else "",
        f"{mean(tokens):,.0f}" if tokens else "",
        clock(mean(seconds)) if seconds else "",
        f"{mean(mazes):,.0f}" if mazes else "",
    )


def contrast_rows(results: StudyResults) -> list[dict]:
    """Rows of the contrasts: cells as text, see `CONTRASTS`, and whether the contrast was planned."""
    return [
        {
            "planned": one["planned"],
            "cells": (
                f"{one['a']} - {one['b']}",
                one["split"],
                one["outcome"],
                f"{100 * one['difference']:+.1f}",
                f"{100 * one['ci'][0]:+.1f} to {100 * one['ci'][1]:+.1f}",
                f"{one['p'] if one['p_holm'] is None else one['p_holm']:.2g}",
                f"{one['p_equivalent'] if one['p_equivalent_holm'] is None else one['p_equivalent_holm']:.2g}",
                per_cent(one["smallest"]),
                shown(one),
            ),
        }
        for one in results["contrasts"]
    ]


def shown(contrast: Contrast) -> str:
    """The verdict on a contrast, as a cell."""
    differs = contrast["verdict"] in ("more", "fewer")
    return (
        f"{contrast['verdict']}, within the margin" if differs and is_within_margin(contrast) else contrast["verdict"]
    )


def interval_text(contrast: Contrast) -> str:
    """A difference as a cell: `+1.2 (-3.0 to +5.4)`, in points."""
    return "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * rate for rate in (contrast["difference"], *contrast["ci"])))


def per_cent(rate: float | None) -> str:
    """A rate as a cell; a dash for None."""
    return "-" if rate is None else f"{100 * rate:.1f}"


def inside_rows(results: StudyResults) -> list[dict]:
    """Validity and the MRI's results: a row for each model that the MRI read."""
    mri = results["mri"]
    if not mri:
        return []
    split = next(iter(next(iter(results["models"].values()), {})), "")
    rows = []
    for name, by_layer in mri["drift"].items():
        method, _, number = name.partition("@")
        seed = number or str(results["settings"]["study"]["seeds"][0])
        cell = results["models"].get(method, {}).get(split)
        found, started = mri.get("regions", {}).get(name), mri["against_start"].get(name)
        rows.append(
            {
                "name": name,
                "valid": f"{100 * cell['seeds'][seed]['valid']:.1f}" if cell and seed in cell["seeds"] else "",
                "drift": _first_of_start(_extreme(by_layer, max), started and _extreme(_drift_of(started), max)),
                "cka": _first_of_start(_extreme(mri["cka"][name], min), started and _extreme(started["cka"], min)),
                "edges": "+{edges_gained} -{edges_lost} ={edges_kept}".format(**found) if found else "",
                "edges_agree": _agreement(found, "edges"),
                "regions_agree": _agreement(found, "regions"),
            }
        )
    return rows


def _drift_of(started: dict) -> list[float | None]:
    return started["drift_by_position"][HEADLINE]["relative"]


def _first_of_start(of_base: str, of_start: str | None) -> str:
    """A cell: against the fine-tune's start and, if that is not the base, in brackets against the base."""
    return f"{of_start} ({of_base} from base)" if of_start and of_base else of_start or of_base


def _extreme(by_layer: list[float | None], which: Callable) -> str:
    """The largest or smallest value and its layer; a layer without variance, such as an embedding, has none."""
    found = [(value, layer) for layer, value in enumerate(by_layer) if value is not None]
    return "{:.3f} at layer {}".format(*which(found)) if found else ""


def _agreement(found: dict | None, what: str) -> str:
    """How well edges or regions of fine-tune and base agree; the same number as on the page of the MRI."""
    if not found:
        return ""
    return agreement_in_words(found[what][ALL])


def failure_rows(results: StudyResults, study: Study, out: Path) -> list[tuple[str, str, str]]:
    """Model, split and how often each kind of failure occurs, of the first seed."""
    evaluated = _first_evaluation(results, study, out)
    return [
        (name, split, ", ".join(f"{kind} {count}" for kind, count in found["failures"].items()))
        for name, by_split in (evaluated["analysis"] if evaluated else {}).items()
        for split, found in by_split.items()
        if found["failures"] and name not in BASELINES
    ]


def figures_of(results: StudyResults, study: Study, out: Path) -> dict:
    """Figures as safe SVG, by their names in the template; None for one without data."""
    from markupsafe import Markup

    models = results["models"]
    colours = colours_of([*models, *(name for name in study.recipes if name not in models)], {"base", *BASELINES})
    histories: dict[str, Sequence[dict]] = {
        name: metrics["history"]
        for name in study.recipes
        if any(cost["seed"] == study.seeds[0] for cost in results["training"].get(name, []))
        and (metrics := metrics_of(study, out, study.seeds[0], name))
        and not METHODS[metrics["method"]].scores
    }
    # A run whose recipe has `eval_strategy: no` has no curve.
    watched = {name: history for name, history in histories.items() if any("eval_optimal" in line for line in history)}
    first = {name: results["training"][name][0] for name in watched}
    before = {name: (cost["chain_tokens"] or 0) - (cost["tokens"] or 0) for name, cost in first.items()}
    rewarded = {name: history for name, history in watched.items() if any("reward" in line for line in history)}
    evaluated = _first_evaluation(results, study, out)
    drawn = {
        "rates": models and rates_figure(models, study.splits, colours),
        "contrast": any(one["planned"] for one in results["contrasts"])
        and contrast_figure(results["contrasts"], study.margin),
        "by_length": evaluated and length_figure(evaluated["analysis"], study.splits, colours),
        "learning": watched and learning_figure(watched, before, colours),
        "reward": rewarded and reward_figure(rewarded, colours),
        "inside_figure": results["mri"] and inside_figure(results["mri"], colours),
    }
    # Drawn by matplotlib, which escapes what it writes.
    return {name: Markup(svg) if svg else None for name, svg in drawn.items()}  # noqa: S704


def mazes_of(results: StudyResults, study: Study, out: Path) -> list[list[dict]]:
    """Mazes on which the models differ, each with the walks of all models of the first seed."""
    evaluated = _first_evaluation(results, study, out)
    predictions = seed_folder(study, out, study.seeds[0]) / "evaluation" / "predictions.parquet"
    if not evaluated or not predictions.is_file():
        return []
    return walks_side_by_side(predictions, list(evaluated["settings"]["models"]), MAZES)


def _first_evaluation(results: StudyResults, study: Study, out: Path) -> Results | None:
    """The first seed's evaluation, unless it is outdated and so not among the results."""
    cells = [cell for of_model in results["models"].values() for cell in of_model.values()]
    return (
        evaluation_of(study, out, study.seeds[0])
        if any(str(study.seeds[0]) in one["seeds"] for one in cells)
        else None
    )
