"""A study -> stages: plain `ascii-maze` commands, and which of them need which.

study = load_study(None)                     # the demo: recipes/tiny/study.yaml
for stage in plan(study, Path("outputs/demo"), workers=2): print(stage.name, stage.shell(set()))
"""

import os
import re
import shlex
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

from dataset_builder.config import load_config

from ..configuration import parse_weights
from ..errors import UsageError
from ..models.packaged import HUB_ID, packaged_model
from ..models.sources import find_named
from ..recipe import Recipe, check_recipe, find_recipe, load_recipe, override_words
from ..recipe.methods import METHODS
from .launchers import ACCELERATE, launch_words, usual_config
from .pairs import BASE_NAME, planned_pairs, start_of
from .settings import PREDECESSORS, Study

# Placeholders in a stage's words for what may differ without changing the outcome: the study's folder, the base, the
# files of the dataset's config and of a recipe (their content is in the stage's key), the number of processes that
# build.
OUT, BASE, CONFIG, RECIPE, WORKERS = "{out}", "{base}", "{config}", "{recipe}", "{workers}"
# Keys of a recipe that may name a file or a dataset, besides those that end in `_path`.
FILES = ("dataset_name", "deepspeed", "fsdp_config", "accelerator_config", "chat_template")


@dataclass(frozen=True)
class Stage:
    """A command, and what must exist before it runs.

    Attributes:
        name: `build`, `train-sft`, `evaluate`, `forgetting`, `mri`; `train-sft-1` where there are several seeds.
        command: words of the command line, after `ascii-maze` where `launcher` is empty; with the placeholders above.
        product: the file that the command writes last, relative to the study's folder; its other files are beside it.
        names: placeholder -> its value in this study.
        needs: stages that must be finished.
        uses: stages whose results it uses if they are finished -> the words that pass them.
        needs_one: whether at least one of these must be finished.
        inputs: texts on which its outcome depends, beside the command and the stages that it needs.
        reads: models, adapters, datasets and files from outside the study on whose content its outcome depends.
        launcher: words before the command, instead of `ascii-maze`.
        follows: whether the study starts it directly, without a launcher, so that it can end when the study does.
        modules: of this project that the command runs, for `source.source_digest`.
        keeps_names: whether the command refuses to resume under other names than it started with.
        minutes: its known duration.
        note: the requirements that the recipe states for its own base.
    """

    name: str
    command: tuple[str, ...]
    product: Path
    names: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    needs_one: bool = False
    inputs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ()
    follows: bool = True
    modules: tuple[str, ...] = ()
    keeps_names: bool = False
    minutes: float | None = None
    note: str = ""

    def missing(self, finished: set[str]) -> list[str]:
        """The stages that it needs and that are not finished."""
        missing = [name for name in self.needs if name not in finished]
        return missing or (list(self.uses) if self.needs_one and not finished & set(self.uses) else [])

    def planned(self, finished: set[str]) -> list[str]:
        """The whole command line with its placeholders, the same for any location of the study."""
        used = [word for name, words in self.uses.items() if name in finished for word in words]
        return [*self.launcher, *self.command, *used]

    def words(self, finished: set[str]) -> list[str]:
        """The whole command line, without the `ascii-maze` before it where there is no launcher."""
        # All at once, since the name of a folder may itself look like a placeholder.
        return [
            re.sub(r"\{\w+\}", lambda found: self.names.get(found[0], found[0]), word)
            for word in self.planned(finished)
        ]

    def shell(self, finished: set[str]) -> str:
        """The command as typed in a shell."""
        return shlex.join([*([] if self.launcher else ["ascii-maze"]), *self.words(finished)])


def plan(study: Study, out: Path, workers: int = 1, any_launcher: bool = False, language: str = "en") -> list[Stage]:
    """All stages, each after those that it needs.

    Args:
        workers: processes that build the dataset.
        any_launcher: whether the study's launcher may be any program.
        language: of the MRI's page, one of `LANGUAGES`.

    Raises:
        UsageError: a recipe cannot be read or trains on a split that is evaluated, the start of a run is ambiguous,
            recipes need each other in a circle, a contrast names a model that is not in the study, or the launcher is
            not one of `launchers.LAUNCHERS`.
    """
    recipes = {name: load_recipe(path) for name, path in study.recipes.items()}
    for name, recipe in recipes.items() if "dataset_name" not in study.overrides else ():
        trained_on = str({**recipe.values, **study.overrides}.get("dataset_train_split", "train"))
        for split in study.splits:
            if split in re.findall(r"\w+", trained_on):
                raise UsageError(
                    f"'{name}' is trained on split '{split}', which the study evaluates on; its figures would be "
                    "meaningless: change 'splits', or the recipe's dataset_train_split"
                )
    starts = starts_of(study, recipes)
    planned_pairs(study, recipes, starts)
    order = in_order(starts)
    evaluated = [name for name in order if not METHODS[recipes[name].method].scores]
    here = {OUT: str(out), BASE: study.base}
    stages = [_build(study, out, workers)]
    alone = len(study.seeds) == 1
    seeds = [
        _Seed(number, Path() if alone else Path(f"seed-{number}"), "" if alone else f"-{number}")
        for number in study.seeds
    ]
    for seed in seeds:
        stages += [_train(study, name, recipes[name], starts[name], seed, here, any_launcher) for name in order]
        stages.append(_evaluate(study, evaluated, seed, here))
        if study.forgetting_limit:
            stages.append(_forgetting(study, evaluated, starts, seed, here))
    if study.mri_limit:
        stages.append(_mri(study, evaluated, seeds, here, language))
    return stages


def check_recipes(study: Study) -> None:
    """Check keys and values of every recipe, with the study's overrides, before any of them is run; imports TRL.

    Raises:
        UsageError: a key that a recipe's method does not have, or a value of the wrong type.
        AsciiMazeError: the base cannot be read here.
    """
    find_named(study.base)
    for name, path in study.recipes.items():
        try:
            for seed in study.seeds[:2]:  # what replaces keys may differ between the first and the others
                check_recipe(load_recipe(path, override_words(overrides_of(study, seed))))
        except UsageError as error:
            raise UsageError(f"'{name}' cannot be trained: {error}") from error


class _Seed(NamedTuple):
    """One of the seeds of a study: its folder under the study's, and the suffix of its stages' names."""

    number: int
    folder: Path
    mark: str


def _build(study: Study, out: Path, workers: int) -> Stage:
    return Stage(
        name="build",
        command=("build", CONFIG, "--out", f"{OUT}/dataset", "--workers", WORKERS),
        product=Path("dataset", "build.json"),
        names={OUT: str(out), CONFIG: study.dataset, WORKERS: str(workers)},
        inputs=(repr(load_config(study.dataset)),),
        modules=("dataset_builder.build",),
        minutes=study.minutes.get("build"),
    )


def _evaluate(study: Study, evaluated: list[str], seed: _Seed, here: dict[str, str]) -> Stage:
    return Stage(
        name=f"evaluate{seed.mark}",
        command=(
            "evaluate",
            f"base={BASE}",
            *("--dataset", f"{OUT}/dataset", "--out", f"{OUT}/{seed.folder / 'evaluation'}"),
            *(word for split in study.splits for word in ("--split", split)),
            *(("--limit", str(study.limit)) if study.limit else ()),
            *(("--unquantised-base",) if study.unquantised_base else ()),
            *("--batch-size", str(study.batch_size)),
        ),
        product=seed.folder / "evaluation" / "results.json",
        names=here,
        needs=("build",),
        uses={f"train-{name}{seed.mark}": (f"{name}={OUT}/{seed.folder / name}",) for name in evaluated},
        reads=(study.base,),
        modules=("ascii_maze.launch", "ascii_maze.evaluation.run", "ascii_maze.evaluation.figures"),
        minutes=study.minutes.get("evaluate"),
    )


def _forgetting(
    study: Study, evaluated: list[str], starts: dict[str, dict[str, str]], seed: _Seed, here: dict[str, str]
) -> Stage:
    uses: dict[str, tuple[str, ...]] = {}
    for name in evaluated:
        start = start_of(starts[name])
        said = ("--start", f"{name}={start}") if start != BASE_NAME else ()
        uses[f"train-{name}{seed.mark}"] = (f"{name}={OUT}/{seed.folder / name}", *said)
    return Stage(
        name=f"forgetting{seed.mark}",
        command=(
            "forgetting",
            f"{BASE_NAME}={BASE}",
            *("--dataset", f"{OUT}/dataset", "--out", f"{OUT}/{seed.folder / 'forgetting'}"),
            *(word for split in study.splits for word in ("--split", split)),
            *("--limit", str(study.forgetting_limit), "--batch-size", str(study.batch_size)),
        ),
        product=seed.folder / "forgetting" / "forgetting.json",
        names=here,
        needs=("build",),
        uses=uses,
        needs_one=True,
        reads=(study.base,),
        modules=(
            "ascii_maze.launch",
            "ascii_maze.evaluation.forgetting.run",
            "ascii_maze.evaluation.forgetting.tables",
        ),
        minutes=study.minutes.get("forgetting"),
    )


def _mri(study: Study, evaluated: list[str], seeds: list[_Seed], here: dict[str, str], language: str) -> Stage:
    """The adapters of all seeds, as `sft@0`, `sft@1`: differences between seeds are the floor for those of methods."""
    uses: dict[str, tuple[str, ...]] = {
        f"train-{name}{seed.mark}": (
            "--adapter",
            f"{name}{f'@{seed.number}' if len(seeds) > 1 else ''}={OUT}/{seed.folder / name}",
        )
        for name in evaluated
        for seed in seeds
    }
    return Stage(
        name="mri",
        command=(
            *("mri", "--base", BASE, "--dataset", f"{OUT}/dataset", "--split", study.mri_split),
            *("--limit", str(study.mri_limit), "--out", f"{OUT}/mri"),
            *(() if language == "en" else ("--language", language)),
        ),
        product=Path("mri", "mri.json"),
        names=here,
        needs=("build",),
        uses=uses,
        needs_one=True,
        reads=(study.base,),
        modules=("ascii_maze.launch", "ascii_maze.mri.run"),
        minutes=study.minutes.get("mri"),
    )


def _train(
    study: Study,
    name: str,
    recipe: Recipe,
    starts: dict[str, str],
    seed: _Seed,
    here: dict[str, str],
    any_launcher: bool,
) -> Stage:
    values: dict[str, Any] = {
        "dataset_name": f"{OUT}/dataset",
        "model_name_or_path": BASE,
        **overrides_of(study, seed.number),
        "seed": seed.number,
        "output_dir": f"{OUT}/{seed.folder / name}",
        **{key: f"{OUT}/{seed.folder / other}" for key, other in starts.items()},
    }
    launcher, config = launch_words(study.launcher, any_launcher) if study.launcher else ((), None)
    read = config or usual_config(launcher)
    runs_file = any_launcher and study.launcher is not None
    file = study.recipes[name]
    return Stage(
        name=f"train-{name}{seed.mark}",
        command=(
            *(() if runs_file else ("train",)),
            RECIPE,
            *override_words(values),
        ),
        product=seed.folder / name / "metrics.json",
        names={**here, RECIPE: str(find_recipe(file)) if runs_file else file, ACCELERATE: str(config)},
        needs=("build", *(f"train-{other}{seed.mark}" for other in starts.values())),
        inputs=(recipe.to_yaml(),),
        reads=(study.base, *outside({**recipe.values, **values}), *([str(read)] if read else [])),
        launcher=launcher,
        modules=("ascii_maze.launch", f"ascii_maze.training.{recipe.method}"),
        follows=not launcher,
        keeps_names=True,  # they stand in the run's recipe.yaml
        minutes=study.minutes.get(name),
        note=expectation(file) if is_its_own(recipe, study.base) and is_as_shipped(study) else "",
    )


def overrides_of(study: Study, seed: int) -> dict[str, Any]:
    """What replaces keys of every recipe in the runs with a seed."""
    unwatched = study.curves == "first" and seed != study.seeds[0]
    return {**study.overrides, **({"eval_strategy": "no", "eval_on_start": False} if unwatched else {})}


def outside(values: dict[str, Any]) -> list[str]:
    """Files, models, adapters and datasets that a recipe names and no stage of the study makes."""
    named = [value for key, value in sorted(values.items()) if key.endswith("_path") or key in FILES]
    if values.get("dataset_mix"):
        named += parse_weights("dataset_mix", values["dataset_mix"])
    return [value for value in named if isinstance(value, str) and not value.startswith((OUT, BASE))]


def starts_of(study: Study, recipes: dict[str, Recipe]) -> dict[str, dict[str, str]]:
    """Name -> key of its recipe -> the run of this study that it starts from.

    That is the one named by `starts_from`, else the one whose recipe writes to the folder that this recipe names.

    Raises:
        UsageError: several recipes of the study write to that folder.
    """
    made: dict[str, list[str]] = {}
    for name, recipe in recipes.items():
        if folder := recipe.values.get("output_dir"):
            made.setdefault(os.path.normpath(str(folder)), []).append(name)
    starts: dict[str, dict[str, str]] = {}
    for name, recipe in recipes.items():
        starts[name] = dict(study.starts_from.get(name, {}))
        for key in PREDECESSORS:
            folder = {**recipe.values, **study.overrides}.get(key)
            makers = made.get(os.path.normpath(str(folder)), []) if folder else []
            if key in starts[name] or not makers:
                continue
            if len(makers) > 1:
                raise UsageError(
                    f"'{name}' starts from {folder} ({key}), which the recipes of {' and '.join(makers)} write to; "
                    f"say which in the study, starts_from: {{{name}: {{{key}: {makers[0]}}}}}"
                )
            starts[name][key] = makers[0]
    return starts


def in_order(starts: dict[str, dict[str, str]]) -> list[str]:
    """Names sorted so that each comes after those that it starts from, otherwise in the given order.

    Raises:
        UsageError: they depend on each other in a circle.
    """
    try:
        return list(TopologicalSorter({name: of.values() for name, of in starts.items()}).static_order())
    except CycleError as error:
        raise UsageError(f"the recipes start from each other: {' -> '.join(error.args[1])}") from error


def is_its_own(recipe: Recipe, base: str) -> bool:
    """Whether a base is the one that a recipe names, which the head of its file is about, or the file in its place."""
    own = recipe.values.get("model_name_or_path")
    return base == own or (own == HUB_ID and base == str(packaged_model()))


def is_as_shipped(study: Study) -> bool:
    """Whether a study trains as its recipes say, on mazes of the sizes that they were measured on."""
    harmless = ("eval_", "save_", "logging_", "per_device_eval_")
    return all(key.startswith(harmless) for key in study.overrides) and Path(study.dataset).suffix == ""


def expectation(recipe: str) -> str:
    """The requirements that the head of a recipe states; empty if it states none."""
    found = re.search(r"^# Expect: (.*)$", find_recipe(recipe).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return found[1] if found else ""
