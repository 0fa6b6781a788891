"""The words of a study's report in other languages, from `templates/study.LANGUAGE.yaml`.

A catalogue maps each English sentence of the code to its translation. Figures, headers of tables, names of methods and
splits, and results.json keep their English words.
"""

from collections.abc import Callable

from ..configuration import read_yaml_mapping
from ..templating import PAGES

LANGUAGES = ("en", "pt")
Say = Callable[[str], str]


def english(text: str) -> str:
    """The words as they are written in the code."""
    return text


def say_in(language: str) -> Say:
    """What puts a sentence into a language; a sentence that the catalogue lacks raises KeyError.

    Args:
        language: one of `LANGUAGES`.
    """
    return english if language == "en" else catalogue(language).__getitem__


def catalogue(language: str) -> dict[str, str]:
    """English sentence -> its translation.

    Args:
        language: of `LANGUAGES`, but `en`.
    """
    return read_yaml_mapping(PAGES / f"study.{language}.yaml")
