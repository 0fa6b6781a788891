"""The whole experiment in one go: build the dataset, fine-tune, evaluate base against fine-tune, write the page."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .configuration import check_keys, read_yaml_mapping
from .errors import UsageError
from .recipe import find_recipe


@dataclass(frozen=True)
class Study:
    """What a study does.

    Attributes:
        dataset: config of the builder.
        base: the model that is fine-tuned.
        recipes: name in the tables -> recipe.
        splits: to evaluate on.
        limit: mazes evaluated per split; None for all.
    """

    dataset: str
    base: str
    recipes: dict[str, str]
    splits: list[str]
    limit: int | None = None


DEMO = Study(dataset="demo", base="tiny", recipes={"sft": "recipes/tiny/sft.yaml"}, splits=["test"])


def load_study(path: Path | None) -> Study:
    """Read a study file, or the demo's where there is none.

    Raises:
        UsageError: no such file, unknown or missing keys, or a recipe that does not exist.
    """
    if path is None:
        return DEMO
    if not path.is_file():
        raise UsageError(f"{path}: no such study file")
    values = read_yaml_mapping(path)
    check_keys(values, Study, path.name)
    study = Study(**values)
    for recipe in study.recipes.values():
        find_recipe(recipe)
    return study


def run_study(study: Study, out: Path, workers: int, train: Callable[[list[str]], None], progress: Callable) -> dict:
    """Run every stage that has not been run yet, all under one folder; returns the results of the evaluation.

    Args:
        train: runs `ascii-maze train` with these arguments; a process of its own each, as on a cluster, so that
            nothing of one run is left in the next.
        progress: opens a progress bar: a context manager over a function (what, steps done, steps in all).
    """
    import pyarrow.parquet

    from dataset_builder.build import build
    from dataset_builder.config import load_config

    from .evaluation import evaluate
    from .figures import draw_validity
    from .gallery import write_gallery

    dataset = out / "dataset"
    with progress() as report:
        build(load_config(study.dataset), dataset, workers, report)
    models = {"base": study.base}
    for name, recipe in study.recipes.items():
        models[name] = str(out / name)
        train(
            [recipe, "--dataset_name", str(dataset), "--model_name_or_path", study.base, "--output_dir", models[name]]
        )
    with progress() as report:
        results = evaluate(models, str(dataset), study.splits, out / "evaluation", study.limit, report=report)
    draw_validity(results, out / "evaluation" / "figures")
    predictions = pyarrow.parquet.read_table(out / "evaluation" / "predictions.parquet").to_pylist()
    write_gallery(out / "report.html", "What fine-tuning changed", results, predictions, list(models))
    return results
