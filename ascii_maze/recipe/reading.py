"""Files -> recipes: YAML, what it extends, and overrides from the command line, before TRL is imported."""

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
    """A recipe with all that it extends and all overrides applied.

    Attributes:
        method: one of `METHODS`.
        values: every other key that was set anywhere, flat.
        path: the file it was read from.
        env: variables for the process that trains. They are of a machine and not of a run, so `to_yaml` has none.
        notes: what was left to the machine and how it was decided, in words; see `training.machine`.
    """

    method: str
    values: dict[str, Any]
    path: Path
    env: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_yaml(self) -> str:
        """The resolved recipe as YAML: it extends nothing, can be run again as it stands, and publishes nothing."""
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
    """The recipes that come with the package: name, such as `recipes/tiny/sft.yaml` -> file."""
    folders = [folder for folder in (PACKAGE / "recipes", PACKAGE.parent / "recipes") if folder.is_dir()]
    return {
        f"recipes/{file.relative_to(folder)}": file for folder in folders for file in sorted(folder.rglob("*.yaml"))
    }


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe, what it extends (one file or a list), and `--key value` overrides, the later winning.

    Raises:
        UsageError: no such file, not a flat YAML mapping, a circle of `extends`, an unknown method, a key of
            `REFUSED_KEYS`, a file that says `push_to_hub`, or a variable that is not of `ENVIRONMENT`.
    """
    path = find_recipe(path)
    values = _read_with_parents(path, ())
    if values.get(PUSH):
        raise RecipeError(f"{path.name}: a file does not publish what it trains; give --{PUSH} true with the command")
    return _checked({**values, **parse_overrides(overrides or [])}, path)


def load_resolved(path: Path) -> Recipe:
    """Read the `recipe.yaml` beside an adapter, which is untrusted and may therefore name no other file.

    Raises:
        UsageError: as `load_recipe`, or it extends another recipe.
    """
    values = read_yaml_mapping(path)
    if "extends" in values:
        raise RecipeError(f"{path}: it extends another recipe, and that of a finished run does not")
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
                "what it may, all else is for your shell"
            )
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in env.items()}


def _read_with_parents(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    if path in children:
        raise RecipeError(
            f"{path.name}: 'extends' goes round in a circle: {' -> '.join(p.name for p in (*children, path))}"
        )
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
        RecipeError: a word that belongs to no key.
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
    """Keys and values as the words that `parse_overrides` reads: a list as several, truth as YAML has it."""
    return [word for key, value in values.items() for word in (f"--{key}", *_value_words(value))]


def _value_words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [word for inner in value for word in _value_words(inner)]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _number_or_text(word: str) -> int | float | str:
    """A number if it would be written like that again. `007`, `7e53216` or `1.10` may be a name or a revision."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            number = kind(word)
            if str(number) == word and math.isfinite(number):
                return number
    return word
