"""The settings that a sweep may vary: a file beside the recipes, with a space for each method or recipe.

sft:
  learning_rate: {from: 3.0e-4, to: 1.0e-2, log: true}
  lora_r: [8, 16, 32]
"""

from pathlib import Path
from typing import Any, NamedTuple

from ...configuration import read_yaml_mapping
from ...errors import UsageError, did_you_mean
from ...recipe.methods import METHODS

NAME = "spaces.yaml"
Value = float | int | str | bool


class Range(NamedTuple):
    """Numbers from `low` to `high`, both included; whole numbers if both are."""

    low: float | int
    high: float | int
    log: bool

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)


Space = dict[str, Range | tuple[Value, ...]]


def find_spaces(recipe: Path) -> Path:
    """The file of spaces beside a recipe.

    Raises:
        UsageError: there is none.
    """
    found = recipe.parent / NAME
    if not found.is_file():
        raise UsageError(f"there is no {NAME} beside {recipe.name}; name one with --space")
    return found


def read_space(path: Path, method: str, recipe: str = "") -> Space:
    """The space of a recipe in a file of spaces, or of its method if the file has none of the recipe's own.

    Args:
        recipe: its name, as `sft_twice`.

    Raises:
        UsageError: the file does not hold spaces, or has none for this method.
    """
    values = read_yaml_mapping(path)
    for name in values:
        if name not in METHODS and not (path.parent / f"{name}.yaml").is_file():
            hint = did_you_mean(name, METHODS)
            raise UsageError(f"{path.name}: '{name}' is not a method or a recipe beside it{hint}")
    given = values.get(recipe, values.get(method))
    if not isinstance(given, dict) or not given:
        raise UsageError(
            f"{path.name}: nothing to vary for {method}; expected KEY: [VALUES], or KEY: {{from: , to: }}"
        )
    return {str(key): _parse(f"{path.name}: {method}: {key}", value) for key, value in given.items()}


def _parse(where: str, given: Any) -> Range | tuple[Value, ...]:
    if isinstance(given, list):
        plain = all(isinstance(value, float | int | str | bool) for value in given)
        if not plain or len(given) < 2 or len(set(map(repr, given))) < len(given):
            raise UsageError(f"{where}: expected two different values or more in the list")
        return tuple(given)
    if not isinstance(given, dict) or not {"from", "to"} <= set(given) <= {"from", "to", "log"}:
        raise UsageError(f"{where}: expected a list, or {{from: 1.0e-4, to: 1.0e-2, log: true}}")
    low, high, log = given["from"], given["to"], given.get("log", False)
    for value in (low, high):
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
            raise UsageError(f"{where}: from and to must be numbers")
    if not isinstance(log, bool) or not low < high or (log and low <= 0):
        raise UsageError(f"{where}: expected from below to, log true or false, and from above 0 where it is true")
    return Range(low, high, log)


def holds(space: Space, values: dict[str, Any]) -> bool:
    """Whether settings lie in a space: the recipe's own, which are then the first trial."""
    for key, allowed in space.items():
        value = values.get(key)
        if isinstance(allowed, Range):
            if isinstance(value, bool) or not isinstance(value, int | float):
                return False
            if not allowed.low <= value <= allowed.high:
                return False
        elif value not in allowed:
            return False
    return True
