"""The words of pages in other languages, from `pages/PAGE.LANGUAGE.yaml`.

A catalogue maps each English sentence of the code to its translation. What stands inside figures, names of methods and
splits, and files for programs keep their English words.
"""

from collections.abc import Callable

from ..configuration import read_yaml_mapping
from ..errors import UsageError
from . import PAGES

LANGUAGES = ("en", "pt")
Say = Callable[[str], str]


def check_language(language: str) -> None:
    """Check what `--language` was given.

    Raises:
        UsageError: it is none of `LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise UsageError(f"--language '{language}': expected {' or '.join(LANGUAGES)}")


def english(text: str) -> str:
    """The words as they are written in the code."""
    return text


def say_in(page: str, language: str) -> Say:
    """What puts a page's sentences into a language; a sentence that the catalogue lacks raises KeyError.

    Args:
        page: whose catalogue it is, `study` or `mri`.
        language: one of `LANGUAGES`.
    """
    return english if language == "en" else catalogue(page, language).__getitem__


def catalogue(page: str, language: str) -> dict[str, str]:
    """English sentence -> its translation.

    Args:
        page: `study` or `mri`.
        language: of `LANGUAGES`, but `en`.
    """
    return read_yaml_mapping(PAGES / f"{page}.{language}.yaml")
