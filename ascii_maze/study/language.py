"""The languages of a study's report; see `ascii_maze.language`."""

from ..language import LANGUAGES

__all__ = ["LANGUAGES"]
