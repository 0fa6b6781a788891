"""results.json of a study, gathered from the folders of its stages."""

import os
import platform
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from dataset_builder.schema import RECORD, read_record

from ..evaluation.schema import RATES, Results, read_results
from ..mri.schema import read_results as read_mri
from ..packages import versions
from ..recipe import load_recipe
from ..run_metrics import RunMetrics, read_metrics
from .plan import starts_of
from .runner import Progress
from .schema import Cost, MeanRates, SeedTest, SizeRate, StudyResults
from .settings import Study


def gather(study: Study, progress: list[Progress], out: Path) -> StudyResults:
    """results.json of a study; what a failed stage would have given is absent."""
    evaluations = [(seed, results) for seed in study.seeds if (results := evaluation_of(study, out, seed))]
    runs = {
        name: [(seed, metrics) for seed in study.seeds if (metrics := metrics_of(study, out, seed, name))]
        for name in study.recipes
    }
    built = out / "dataset"
    record: dict[str, Any] = dict(read_record(built)) if (built / RECORD).is_file() else {}
    starts = starts_of(study, {name: load_recipe(path) for name, path in study.recipes.items()})
    return {
        "models": over_seeds(evaluations),
        "paired": {name: paired_against(name, start_of(starts[name]), evaluations) for name in study.recipes},
        "training": {name: [cost(seed, metrics) for seed, metrics in of_name] for name, of_name in runs.items()},
        "mri": dict(read_mri(mri)) if (mri := out / "mri" / "mri.json").is_file() else {},
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
            "dataset": {key: record.get(key) for key in ("config", "seed", "rows", "shared_between_splits")},
            "dataset_sha256": evaluations[0][1]["settings"]["dataset_sha256"] if evaluations else None,
            "versions": versions(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        },
    }


def seed_folder(study: Study, out: Path, seed: int) -> Path:
    """The folder of the runs of one seed."""
    return out if len(study.seeds) == 1 else out / f"seed-{seed}"


def evaluation_of(study: Study, out: Path, seed: int) -> Results | None:
    """results.json of the evaluation of one seed; None where there is none."""
    path = seed_folder(study, out, seed) / "evaluation" / "results.json"
    return read_results(path) if path.is_file() else None


def metrics_of(study: Study, out: Path, seed: int, name: str) -> RunMetrics | None:
    """metrics.json of a recipe's run with one seed; None where there is none."""
    folder = seed_folder(study, out, seed) / name
    return read_metrics(folder) if (folder / "metrics.json").is_file() else None


def start_of(starts: dict[str, str]) -> str:
    """The model in the tables that a run starts from, of what `plan.starts_of` says of it."""
    return starts.get("adapter_name_or_path", "base")


def over_seeds(evaluations: list[tuple[int, Results]]) -> dict[str, dict[str, MeanRates]]:
    """Rates of every model and split: means over the seeds, every seed's own, and a 95 % interval.

    With one seed the interval is Wilson's, over mazes; with several it is Student's, over the rates of the runs, and
    estimates how another run would do on the same mazes. Baselines and the base are the same with every seed.
    """
    models: dict[str, dict[str, MeanRates]] = {}
    names = dict.fromkeys(name for _, results in evaluations for name in results["models"])
    for name in names:
        found = [(seed, results["models"][name]) for seed, results in evaluations if name in results["models"]]
        models[name] = {}
        for split in found[0][1]:
            cells = [(seed, of_model[split]) for seed, of_model in found if split in of_model]
            first = cells[0][1]
            rates = {rate: mean(cell[rate] for _, cell in cells) for rate in RATES}
            models[name][split] = MeanRates(
                n=first["n"],
                valid=rates["valid"],
                optimal=rates["optimal"],
                reaches_goal=rates["reaches_goal"],
                legal=rates["legal"],
                parsed=rates["parsed"],
                valid_ci=interval([cell["valid"] for _, cell in cells]) or first["valid_ci"],
                seeds={str(seed): {rate: cell[rate] for rate in RATES} for seed, cell in cells},
                by_size={
                    size: SizeRate(n=of_size["n"], valid=mean(cell["by_size"][size]["valid"] for _, cell in cells))
                    for size, of_size in first["by_size"].items()
                },
            )
    return models


def interval(rates: list[float]) -> list[float] | None:
    """Student's 95 % interval of the mean of runs, within 0-1; None for one run, or for runs that are all alike."""
    if len(set(rates)) < 2:
        return None
    from scipy.stats import sem, t

    low, high = t.interval(0.95, len(rates) - 1, loc=mean(rates), scale=sem(rates))
    return [max(0.0, float(low)), min(1.0, float(high))]


def paired_against(
    name: str, start: str, evaluations: list[tuple[int, Results]]
) -> dict[str, dict[str, list[SeedTest]]]:
    """The paired tests of one model against the base and against the model it started from, by split and seed."""
    found: dict[str, dict[str, list[SeedTest]]] = {}
    for seed, results in evaluations:
        for test in results["paired"]:
            for other in dict.fromkeys(("base", start)):
                if {test["a"], test["b"]} != {name, other} or name == other:
                    continue
                won, lost = test["only_a"], test["only_b"]
                if test["b"] == name:
                    won, lost = lost, won
                row = SeedTest(seed=seed, won=won, lost=lost, p=test["p"], p_holm=test["p_holm"])
                found.setdefault(other, {}).setdefault(test["split"], []).append(row)
    return found


def cost(seed: int, metrics: RunMetrics) -> Cost:
    """What one run cost, of its metrics.json."""
    return Cost(
        seed=seed,
        method=metrics["method"],
        steps=metrics["steps"],
        samples=metrics["samples"],
        tokens=metrics["tokens"],
        seconds=metrics["seconds"],
        peak_memory_bytes=metrics["peak_memory_bytes"],
        device=metrics["device"],
    )
