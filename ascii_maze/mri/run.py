"""The whole report: activations, what they tell, figures, tables, mri.json and report.html.

write_report("tiny", {"sft": "outputs/tiny/sft"}, "ascii-maze", "test", out=Path("mri"), limit=1000, seed=0)
"""

import importlib.metadata
import itertools
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import AsciiMazeError, UsageError
from ..evaluation.run import load_mazes
from ..files import write_text
from ..terminal import OnProgress
from . import patching
from .activations import Activations, changes_nothing, extract
from .analysis import HEADLINE, ask_probes, compare_similarity, patch_layers, valid_share
from .labels import maze_labels
from .lens import logit_lens, next_token_kl
from .models import BASE, Models, load_models
from .positions import TokenisedWalk, locate_walks
from .regions.comparison import compare_regions, fit_regions
from .report.charts import CaptionedFigure
from .report.figures import appendix_figures, method_figures, overview_figures
from .report.page import save_figure, write_page
from .report.region_figures import region_figures
from .report.tables import tables, to_csv
from .weights import overlaps, updates

# Fewer mazes leave nothing to split into training and held-out ones.
LEAST_MAZES = 20
# What of a comparison of regions is numbers; the rest is what its figures are drawn from.
REGION_NUMBERS = ("models", "metrics", "explained", "labels", "left_out", "settings")
VERSIONS = ("ascii-maze", "torch", "transformers", "peft", "scikit-learn", "scipy", "numpy")


def write_report(
    base: str,
    adapters: dict[str, str],
    dataset: str,
    split: str,
    out: Path,
    limit: int | None = 1_000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> dict:
    """Compare adapters with their base, and write report.html, figures, tables and mri.json; arguments as `measure`'s.

    Returns:
        What mri.json holds.
    """
    on_progress = on_progress or (lambda what, done, total: None)
    results, regions = measure(base, adapters, dataset, split, limit, seed, on_progress)
    draw_report(results, regions, out, on_progress)
    return results


def measure(
    base: str,
    adapters: dict[str, str],
    dataset: str,
    split: str,
    limit: int | None,
    seed: int,
    on_progress: OnProgress,
) -> tuple[dict, list[CaptionedFigure]]:
    """Every number of the report, and the figures of the regions.

    Args:
        base: `tiny`, a folder or a Hub id.
        adapters: name -> folder or Hub id.
        dataset: folder or Hub id of a dataset with a config `prompts`.
        limit: the first so many mazes of the split.
        seed: of the probes' splits, the chosen cells and the regions.
        on_progress: called with what is being done, steps done and steps in all.

    Raises:
        UsageError: no adapter, one of another base, too few mazes, or mazes longer than the model's context.
        AsciiMazeError: something cannot be loaded, or activations are not finite.
    """
    if not adapters:
        raise UsageError("no adapter to compare with the base; give --adapter NAME=FOLDER, once or more")
    rows = load_mazes(dataset, split, limit)
    if len(rows) < LEAST_MAZES:
        raise UsageError(f"{len(rows)} mazes are too few to tell anything; give at least {LEAST_MAZES}")
    models = load_models(base, adapters)
    walks = locate_walks(rows, models.tokenizer, seed)
    with tempfile.TemporaryDirectory(prefix="ascii-maze-") as folder:
        activations = extract(models, walks, Path(folder), on_progress=on_progress)
        solved = walk_mazes(models, activations, rows, walks, on_progress)
        results = analyse(models, activations, rows, walks, solved, seed, on_progress)
        labels = region_labels(maze_labels(rows, walks, solved))
        regions = find_regions(activations, labels, results, seed, on_progress)
    results["settings"] = {
        "base": base,
        "adapters": adapters,
        "dataset": dataset,
        "split": split,
        "limit": limit,
        "seed": seed,
        "decoding": "greedy",
        "read at": HEADLINE,
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
    }
    return results, regions


def walk_mazes(
    models: Models,
    activations: Activations,
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    on_progress: OnProgress,
) -> dict[str, np.ndarray]:
    """Let every model answer: model -> bool (n,), whether the answer is valid."""
    solved = {}
    for done, name in enumerate(models.names, 1):
        solved[name] = patching.solved(rows, patching.own_answers(models, activations, name, rows, walks))
        on_progress("answers", done, len(models.names))
    return solved


def analyse(
    models: Models,
    activations: Activations,
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    solved: dict[str, np.ndarray],
    seed: int,
    on_progress: OnProgress,
) -> dict:
    """Every number but those of the regions; the keys are those of mri.json, `settings` is still to come."""
    probes, unasked = ask_probes(activations, rows, walks, seed, on_progress)
    of_weights = {name: updates(models, name) for name in models.names[1:]}
    return {
        "models": models.names,
        "layers": activations.layers,
        "mazes": len(rows),
        "unchanged": [name for name in models.names[1:] if changes_nothing(activations, name)],
        "answers": {name: valid_share(right) for name, right in solved.items()},
        **compare_similarity(activations, on_progress),
        "probes": probes,
        "lens": logit_lens(models, activations, walks, on_progress),
        "kl": next_token_kl(models, activations),
        "weights": {
            name: [{key: value for key, value in update.items() if key != "columns"} for update in found]
            for name, found in of_weights.items()
        },
        "overlaps": overlaps(of_weights),
        "patching": patch_layers(models, rows, walks, solved, on_progress),
        "regions": {},
        "regions_by_label": {},
        "missing": {f"the probe of '{question}'": reason for question, reason in unasked.items()},
    }


def find_regions(
    activations: Activations, labels: dict[str, np.ndarray], results: dict, seed: int, on_progress: OnProgress
) -> list[CaptionedFigure]:
    """Put the regions into the results, for every label that tells two groups of mazes apart, or why they are missing.

    Returns:
        The figures of the first label.
    """
    figures: list[CaptionedFigure] = []
    try:
        fitted = fit_regions(activations, HEADLINE, seed)
    except AsciiMazeError as error:
        results["missing"]["activation regions"] = str(error)
        return figures
    on_progress("regions", 1, len(labels) + 1)
    for done, (label, values) in enumerate(labels.items(), 2):
        names, codes = np.unique(values, return_inverse=True)
        try:
            found = compare_regions(fitted, codes, [f"{label} {name}" for name in names])
        except UsageError as error:
            results["missing"][f"activation regions by {label}"] = str(error)
            continue
        results["regions"] = results["regions"] or found["models"]
        results["regions_by_label"][label] = {key: found[key] for key in REGION_NUMBERS}
        figures = figures or list(region_figures(found))
        on_progress("regions", done, len(labels) + 1)
    return figures


def region_labels(labels: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The labels as few names each: distances as near and far, about their median."""
    far = labels["distance"] > np.median(labels["distance"])
    return {**labels, "distance": np.where(far, "far", "near")}


def draw_report(results: dict, regions: Sequence[CaptionedFigure], out: Path, on_progress: OnProgress) -> None:
    """Write the figures, the tables, mri.json and the page."""
    names = results["models"][1:]
    overview = [*overview_figures(results), *(drawn for drawn in regions if drawn.model is None)]
    methods = {
        name: [*method_figures(results, name), *(drawn for drawn in regions if drawn.model == name)] for name in names
    }
    appendix = [*appendix_figures(results), *(drawn for drawn in regions if drawn.model == BASE)]
    total = len(overview) + len(appendix) + sum(map(len, methods.values()))
    done = itertools.count(1)

    def save(drawn: Sequence[CaptionedFigure]) -> list[dict]:
        saved = []
        for each in drawn:
            saved.append(save_figure(each, out / "figures"))
            on_progress("figures", next(done), total)
        return saved

    pictures = save(overview), {name: save(drawn) for name, drawn in methods.items()}, save(appendix)
    for name, records in tables(results).items():
        if records:
            write_text(out / "tables" / f"{name}.csv", to_csv(records))
    write_text(out / "mri.json", json.dumps(without_nan(results), indent=1))
    write_page(out / "report.html", results, *pictures)


def without_nan(value):
    """The same with None for every number that is not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
