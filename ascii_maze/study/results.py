"""results.json of a study, gathered from the folders of its stages."""

import os
import platform
from collections.abc import Sequence, Set
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from dataset_builder.schema import RECORD, read_record

from ..evaluation.crossed import estimates
from ..evaluation.forgetting.schema import read_forgetting
from ..evaluation.schema import LENIENT_RATES, RATES, DecisionRate, DecisionRates, Rates, Results, read_results
from ..evaluation.statistics import wilson
from ..mri.schema import read_results as read_mri
from ..packages import versions
from ..recipe import Recipe, load_recipe
from ..recipe.methods import METHODS
from ..recipe.run_metrics import RunMetrics, read_metrics, seconds_spent
from .contrasts import Outcomes, read_outcomes, study_contrasts
from .findings import findings, more_training, unequal_terms
from .pairs import chain_of, planned_pairs, start_of
from .plan import starts_of
from .runner import Progress
from .schema import Cost, Forgotten, MeanRates, RuleRate, SizeRate, StudyResults
from .settings import Study
from .tuning import Tuning, tuning_of

NUM_GENERATIONS = 8  # TRL's default, for a recipe that does not set it
OF_DATASET = ("config", "seed", "rows", "shared_between_splits", "layouts_shared_between_splits")


def gather(study: Study, progress: list[Progress], out: Path) -> StudyResults:
    """results.json of a study, without what stages have left that have failed or would have to be run again."""
    outdated = {out / mine.stage.product for mine in progress if not mine.finished}
    evaluations = [(seed, results) for seed in study.seeds if (results := evaluation_of(study, out, seed, outdated))]
    built = out / "dataset"
    record: dict[str, Any] = dict(read_record(built)) if (built / RECORD).is_file() else {}
    recipes = {name: load_recipe(path) for name, path in study.recipes.items()}
    starts = starts_of(study, recipes)
    training = {name: costs_of(study, out, name, starts, recipes[name], outdated) for name in recipes}
    files = {seed: seed_folder(study, out, seed) / "evaluation" / "predictions.parquet" for seed, _ in evaluations}
    outcomes = read_outcomes(files, study.splits)
    pairs = planned_pairs(study, recipes, starts)
    contrasts = study_contrasts(outcomes, pairs, study.splits, study.margin)
    unequal = [*more_training(contrasts, training), *unequal_terms(contrasts, training)]
    return {
        "models": over_seeds(evaluations, outcomes),
        "contrasts": contrasts,
        "planned": len(pairs),
        "findings": findings(contrasts, len(pairs), study.margin, unequal),
        "unequal": unequal,
        "training": training,
        "forgetting": forgotten(study, out, outdated),
        "mri": dict(read_mri(mri)) if (mri := out / "mri" / "mri.json").is_file() and mri not in outdated else {},
        "stages": [
            {
                "name": mine.stage.name,
                "state": mine.state,
                "seconds": round(mine.seconds, 3),
                "note": mine.note,
                "command": mine.stage.shell({other.stage.name for other in progress if other.finished}),
            }
            for mine in progress
        ],
        "settings": {
            "study": asdict(study),
            "dataset": {key: record.get(key) for key in OF_DATASET},
            "dataset_sha256": evaluations[0][1]["settings"]["dataset_sha256"] if evaluations else None,
            "versions": versions(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        },
    }


def seed_folder(study: Study, out: Path, seed: int) -> Path:
    """The folder of the runs of one seed."""
    return out if len(study.seeds) == 1 else out / f"seed-{seed}"


def evaluation_of(study: Study, out: Path, seed: int, outdated: Set[Path] = frozenset()) -> Results | None:
    """results.json of the evaluation of one seed; None where there is none, or an outdated one."""
    path = seed_folder(study, out, seed) / "evaluation" / "results.json"
    return read_results(path) if path.is_file() and path not in outdated else None


def metrics_of(study: Study, out: Path, seed: int, name: str, outdated: Set[Path] = frozenset()) -> RunMetrics | None:
    """metrics.json of a recipe's run with one seed; None where there is none, or an outdated one."""
    path = seed_folder(study, out, seed) / name / "metrics.json"
    return read_metrics(path.parent) if path.is_file() and path not in outdated else None


def over_seeds(evaluations: list[tuple[int, Results]], outcomes: Outcomes) -> dict[str, dict[str, MeanRates]]:
    """Rates of every model and split: means over the seeds, every seed's own, and 95 % intervals; see `interval`.

    Baselines and the base are the same with every seed.
    """
    models: dict[str, dict[str, MeanRates]] = {}
    names = dict.fromkeys(name for _, results in evaluations for name in results["models"])
    for name in names:
        found = [(seed, results) for seed, results in evaluations if name in results["models"]]
        models[name] = {}
        for split in found[0][1]["models"][name]:
            cells = [(seed, results["models"][name][split]) for seed, results in found]
            first = cells[0][1]
            known = [rate for rate in (*RATES, *LENIENT_RATES) if all(rate in cell for _, cell in cells)]
            rates = {rate: mean(cell[rate] for _, cell in cells) for rate in known}
            models[name][split] = MeanRates(
                n=first["n"],
                valid=rates["valid"],
                optimal=rates["optimal"],
                reaches_goal=rates["reaches_goal"],
                legal=rates["legal"],
                parsed=rates["parsed"],
                parsed_lenient=rates.get("parsed_lenient"),
                valid_lenient=rates.get("valid_lenient"),
                valid_ci=interval(list(outcomes[split, "valid"][name].values())),
                optimal_ci=interval(list(outcomes[split, "optimal"][name].values())),
                seeds={str(seed): {rate: cell[rate] for rate in known} for seed, cell in cells},
                by_size={
                    size: SizeRate(
                        width=of_size["width"],
                        height=of_size["height"],
                        n=of_size["n"],
                        valid=mean(cell["by_size"][size]["valid"] for _, cell in cells),
                    )
                    for size, of_size in first["by_size"].items()
                },
                by_rules=by_rules([results["analysis"][name][split]["by"]["solved_by"] for _, results in found]),
                decisions=add_decisions([cell["decisions"] for _, cell in cells]),
            )
    return models


def forgotten(study: Study, out: Path, outdated: Set[Path] = frozenset()) -> dict[str, Forgotten]:
    """What each model has lost, over the seeds that have been measured."""
    files = {seed: seed_folder(study, out, seed) / "forgetting" / "forgetting.json" for seed in study.seeds}
    found = {
        seed: read_forgetting(file)["models"]
        for seed, file in files.items()
        if file.is_file() and file not in outdated
    }
    names = dict.fromkeys(name for models in found.values() for name in models)
    results: dict[str, Forgotten] = {}
    for name in names:
        seeds = {str(seed): models[name] for seed, models in found.items() if name in models}
        results[name] = {"mean": mean_of(list(seeds.values())), "seeds": seeds}
    return results


def mean_of(values: Sequence[Any]) -> Any:
    """The mean of numbers, or of the numbers at the same keys of several objects; otherwise the first value."""
    first = values[0]
    if all(isinstance(value, dict) for value in values):
        return {key: mean_of([value[key] for value in values]) for key in first}
    numbers = all(isinstance(value, int | float) for value in values)
    return mean(values) if numbers and len(set(values)) > 1 else first


def by_rules(seeds: list[dict[str, Rates]]) -> dict[str, RuleRate]:
    """Mean rates on easy and hard mazes."""
    return {
        name: RuleRate(
            n=first["n"],
            optimal=mean(seed[name]["optimal"] for seed in seeds),
            valid=mean(seed[name]["valid"] for seed in seeds),
        )
        for name, first in seeds[0].items()
    }


def add_decisions(seeds: list[DecisionRates]) -> DecisionRates:
    """The decisions of all seeds together."""

    def added(found: Sequence[DecisionRate]) -> DecisionRate:
        made, right = sum(one["n"] for one in found), sum(one["n"] * (one["right"] or 0) for one in found)
        return {"n": made, "right": right / made if made else None}

    return {
        **added(seeds),
        "greedy_right": added([seed["greedy_right"] for seed in seeds]),
        "greedy_wrong": added([seed["greedy_wrong"] for seed in seeds]),
    }


def interval(answers: list[np.ndarray]) -> list[float]:
    """95 % interval of a rate, within 0-1: Wilson's over mazes where one seed was run or all gave the same answers,
    else Student's over seeds and mazes; see `evaluation.crossed`.

    Args:
        answers: of each seed, the outcome on each maze, float (mazes,).
    """
    values = np.stack(answers)
    if len(values) == 1 or values.shape[1] < 2 or (values == values[0]).all():
        return wilson(float(values[0].mean()), values.shape[1])
    low, high = estimates([values], [("rate", "0")])[0].own.interval()
    return [max(0.0, low), min(1.0, high)]


def costs_of(
    study: Study, out: Path, name: str, starts: dict[str, dict[str, str]], recipe: Recipe, outdated: Set[Path]
) -> list[Cost]:
    """What the runs of one name cost, a row for each seed that has one.

    Args:
        starts: from `plan.starts_of`.
        outdated: files that are not read.
    """
    rows = []
    chain, start, values = chain_of(name, starts), start_of(starts[name]), {**recipe.values, **study.overrides}
    tuning = tuning_of(replace(recipe, values=values))
    for seed in study.seeds:
        found = [metrics_of(study, out, seed, other, outdated) for other in (name, *chain)]
        if found[0] is not None:
            rows.append(cost(seed, found[0], start, dict(zip(chain, found[1:])), values, tuning))
    return rows


def cost(
    seed: int,
    metrics: RunMetrics,
    start: str,
    chain: dict[str, RunMetrics | None],
    values: dict[str, Any],
    tuning: Tuning | None,
) -> Cost:
    """What one run cost.

    Args:
        start: the model that it starts from.
        chain: metrics.json of the runs that it rests on, None where it is missing.
        values: of its recipe.
        tuning: how these were chosen.
    """
    known = [metrics, *(run for run in chain.values() if run is not None)]
    own = metrics.get("own_answers")
    whole = None not in chain.values()
    return Cost(
        seed=seed,
        method=metrics["method"],
        steps=metrics["steps"],
        samples=metrics["samples"],
        tokens=metrics["tokens"],
        sampled_tokens=own["tokens"] if own else 0,
        seconds=round(seconds_spent(metrics), 3),
        peak_memory_bytes=metrics["peak_memory_bytes"],
        device=metrics["device"],
        mazes=mazes_seen(metrics, values.get("num_generations", NUM_GENERATIONS)),
        budget=metrics.get("budget"),
        selected_on=values.get("dataset_test_split"),
        tuning=tuning,
        start=start,
        chain=list(chain),
        chain_tokens=sum(run["tokens"] for run in known) if whole else None,
        chain_seconds=round(sum(map(seconds_spent, known)), 3) if whole else None,
    )


def mazes_seen(metrics: RunMetrics, generations: int) -> int | None:
    """Distinct mazes of a run, at most: those of the rows that it read, one for each group of generations; or those on
    which the model was asked for answers of its own.
    """
    if own := metrics.get("own_answers"):
        return own["mazes"]
    rows = metrics.get("dataset", {}).get("rows")
    if rows is None:
        return None
    read = metrics["samples"] // (generations if METHODS[metrics["method"]].generates else 1)
    return min(rows, read)
