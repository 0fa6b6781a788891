"""Recipes -> dataclasses: every key and value checked by the parser of TRL's own configs, which is imported here."""

import contextlib
import dataclasses
import json
import math
import typing
from collections.abc import Iterator
from typing import Any

from ..errors import did_you_mean, reason
from .arguments import Arguments, RunArguments
from .errors import RecipeError, shortened, shown
from .methods import METHODS
from .reading import Recipe
from .rules import LARGEST, LEAST

TEXTS = ("<class 'str'>", "str | None", "typing.Optional[str]")  # types of fields


def parse_recipe(recipe: Recipe) -> Arguments:
    """Check every key and value against the dataclasses of the method; imports TRL.

    Raises:
        RecipeError: an unknown key, a value of the wrong type, or values that contradict each other.
    """
    classes = _classes(recipe)
    arguments = Arguments(*_parse(recipe, classes))
    for part in vars(arguments).values():
        _check_values(recipe, type(part), vars(part))
    return arguments


def check_recipe(recipe: Recipe) -> None:
    """Check every key and value as `parse_recipe` does, except what depends on this machine; imports TRL.

    Raises:
        RecipeError: an unknown key, or a value of the wrong type.
    """
    config, *others = _classes(recipe)
    for part in _parse(recipe, tuple(others)):
        _check_values(recipe, type(part), vars(part))
    # TRL's config queries the devices as soon as it is created.
    with _refused(recipe):
        _check_values(recipe, config, vars(_parser(recipe, (config,)).parse_args(_all_words(recipe, (config,)))))


def _classes(recipe: Recipe) -> tuple[type, ...]:
    """The dataclasses whose fields a recipe sets, in the order of `Arguments`; also checks its keys against them."""
    from trl import ModelConfig, ScriptArguments

    classes = (METHODS[recipe.method].config_class(), ModelConfig, ScriptArguments, RunArguments)
    known = _keys_of(classes)
    for key in recipe.values:
        if key not in known:
            raise RecipeError(f"{recipe.path.name}: unknown key '{key}'{did_you_mean(key, known)}")
    return classes


def with_values(recipe: Recipe, arguments: Arguments) -> Recipe:
    """The recipe with text converted to numbers and booleans where a field has that type: `--learning_rate 2e-3` and
    `--load_in_4bit false` stay text until the type of the field is known.
    """
    parsed = {key: value for part in vars(arguments).values() for key, value in vars(part).items()}
    read = {
        key: parsed[key]
        for key, value in recipe.values.items()
        if isinstance(value, str) and isinstance(parsed.get(key), int | float)  # bool is an int
    }
    return dataclasses.replace(recipe, values={**recipe.values, **read})


def _check_values(recipe: Recipe, cls: type, values: dict[str, Any]) -> None:
    kinds = typing.get_type_hints(cls)  # the parser has changed the types in the fields
    for key in kinds.keys() & recipe.values.keys():
        _check_value(recipe, key, str(kinds[key]), values[key])
    if isinstance(values.get("generation_kwargs"), dict) and not values.get("use_vllm"):
        _check_sampling(f"{recipe.path.name}: generation_kwargs", values["generation_kwargs"])


def _check_value(recipe: Recipe, key: str, kind: str, value: Any) -> None:
    where, given = f"{recipe.path.name}: {key}", recipe.values[key]
    if kind in TEXTS and not isinstance(given, str | None):  # `1.10` was read as 1.1, `no` as false
        raise RecipeError(f"{where} is {shown(given)}, which YAML reads as no text; put it in quotes")
    if "dict" in kind and not isinstance(given, dict | str | None):
        raise RecipeError(f"{where} is {shown(given)}; expected a mapping")
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, int | float):
            least, largest = LEAST.get(key, -math.inf), LARGEST.get(key, math.inf)
            finite = abs(number) < 2**63 if isinstance(number, int) else math.isfinite(number)
            if not (finite and least <= number <= largest):
                bounds = f" of at least {least}" * (key in LEAST) + f" and at most {largest}" * (key in LARGEST)
                raise RecipeError(f"{where} is {shown(given)}; expected a finite number{bounds}")


def _check_sampling(where: str, given: dict[str, Any]) -> None:
    """Refuse a name that transformers would keep in its generation config and never read."""
    from transformers import GenerationConfig

    known = vars(GenerationConfig())
    for key in given:
        if key not in known:
            raise RecipeError(f"{where}: unknown key '{shown(key)}'{did_you_mean(key, known)}")


def parse_model(recipe: Recipe):
    """Only TRL's ModelConfig of a recipe, which suffices to load an adapter on any machine."""
    from trl import ModelConfig

    return _parse(recipe, (ModelConfig,))[0]


def _keys_of(classes: tuple[type, ...]) -> list[str]:
    return [field.name for cls in classes for field in dataclasses.fields(cls)]


def _parse(recipe: Recipe, classes: tuple[type, ...]) -> tuple:
    with _refused(recipe):
        return _parser(recipe, classes).parse_args_into_dataclasses(
            _all_words(recipe, classes), look_for_args_file=False
        )


def _parser(recipe: Recipe, classes: tuple[type, ...]):
    from transformers import HfArgumentParser

    class Parser(HfArgumentParser):
        def error(self, message):
            raise RecipeError(f"{recipe.path.name}: {_one_line(message.removeprefix('argument '))}")

    return Parser(classes, allow_abbrev=False, prog=recipe.path.name)


@contextlib.contextmanager
def _refused(recipe: Recipe) -> Iterator[None]:
    """Turn any exception from the checks of TRL and transformers on untrusted values into a RecipeError."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as error:
        raise RecipeError(f"{recipe.path.name}: {_one_line(reason(error))}") from error


def _one_line(message: str) -> str:
    return shortened(" ".join(message.split("\n\n")[0].split()), 300)


def _all_words(recipe: Recipe, classes: tuple[type, ...]) -> list[str]:
    known = _keys_of(classes)
    return [word for key, value in recipe.values.items() if key in known for word in _as_words(recipe, key, value)]


def _as_words(recipe: Recipe, key: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [f"--{key}={json.dumps(value, default=str)}"]
    if isinstance(value, list):
        for item in value:
            if isinstance(item, str) and item.startswith("-"):  # it would be parsed as another key
                raise RecipeError(f"{recipe.path.name}: {key}: '{shown(item)}' is not a value")
        return [f"--{key}", *map(str, value)]
    return [f"--{key}={str(value).lower() if isinstance(value, bool) else value}"]
