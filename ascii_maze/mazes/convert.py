"""Converts a maze, from a file or stdin, from any style to another."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import UsageError, did_you_mean, reason
from ..files import read_text
from ..metrics.path_validity.maze import GOAL, OPEN, START, WALL, Maze
from ..metrics.path_validity.styles import FOREIGN_STYLES, STYLES

_MARK = re.compile(f"(.)=([{re.escape(WALL + OPEN + START + GOAL)}])", re.DOTALL)


def parse_marks(marks: Sequence[str]) -> dict[str, str]:
    """`E=G` or `E=G,*=S` -> `{"E": "G", "*": "S"}`: the characters of a file and the maze characters they stand for.

    Raises:
        UsageError: it is not one character, `=`, and one of `#`, blank, S and G, or a comma-separated list of these.
    """
    found: dict[str, str] = {}
    for mark in marks:
        if not re.fullmatch(f"{_MARK.pattern}(?:,{_MARK.pattern})*", mark, re.DOTALL):
            raise UsageError(f"--marks {mark!r}: expected a character, '=', and '#', ' ', 'S' or 'G', as in E=G,*=S")
        found |= dict(_MARK.findall(mark))
    return found


def read_source(source: str) -> str:
    """The text of a file, or of stdin for `-`.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return read_text(None if source == "-" else Path(source))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {source}: {reason(error)}") from error


def check_style(style: str, option: str, known: Sequence[str]) -> None:
    """Refuse an unknown style.

    Raises:
        UsageError: the style is unknown; names the option and its valid values.
    """
    if style not in known:
        expected = did_you_mean(style, known) or f"; expected one of {', '.join(known)}"
        raise UsageError(f"{option}: unknown maze style '{style}'{expected}")


def convert(source: str, to: str, style: str = "auto", marks: Mapping[str, str] | None = None) -> str:
    """The maze of a file in another style, as text without a trailing newline.

    Args:
        source: a file, or `-` for stdin.
        to: one of `STYLES`.
        style: of the file, as `Maze.from_text` takes it.
        marks: of the file; see `parse_marks`.

    Raises:
        UsageError: the file cannot be read, or there is no such style.
        MazeError: it holds no maze, or one that cannot be written in style `to`.
    """
    check_style(to, "--to", list(STYLES))
    check_style(style, "--style", ["auto", *STYLES, *FOREIGN_STYLES])
    return Maze.from_text(read_source(source), style, marks).to_ascii(to)
