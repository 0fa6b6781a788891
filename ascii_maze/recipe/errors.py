"""The error of a recipe, and the display of untrusted values in it."""

from typing import Any

from ..errors import UsageError


class RecipeError(UsageError):
    """A recipe that cannot be run; the message names its file, the key and what was expected."""


def shown(value: Any) -> str:
    """A value as text, cut to 60 characters."""
    return shortened(str(value), 60)


def shortened(text: str, most: int) -> str:
    """A text, cut to `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
