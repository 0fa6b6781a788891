"""Reads recipes: YAML, the files it extends, and command-line overrides, without importing TRL."""

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..configuration import read_yaml_mapping
from ..errors import did_you_mean
from .errors import RecipeError, shown
from .methods import METHODS
from .rules import ENVIRONMENT, LAUNCHER_KEY, PUSH, REFUSED_KEYS

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Recipe:
    """A recipe with its extended files and all overrides applied.

    Attributes:
        method: one of `METHODS`.
        values: all other keys that were set, flat.
        path: the file it was read from.
        env: environment variables of the training process. They belong to a machine, not a run, so `to_yaml` omits
            them.
        notes: descriptions of the settings that were chosen for this machine; see `training.machine`.
    """

    method: str
    values: dict[str, Any]
    path: Path
    env: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_yaml(self) -> str:
        """The resolved recipe as YAML, which extends nothing, can be run again unchanged, and publishes nothing."""
        values = {key: value for key, value in self.values.items() if key != PUSH}
        return yaml.safe_dump({"method": self.method, **values}, sort_keys=False, allow_unicode=True)


def find_recipe(name: str | Path) -> Path:
    """The file of a recipe: a path, or the name of one that ships with the package, such as `recipes/tiny/sft.yaml`.

    Raises:
        RecipeError: there is no such file.
    """
    if Path(name).is_file():
        return Path(name).resolve()
    shipped = shipped_recipes()
    tail = Path(*Path(name).parts[1:]) if Path(name).parts[:1] == ("recipes",) else Path(name)
    if f"recipes/{tail}" in shipped:
        return shipped[f"recipes/{tail}"].resolve()
    raise RecipeError(f"{name}: no such recipe{did_you_mean(str(name), shipped)}")


def shipped_recipes() -> dict[str, Path]:
    """The recipes in the package: name, such as `recipes/tiny/sft.yaml` -> file."""
    folders = [folder for folder in (PACKAGE / "recipes", PACKAGE.parent / "recipes") if folder.is_dir()]
    return {
        f"recipes/{file.relative_to(folder)}": file for folder in folders for file in sorted(folder.rglob("*.yaml"))
    }


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe, the files it extends (one or a list), and `--key value` overrides; later values win.

    Raises:
        UsageError: no such file, not a flat YAML mapping, circular `extends`, an unknown method, a key of
            `REFUSED_KEYS`, `push_to_hub` in a file, or a variable that is not in `ENVIRONMENT`.
    """
    path = find_recipe(path)
    values = _read_with_parents(path, ())
    if values.get(PUSH):
        raise RecipeError(f"{path.name}: a file may not publish what it trains; give --{PUSH} true with the command")
    return _checked({**values, **parse_overrides(overrides or [])}, path)


def load_resolved(path: Path) -> Recipe:
    """Read the `recipe.yaml` of an adapter, which is untrusted and therefore may not extend other files.

    Raises:
        UsageError: as `load_recipe`, or it extends another recipe.
    """
    values = read_yaml_mapping(path)
    if "extends" in values:
        raise RecipeError(f"{path}: it extends another recipe, but that of a finished run extends none")
    return _checked(values, path)


def _checked(values: dict[str, Any], path: Path) -> Recipe:
    method = values.pop("method", None)
    if method is not None and not isinstance(method, str):
        raise RecipeError(f"{path.name}: 'method' must be one of {', '.join(METHODS)}, not {shown(method)}")
    if method is None:
        raise RecipeError(f"{path.name}: no 'method'; expected one of {', '.join(METHODS)}")
    if method not in METHODS:
        raise RecipeError(
            f"{path.name}: unknown method '{method}'; expected one of {', '.join(METHODS)}"
            + did_you_mean(str(method), METHODS)
        )
    for key in REFUSED_KEYS.keys() & values.keys():
        raise RecipeError(f"{path.name}: {REFUSED_KEYS[key]}")
    return Recipe(method, values, path, _environment(values.pop("env", None) or {}, path))


def _environment(env: Any, path: Path) -> dict[str, str]:
    if not isinstance(env, dict) or not all(isinstance(value, str | int | float) for value in env.values()):
        raise RecipeError(f"{path.name}: 'env' must be a mapping of variables to values")
    for name in env:
        if name not in ENVIRONMENT:
            raise RecipeError(
                f"{path.name}: 'env' may not set '{name}'{did_you_mean(str(name), ENVIRONMENT)}; SECURITY.md lists "
                "the allowed ones; set others in your shell"
            )
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in env.items()}


def _read_with_parents(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    if path in children:
        raise RecipeError(f"{path.name}: 'extends' is circular: {' -> '.join(p.name for p in (*children, path))}")
    values = read_yaml_mapping(path)
    values.pop(LAUNCHER_KEY, None)
    extends = values.pop("extends", None)
    parents = [] if extends is None else extends if isinstance(extends, list) else [extends]
    inherited: dict[str, Any] = {}
    for parent in parents:
        if not isinstance(parent, str):
            raise RecipeError(f"{path.name}: 'extends' must be a file or a list of files, not {shown(extends)}")
        parent_path = path.parent / parent
        if not parent_path.is_file():
            parent_path = shipped_recipes().get(parent, parent_path)
        if not parent_path.is_file():
            raise RecipeError(f"{path.name}: it extends '{parent}', but there is no file {parent_path}")
        inherited.update(_read_with_parents(parent_path.resolve(), (*children, path)))
    return {**inherited, **values}


def parse_overrides(words: list[str]) -> dict[str, Any]:
    """`--key value`, `--key=value`, `--key one two` and `--flag` -> a mapping.

    Raises:
        RecipeError: a word does not belong to a key.
    """
    values: dict[str, Any] = {}
    key = None
    for word in words:
        if word.startswith("--"):
            key, separator, value = word[2:].partition("=")
            key = key.replace("-", "_")
            values[key] = [_number_or_text(value)] if separator else []
        elif key is None:
            raise RecipeError(f"unexpected '{word}'; overrides have the form --key value")
        else:
            values[key].append(_number_or_text(word))
    return {key: "true" if not words else words[0] if len(words) == 1 else words for key, words in values.items()}


def override_words(values: Mapping[str, Any]) -> list[str]:
    """Keys and values as words for `parse_overrides`: lists as several words, booleans as in YAML."""
    return [word for key, value in values.items() for word in (f"--{key}", *_value_words(value))]


def _value_words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [word for inner in value for word in _value_words(inner)]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _number_or_text(word: str) -> int | float | str:
    """A number if it round-trips to the same text; `007`, `7e53216` or `1.10` may be a name or a revision."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            number = kind(word)
            if str(number) == word and math.isfinite(number):
                return number
    return word
