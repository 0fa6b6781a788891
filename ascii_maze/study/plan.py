"""A study file -> stages: plain `ascii-maze` commands, and which of them need which.

study = load_study(None)                     # the demo: recipes/tiny/study.yaml
for stage in plan(study, Path("outputs/demo"), workers=2): print(stage.name, stage.shell(set()))
"""

import re
import shlex
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

from ..configuration import check_keys, read_yaml_mapping
from ..errors import UsageError
from ..methods import METHODS
from ..recipe import Recipe, find_recipe, load_recipe
from .source import embedded_model_digest

DEMO = "recipes/tiny/study.yaml"
# Keys of a recipe that name the output folder of another.
PREDECESSORS = ("adapter_name_or_path", "reward_model_name_or_path")
# Stand in the words of a stage for what differs from place to place and changes no outcome: the study's folder, the
# files of the dataset's config and of a recipe (their content is among the inputs), how many processes build.
OUT, CONFIG, RECIPE, WORKERS = "{out}", "{config}", "{recipe}", "{workers}"
# Names that the tables and folders of a study have for something else.
TAKEN = ("base", "dataset", "evaluation", "mri", "stages")


@dataclass(frozen=True)
class Study:
    """What a study does.

    Attributes:
        dataset: config of the builder: a name that ships with the package, or a YAML file.
        base: the model that is fine-tuned.
        recipes: name in the tables -> recipe.
        splits: to evaluate on.
        seeds: of training; every method is trained with each.
        limit: mazes evaluated per split; None for all.
        batch_size: answers generated at once in the evaluation.
        mri_split: whose mazes the models are looked into on.
        mri_limit: how many of them; 0 for no look inside.
        overrides: keys of every recipe, over what it says itself.
        launcher: what runs a recipe instead of `ascii-maze train`, such as `accelerate launch --num_processes 8`.
        minutes: of stages, by the first part of their name and then the recipe's; for the time left alone.
    """

    dataset: str
    base: str
    recipes: dict[str, str]
    splits: list[str]
    seeds: list[int] = field(default_factory=lambda: [0])
    limit: int | None = None
    batch_size: int = 64
    mri_split: str = "test"
    mri_limit: int = 300
    overrides: dict = field(default_factory=dict)
    launcher: str | None = None
    minutes: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A command, and what has to be there before it runs.

    Attributes:
        name: `build`, `train-sft`, `evaluate`, `mri`; `train-sft-1` where there are several seeds.
        command: words of the command line, after `ascii-maze` where `launcher` is empty; with the placeholders above.
        product: the file that the command writes last, under the study's folder.
        names: placeholder -> what it is here.
        needs: stages that must be finished.
        uses: stages that it makes use of if they are finished -> the words that say so.
        needs_one: whether one of these must be.
        inputs: texts on which its outcome depends, beside the command and the stages that it needs.
        launcher: words before the command, instead of `ascii-maze`.
        modules: of ours that the command runs, for `source.source_digest`.
        keeps_names: whether the command refuses to go on with what it has begun under other names.
        minutes: that it is known to take.
        note: what the recipe says that it needs.
    """

    name: str
    command: tuple[str, ...]
    product: Path
    names: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    uses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    needs_one: bool = False
    inputs: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    keeps_names: bool = False
    minutes: float | None = None
    note: str = ""

    def missing(self, finished: set[str]) -> list[str]:
        """What it needs and is not there."""
        missing = [name for name in self.needs if name not in finished]
        return missing or (list(self.uses) if self.needs_one and not finished & set(self.uses) else [])

    def planned(self, finished: set[str]) -> list[str]:
        """The whole command line with its placeholders, the same wherever the study lies."""
        used = [word for name, words in self.uses.items() if name in finished for word in words]
        return [*self.launcher, *self.command, *used]

    def words(self, finished: set[str]) -> list[str]:
        """The whole command line, without the `ascii-maze` before it where there is no launcher."""
        words = self.planned(finished)
        for placeholder, here in self.names.items():
            words = [word.replace(placeholder, here) for word in words]
        return words

    def shell(self, finished: set[str]) -> str:
        """The command as one types it."""
        return shlex.join([*([] if self.launcher else ["ascii-maze"]), *self.words(finished)])


def load_study(path: Path | None) -> Study:
    """Read a study file, or the demo's where there is none.

    Raises:
        UsageError: no such file, unknown or missing keys, a value of the wrong kind, or a recipe that does not exist.
    """
    path = find_recipe(DEMO) if path is None else path
    if not path.is_file():
        raise UsageError(f"{path}: no such study file")
    values = read_yaml_mapping(path)
    check_keys(values, Study, path.name)
    kinds = {"recipes": dict, "splits": list, "seeds": list, "overrides": dict, "minutes": dict, "mri_limit": int}
    for key, kind in kinds.items():
        if key in values and not isinstance(values[key], kind):
            said = {dict: "a mapping", list: "a list", int: "a whole number"}[kind]
            raise UsageError(f"{path.name}: '{key}' is {values[key]!r}; expected {said}")
    study = Study(**values)
    for key in ("recipes", "splits", "seeds"):
        if not getattr(study, key):
            raise UsageError(f"{path.name}: '{key}' is empty")
    for name, recipe in study.recipes.items():
        if name in TAKEN or not re.fullmatch(r"[\w.-]+", str(name)):
            raise UsageError(f"{path.name}: 'recipes' has a name '{name}', which will not do; choose another")
        find_recipe(recipe)
    return study


def plan(study: Study, out: Path, workers: int = 1) -> list[Stage]:
    """All stages, each after those that it needs.

    Raises:
        UsageError: a recipe cannot be read, or recipes need each other in a circle.
    """
    from dataset_builder.config import load_config

    recipes = {name: load_recipe(path) for name, path in study.recipes.items()}
    order = in_order(recipes)
    minutes = study.minutes
    here = {OUT: str(out)}
    base = (embedded_model_digest(),) if study.base == "tiny" else ()
    stages = [
        Stage(
            name="build",
            command=("build", CONFIG, "--out", f"{OUT}/dataset", "--workers", WORKERS),
            product=Path("dataset", "build.json"),
            names={**here, CONFIG: study.dataset, WORKERS: str(workers)},
            inputs=(repr(load_config(study.dataset)),),
            modules=("dataset_builder.build",),
            minutes=minutes.get("build"),
        )
    ]
    for seed in study.seeds:
        folder, mark = (Path(), "") if len(study.seeds) == 1 else (Path(f"seed-{seed}"), f"-{seed}")
        for name in order:
            stages.append(_train(study, name, recipes, seed, folder, mark, here, base))
        walkers = [name for name in order if not METHODS[recipes[name].method].scores]
        stages.append(
            Stage(
                name=f"evaluate{mark}",
                command=(
                    "evaluate",
                    f"base={study.base}",
                    *("--dataset", f"{OUT}/dataset", "--out", f"{OUT}/{folder / 'evaluation'}"),
                    *(word for split in study.splits for word in ("--split", split)),
                    *(("--limit", str(study.limit)) if study.limit else ()),
                    *("--batch-size", str(study.batch_size)),
                ),
                product=folder / "evaluation" / "results.json",
                names=here,
                needs=("build",),
                uses={f"train-{name}{mark}": (f"{name}={OUT}/{folder / name}",) for name in walkers},
                inputs=base,
                modules=("ascii_maze.launch", "ascii_maze.evaluation.run", "ascii_maze.evaluation.figures"),
                minutes=minutes.get("evaluate"),
            )
        )
        if study.mri_limit and seed == study.seeds[0]:
            stages.append(
                Stage(
                    name="mri",
                    command=(
                        *("mri", "--base", study.base, "--dataset", f"{OUT}/dataset", "--split", study.mri_split),
                        *("--limit", str(study.mri_limit), "--out", f"{OUT}/mri"),
                    ),
                    product=Path("mri", "mri.json"),
                    names=here,
                    needs=("build",),
                    uses={f"train-{name}{mark}": ("--adapter", f"{name}={OUT}/{folder / name}") for name in walkers},
                    needs_one=True,
                    inputs=base,
                    modules=("ascii_maze.launch", "ascii_maze.mri.run"),
                    minutes=minutes.get("mri"),
                )
            )
    return stages


def _train(
    study: Study,
    name: str,
    recipes: dict[str, Recipe],
    seed: int,
    folder: Path,
    mark: str,
    here: dict[str, str],
    base: tuple[str, ...],
) -> Stage:
    made = {str(recipe.values.get("output_dir")): other for other, recipe in recipes.items()}
    values = {
        "dataset_name": f"{OUT}/dataset",
        "model_name_or_path": study.base,
        **study.overrides,
        "seed": seed,
        "output_dir": f"{OUT}/{folder / name}",
    }
    needs = ["build"]
    for key in PREDECESSORS:
        other = made.get(str(recipes[name].values.get(key)))
        if other:
            values[key] = f"{OUT}/{folder / other}"
            needs.append(f"train-{other}{mark}")
    recipe = study.recipes[name]
    return Stage(
        name=f"train-{name}{mark}",
        command=(
            *(() if study.launcher else ("train",)),
            RECIPE,
            *(word for key, value in values.items() for word in (f"--{key}", _word(value))),
        ),
        product=folder / name / "metrics.json",
        names={**here, RECIPE: str(find_recipe(recipe)) if study.launcher else recipe},
        needs=tuple(needs),
        inputs=(recipes[name].to_yaml(), *base),
        launcher=tuple(shlex.split(study.launcher or "")),
        modules=("ascii_maze.launch", f"ascii_maze.training.{recipes[name].method}"),
        keeps_names=True,  # they stand in the run's recipe.yaml
        minutes=study.minutes.get(name),
        note=expectation(recipe),
    )


def _word(value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def in_order(recipes: dict[str, Recipe]) -> list[str]:
    """Names such that each comes after those whose output its recipe starts from, else as they are given.

    Raises:
        UsageError: they go round in a circle.
    """
    made = {str(recipe.values.get("output_dir")): name for name, recipe in recipes.items()}
    needs = {
        name: [made[str(start)] for key in PREDECESSORS if str(start := recipe.values.get(key)) in made]
        for name, recipe in recipes.items()
    }
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise UsageError(f"the recipes start from each other: {' -> '.join(error.args[1])}") from error


def expectation(recipe: str) -> str:
    """What the head of a recipe says that a run takes; nothing where it does not say."""
    found = re.search(r"^# Expect: (.*)$", find_recipe(recipe).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return found[1] if found else ""


def to_yaml(study: Study) -> str:
    """The study as a file that can be run again."""
    from dataclasses import asdict

    return yaml.safe_dump(asdict(study), sort_keys=False, allow_unicode=True)
