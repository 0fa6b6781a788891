"""How the settings of a recipe were chosen, from the record of its sweep beside it.

`ascii-maze sweep recipes/tiny/dpo.yaml --out FOLDER` leaves FOLDER/sweep.json; as recipes/tiny/sweeps/dpo.json it is
the record of that recipe. A recipe without a record inherits that of a recipe it extends, if it has the settings that
were chosen there and starts from the same model.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

from ..configuration import read_yaml_mapping
from ..errors import UsageError
from ..files import read_json
from ..recipe import Recipe, load_recipe
from .settings import PREDECESSORS

FOLDER = "sweeps"


class Tuning(TypedDict):
    """What a sweep spent on a recipe's settings.

    Attributes:
        recipe: whose record it is; not the one asked for if its record is inherited.
        trials: how many.
        settings: how many of them were varied.
        budget: of each trial, as `tokens=200000`.
        selected_on: the split on which the best trial was chosen.
        reached: the best trial's rate there, 0-1.
        holds: whether the recipe has the settings of the best trial.
    """

    recipe: str
    trials: int
    settings: int
    budget: str
    selected_on: str
    reached: float | None
    holds: bool


def tuning_of(recipe: Recipe) -> Tuning | None:
    """The record of a recipe's settings; None if there is none, or if its settings or start differ from its parent's.

    Raises:
        UsageError: a record is not that of a sweep.
    """
    for path in with_parents(recipe.path):
        file = path.parent / FOLDER / f"{path.stem}.json"
        if not file.is_file():
            continue
        found = parse_record(file, path.stem, recipe.values)
        if path == recipe.path:
            return found
        parent = load_recipe(str(path)).values
        alike = all(parent.get(key) == recipe.values.get(key) for key in PREDECESSORS)
        return found if found["holds"] and alike else None
    return None


def with_parents(path: Path) -> Iterator[Path]:
    """A recipe and those that it extends, the nearest first."""
    yield path
    extends = read_yaml_mapping(path).get("extends") or []
    for parent in [extends] if isinstance(extends, str) else extends:
        yield from with_parents((path.parent / parent).resolve())


def parse_record(file: Path, name: str, values: dict[str, Any]) -> Tuning:
    """The record of a sweep, beside the values of a recipe.

    Raises:
        UsageError: it is not that of a sweep.
    """
    record = read_json(file)
    try:
        best = next(trial for trial in record["trials"] if trial["number"] == record["best"])
        return Tuning(
            recipe=name,
            trials=len(record["trials"]),
            settings=len(record["space"]),
            budget=record["budget"],
            selected_on=record["split"],
            reached=best["outcome"],
            holds=all(values.get(key) == value for key, value in best["settings"].items()),
        )
    except (KeyError, TypeError, StopIteration) as error:
        raise UsageError(f"{file} is not the sweep.json of a sweep that has found settings; copy it again") from error
