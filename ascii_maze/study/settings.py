"""A study file, read and checked: any error in it is reported in one line, before anything runs."""

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from ..configuration import check_keys, read_yaml_mapping
from ..errors import UsageError, did_you_mean
from ..mazes.baselines import BASELINES
from ..models.sources import settle_name
from ..mri.rows import LEAST_MAZES
from ..recipe import RecipeError, find_recipe
from ..references import find_reference
from ..tiny import EMBEDDED

DEMO = "recipes/tiny/study.yaml"
# Keys of a recipe that name the output folder of another.
PREDECESSORS = ("adapter_name_or_path", "reward_model_name_or_path")
# Names with another meaning in the folders and tables of a study, in any case: some file systems ignore case.
FOLDERS = ("base", "dataset", "evaluation", "forgetting", "kept", "mri", "stages")
RESERVED = frozenset({*FOLDERS, *(name.casefold() for name in BASELINES)})
# Keys that cannot be set for all recipes of a study, and what to use instead.
OF_THE_STUDY = {
    "seed": "name 'seeds'",
    "output_dir": "give --out",
    "method": "name a recipe of that method",
    "model_name_or_path": "name 'base'",
    "push_to_hub": "a study publishes nothing; choose what `ascii-maze push` is to send",
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
KEY = re.compile(r"[A-Za-z]\w*")
LARGEST_SEED = 2**32 - 1  # NumPy's
MOST_TRAININGS = 1_000  # each takes at least some minutes
MOST_MINUTES = 10**9  # of a stage: 1,900 years


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
        unquantised_base: evaluate the base in full precision too, as a row of its own; the row `base` is quantised as
            the adapters were trained on it.
        batch_size: answers generated at once in the evaluation.
        mri_split: whose mazes the MRI reads.
        mri_limit: how many of them, at least `LEAST_MAZES`; 0 for no MRI.
        forgetting_limit: hard mazes that each model answers 64 times to measure forgetting; 0 to leave it out.
        overrides: keys that replace those of every recipe.
        curves: whether runs with `all` seeds are evaluated while they train, or those with the `first` seed, whose
            curves the report draws; the evaluations can take longer than the training, and change nothing of it.
        starts_from: name -> key of its recipe -> the run of this study that it starts from. Needed only where the
            recipe names an output folder that several of the study's recipes write to.
        contrasts: pairs of models to compare, each a name and the one it is compared with; by default every method
            with its start and with `sft_twice`, and GRPO with DPO. Only these are tested, corrected for their number.
        margin: a difference in the share of mazes, 0-1, below which two models count as equivalent.
        variance: of a difference between two models, of `seeds`, `mazes` and `both` together with chance, for
            `--plan-power`; a study that was run has measured it.
        launcher: runs the training on many devices, such as `accelerate launch --num_processes 8`.
        minutes: that a stage takes, by `build`, `evaluate`, `forgetting`, `mri` or a recipe's name; for the estimate
            of time left.
    """

    dataset: str
    base: str
    recipes: dict[str, str]
    splits: list[str]
    seeds: list[int] = field(default_factory=lambda: [0])
    limit: int | None = None
    unquantised_base: bool = False
    batch_size: int = 64
    mri_split: str = "test"
    mri_limit: int = 300
    forgetting_limit: int = 0
    overrides: dict[str, Any] = field(default_factory=dict)
    curves: str = "all"
    starts_from: dict[str, dict[str, str]] = field(default_factory=dict)
    contrasts: list[list[str]] | None = None
    margin: float = 0.05
    variance: dict[str, float] | None = None
    launcher: str | None = None
    minutes: dict[str, float] = field(default_factory=dict)


def load_study(path: Path | None) -> Study:
    """Read a study file, or one that ships with the package by its name; by default the demo's.

    Raises:
        UsageError: no such file, unknown or missing keys, a value of the wrong type, an unusable name, or a dataset,
            model, recipe or split that does not exist.
    """
    try:
        path = find_recipe(path or DEMO)
    except RecipeError:
        raise UsageError(f"{path}: no such study file") from None
    values = read_yaml_mapping(path)
    check_keys(values, Study, path.name)
    for key, value in values.items():
        expected, accepts = EXPECTED[key]
        if not accepts(value):
            raise UsageError(f"{path.name}: '{key}' is {shortened(value)}; expected {expected}")
    study = Study(**values)
    for problem in problems(study):
        raise UsageError(f"{path.name}: {problem}")
    return replace(study, base=settle_name(study.base))


def problems(study: Study):
    """Errors in values of the right type, a line each."""
    from dataset_builder.config import load_config

    if (trainings := len(study.recipes) * len(study.seeds)) > MOST_TRAININGS:
        yield f"'recipes' and 'seeds' make {trainings:,} trainings, more than {MOST_TRAININGS:,}; make several studies"
    yield from name_problems(list(study.recipes))
    for key in ("splits", "seeds"):
        counts = Counter(getattr(study, key))
        yield from (f"'{key}' holds {value} twice" for value, count in counts.items() if count > 1)
    for key, instead in OF_THE_STUDY.items():
        if key in study.overrides:
            yield f"'overrides' may not set '{key}'; {instead}"
    for recipe in study.recipes.values():
        find_recipe(recipe)
    splits = load_config(study.dataset).splits
    wanted = [("splits", split) for split in study.splits]
    for key, split in [*wanted, *([("mri_split", study.mri_split)] if study.mri_limit else [])]:
        if split not in splits:
            yield f"'{key}': {study.dataset} has no split '{split}'; expected one of {', '.join(splits)}"
    if study.base not in EMBEDDED and find_reference(study.base) is None:
        yield f"'base': there is no folder '{study.base}', and a model on the Hub is ORG/NAME or ORG/NAME@REVISION"
    contrasts = study.contrasts or []
    for pair in contrasts:
        if len(set(pair)) != 2 or len(pair) != 2 or contrasts.count(pair) + contrasts.count(pair[::-1]) > 1:
            yield f"'contrasts' holds {pair}; expected pairs of two different models, each pair once"
    if study.variance is not None and set(study.variance) != {"seeds", "mazes", "both"}:
        yield f"'variance' has the keys {', '.join(study.variance) or 'none'}; expected seeds, mazes and both"
    for name, starts in study.starts_from.items():
        for other in (name, *starts.values()):
            if other not in study.recipes:
                yield f"'starts_from': no recipe '{other}' in this study{did_you_mean(other, study.recipes)}"
        for key in starts:
            if key not in PREDECESSORS:
                yield f"'starts_from': '{name}' has a key '{key}'; expected {' or '.join(PREDECESSORS)}"


def name_problems(names: list[str]):
    """Names of recipes become folders and columns of tables: plain, distinct, and not otherwise used."""
    for name in names:
        if not NAME.fullmatch(name):
            yield f"'recipes' has a name {shortened(name)}; expected letters, digits, - and _, at most 80"
        if name.casefold() in RESERVED or re.fullmatch(r"seed-\d+", name, flags=re.IGNORECASE):
            yield f"'recipes' has a name '{name}', which the study uses for something else; choose another"
        same = [other for other in names if other.casefold() == name.casefold()]
        if len(same) > 1:
            yield f"'recipes' has the names {' and '.join(same)}, which some disks take for one; choose another"


def to_yaml(study: Study) -> str:
    """The study as a file that can be run again."""
    return yaml.safe_dump(asdict(study), sort_keys=False, allow_unicode=True)


def shortened(value: Any) -> str:
    """Any value of a file, as a message shows it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_text(value: Any) -> bool:
    """A word of a command line that may be a path: not an option, and not too long for a file's name."""
    return (
        _is_line(value) and not value.startswith("-") and all(len(part.encode()) <= 255 for part in value.split("/"))
    )


def _is_whole(least: int, most: float = math.inf) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_minutes(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_MINUTES


def _is_setting(value: Any) -> bool:
    """A value that a command line can give a recipe: a number, a text, or a list of those."""
    if isinstance(value, list):
        return bool(value) and not any(isinstance(inner, list) for inner in value) and all(map(_is_setting, value))
    return _is_text(value) or (isinstance(value, int | float) and -math.inf < value < math.inf)


def _is_list(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(of, value))


def _is_mapping(of: Callable[[Any], bool], keys: re.Pattern[str] | None = None) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict)
        and all(
            isinstance(key, str) and (keys is None or keys.fullmatch(key)) and of(inner)
            for key, inner in value.items()
        )
    )


# Key of a study -> what it must be, in words, and the test of it.
EXPECTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "dataset": ("a config of the builder: its name, or a YAML file", _is_text),
    "base": ("a model: a folder, a Hub id or tiny", _is_text),
    "recipes": ("a mapping of names to recipes", lambda value: bool(value) and _is_mapping(_is_text)(value)),
    "splits": ("a list of splits", _is_list(_is_text)),
    "seeds": (f"a list of whole numbers, 0 to {LARGEST_SEED}", _is_list(_is_whole(0, LARGEST_SEED))),
    "limit": ("a whole number above 0", lambda value: value is None or _is_whole(1)(value)),
    "unquantised_base": ("true or false", lambda value: isinstance(value, bool)),
    "batch_size": ("a whole number above 0", _is_whole(1)),
    "mri_split": ("a split", _is_text),
    "mri_limit": (f"0 for no MRI, or a whole number of {LEAST_MAZES} or more",
                  lambda value: _is_whole(0)(value) and (value == 0 or value >= LEAST_MAZES)),
    "forgetting_limit": ("a whole number, 0 to measure nothing", _is_whole(0)),
    "overrides": ("a mapping of a recipe's keys to numbers, texts or lists of them", _is_mapping(_is_setting, KEY)),
    "curves": ("all or first", lambda value: value in ("all", "first")),
    "starts_from": ("a mapping of names to mappings of a recipe's keys to names", _is_mapping(_is_mapping(_is_text))),
    "contrasts": ("a list of pairs of names", lambda value: value is None or _is_list(_is_list(_is_text))(value)),
    "margin": ("a number above 0 and below 1", lambda value: _is_minutes(value) and 0 < value < 1),
    "variance": ("a mapping of seeds, mazes and both to numbers",
                 lambda value: value is None or _is_mapping(_is_minutes)(value)),
    "launcher": ("a command, such as accelerate launch --num_processes 8",
                 lambda value: value is None or _is_line(value)),
    "minutes": ("a mapping of stages to numbers", _is_mapping(_is_minutes)),
}  # fmt: skip
