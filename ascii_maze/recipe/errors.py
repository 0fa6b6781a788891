"""The error of a recipe, and untrusted values as its one line shows them."""

from typing import Any

from ..errors import UsageError


class RecipeError(UsageError):
    """A recipe that cannot be run, with its file, the key and what was expected."""


def shown(value: Any) -> str:
    """A value, at most 60 characters of it."""
    return shortened(str(value), 60)


def shortened(text: str, most: int) -> str:
    """A text, cut to `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
