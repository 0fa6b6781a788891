"""Mazes to look at, from a dataset, a predictions.parquet, a text file or stdin: in the terminal or as a page."""

import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ..errors import UsageError, printable, reason
from ..files import write_text
from ..mazes.drawing import to_sheet, to_terminal
from ..metrics.path_validity.maze import GOAL, OPEN, START, WALL, Maze
from ..metrics.path_validity.scoring import parse_moves, score_path

# A caption, a maze and the moves of a walk through it, in letters without spaces.
Drawing = tuple[str, Maze, str]


def parse_marks(marks: Sequence[str]) -> dict[str, str]:
    """`E=G` -> `{"E": "G"}`: which characters of a file stand for which of a maze's.

    Raises:
        UsageError: it is not one character, `=`, and one of `#`, blank, S and G.
    """
    for mark in marks:
        if len(mark) != 3 or mark[1] != "=" or mark[2] not in WALL + OPEN + START + GOAL:
            raise UsageError(f"--marks {mark!r}: expected a character, '=', and '#', ' ', 'S' or 'G', as in E=G")
    return {mark[0]: mark[2] for mark in marks}


def from_text(source: str, answer: str | None, marks: Mapping[str, str] | None = None) -> list[Drawing]:
    """The maze of a text file, or of stdin for `-`, with an answer or the solution.

    Args:
        marks: what other characters stand for; see `Maze.from_ascii`.

    Raises:
        UsageError: the file cannot be read.
        MazeError: it holds no maze.
    """
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {source}: {error}") from error
    maze = Maze.from_ascii(text, marks)
    answer = maze.solve() or "" if answer is None else answer
    caption = "\n".join(f"{name:<14} {value}" for name, value in score_path(maze, answer).to_dict().items())
    return [(caption, maze, parse_moves(answer, maze.start) or "")]


def from_dataset(dataset: str, split: str, count: int) -> list[Drawing]:
    """The first mazes of a split with their solutions.

    Raises:
        AsciiMazeError: no such dataset or split.
    """
    from dataset_builder.load import load_mazes

    return [
        (
            f"{row['generator']} {row['width']}x{row['height']}, {row['path_length']} moves",
            Maze.from_ascii(row["maze"]),
            parse_moves(row["solution"]) or "",
        )
        for row in load_mazes(dataset, split, count)
    ]


def from_predictions(path: Path, count: int) -> list[list[Drawing]]:
    """For some mazes of a predictions.parquet, the walks of all models but the baselines.

    Raises:
        UsageError: the file cannot be read.
    """
    from ..mazes.baselines import BASELINES
    from .gallery import names_in, pick_mazes, verdict

    try:
        models = [name for name in names_in(path, "model") if name not in BASELINES]
        groups = pick_mazes(path, models, count)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {reason(error)}") from error
    shown = []
    for rows in groups:
        maze = Maze.from_ascii(rows[0]["maze"])
        shown.append(
            [
                (f"{row['model']}: {verdict(row)}", maze, parse_moves(row["completion"], maze.start) or "")
                for row in rows
            ]
        )
    return shown


def draw(walks: list[Drawing]) -> None:
    """Mazes side by side in the terminal, as many as fit."""
    from rich.columns import Columns
    from rich.console import Console, Group
    from rich.text import Text

    drawn = [Group(to_terminal(maze, moves), Text(printable(caption))) for caption, maze, moves in walks]
    Console().print(Columns(drawn, padding=(0, 4)))


def write_page(path: Path, title: str, walks: list[Drawing]) -> None:
    """Mazes as a self-contained HTML page, for light and dark."""
    write_text(
        path,
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><style>:root{color-scheme:light dark}'
        "body{font:16px system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}svg{max-width:100%}"
        f"</style></head><body><h1>{escape(title)}</h1>\n{to_sheet(walks)}</body></html>\n",
    )
