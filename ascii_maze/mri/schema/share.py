"""Shared by all parts of mri.json: shares of mazes, and numbers as JSON can hold them."""

import math
from collections.abc import Mapping
from typing import Any, TypedDict


class Share(TypedDict):
    """A share of mazes, 0-1, and Wilson's 95 % interval."""

    valid: float
    valid_ci: list[float]


def only(keys_of: Any, values: Mapping[str, Any]) -> Any:
    """The entries of a mapping that a TypedDict names, in its order."""
    return {key: values[key] for key in keys_of.__annotations__}


def without_nan(value):
    """The same value with None for every number that is not finite, which JSON cannot hold."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
