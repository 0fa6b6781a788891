"""Translations of pages, from `pages/PAGE.LANGUAGE.yaml`.

A catalogue maps each English sentence of the code to its translation. Text in figures, names of methods and splits,
and machine-readable files stay English.
"""

from collections.abc import Callable

from ..configuration import read_yaml_mapping
from ..errors import UsageError
from . import PAGES

LANGUAGES = ("en", "pt")
Say = Callable[[str], str]


def check_language(language: str) -> None:
    """Check the value of `--language`.

    Raises:
        UsageError: it is not in `LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise UsageError(f"--language '{language}': expected {' or '.join(LANGUAGES)}")


def english(text: str) -> str:
    """The text unchanged."""
    return text


def say_in(page: str, language: str) -> Say:
    """The function that translates a page's sentences; it raises KeyError for a sentence that the catalogue lacks.

    Args:
        page: `study` or `mri`.
        language: one of `LANGUAGES`.
    """
    return english if language == "en" else catalogue(page, language).__getitem__


def catalogue(page: str, language: str) -> dict[str, str]:
    """English sentence -> its translation.

    Args:
        page: `study` or `mri`.
        language: one of `LANGUAGES` except `en`.
    """
    return read_yaml_mapping(PAGES / f"{page}.{language}.yaml")
