"""Mazes to look at, from a dataset, a predictions.parquet, a text file or stdin: in the terminal or as a page."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError, printable, reason
from ..files import write_text
from ..mazes.convert import check_style, parse_marks, read_source
from ..mazes.drawing import to_terminal
from ..metrics.path_validity.maze import Maze, apply_marks
from ..metrics.path_validity.scoring import parse_moves, read_maze, score_path
from ..metrics.path_validity.styles import FOREIGN_STYLES, STYLES
from ..metrics.path_validity.svg import to_svg
from ..references import find_reference
from ..templating import PAGES, render

GENERATOR = b'<meta name="generator" content="ascii-maze">'  # in every page, see page.html.jinja


class Drawing(NamedTuple):
    """A maze and a walk through it.

    Attributes:
        caption: one line or several.
        moves: in letters without spaces.
    """

    caption: str
    maze: Maze
    moves: str


def find_drawings(
    source: str, split: str, count: int, answer: str | None = None, marks: Sequence[str] = (), style: str = "auto"
) -> list[list[Drawing]]:
    """What `ascii-maze show` shows: groups of drawings, each to stand side by side.

    Args:
        source: a dataset (folder or Hub id), a predictions.parquet, a text file with a maze, or `-` for stdin.
        split: of a dataset.
        count: mazes at most.
        answer: a path through the maze of a text; its solution without one.
        marks: of a text; see `parse_marks`.
        style: of a text; see `from_text`.

    Raises:
        UsageError: what is for a text alone is given for another source.
        AsciiMazeError: it cannot be read; a MazeError where a text is not a maze.
    """
    check_style(style, "--style", ["auto", *STYLES, *FOREIGN_STYLES])
    path, reference = Path(source), find_reference(source)
    is_dataset = reference is not None and (not reference.is_local or path.is_dir())
    is_parquet = source.lower().endswith(".parquet") and not (is_dataset and path.is_dir())
    if not is_parquet and (source == "-" or (not is_dataset and (reference is not None or path.suffix))):
        return [from_text(source, answer, parse_marks(marks), style)]
    given = {"--answer": answer is not None, "--marks": bool(marks), "--style": style != "auto"}
    for option in (option for option, is_given in given.items() if is_given):
        raise UsageError(f"{option} is for a text with one maze, and {source} is not; leave it out")
    if is_parquet:
        return from_predictions(path, count)
    return [from_dataset(source, split, count)]


def from_text(
    source: str, answer: str | None, marks: Mapping[str, str] | None = None, style: str = "auto"
) -> list[Drawing]:
    """The maze of a text file, or of stdin for `-`, with an answer or the solution.

    Args:
        marks: what other characters stand for; see `Maze.from_ascii`.
        style: as `Maze.from_text` takes it; `auto` prefers a plain map to any other style.

    Raises:
        UsageError: the file cannot be read.
        MazeError: it holds no maze.
    """
    text = apply_marks(read_source(source), marks)
    maze = read_maze(text) if style == "auto" else Maze.from_text(text, style)
    answer = maze.solve() or "" if answer is None else answer
    caption = "\n".join(f"{name:<14} {value}" for name, value in score_path(maze, answer).to_dict().items())
    return [Drawing(caption, maze, parse_moves(answer, maze.start) or "")]


def from_dataset(dataset: str, split: str, count: int) -> list[Drawing]:
    """The first mazes of a split with their solutions, or a shortest path where the dataset has none.

    Raises:
        AsciiMazeError: no such dataset or split, or a row without a maze.
    """
    from dataset_builder.checks import check_maze, where_of
    from dataset_builder.load import load_mazes

    from .questions import size_of, solution_of

    drawings = []
    for number, row in enumerate(load_mazes(dataset, split, count)):
        maze = check_maze(row, where_of(dataset, split, number))
        width, height = size_of(row, maze)
        length = "no path" if maze.shortest is None else f"{maze.shortest} moves"
        caption = f"{row.get('generator') or 'maze'} {width}x{height}, {length}"
        drawings.append(Drawing(caption, maze, solution_of(row) or maze.solve() or ""))
    return drawings


def from_predictions(path: Path, count: int) -> list[list[Drawing]]:
    """For some mazes of a predictions.parquet, the walks of all models but the baselines.

    Raises:
        UsageError: the file cannot be read, or is not from `evaluate`.
    """
    from ..environment.explorers import ALL_BASELINES
    from .gallery import names_in, pick_mazes, verdict
    from .walks import is_walk, without_bumps

    def draw_answer(row: dict) -> Drawing:
        maze = read_maze(row["maze"])
        moves = parse_moves(row["completion"], maze.start) or ""
        if is_walk(row):
            moves, _ = without_bumps(maze, moves)
        return Drawing(f"{row['model']}: {verdict(row)}", maze, moves)

    try:
        models = [name for name in names_in(path, "model") if name not in ALL_BASELINES]
        return [[draw_answer(row) for row in rows] for rows in pick_mazes(path, models, count)]
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {reason(error)}") from error


def draw(drawings: list[Drawing]) -> None:
    """Mazes side by side in the terminal, as many as fit."""
    from rich.columns import Columns
    from rich.console import Console, Group
    from rich.text import Text

    drawn = [Group(to_terminal(maze, moves), Text(printable(caption))) for caption, maze, moves in drawings]
    Console().print(Columns(drawn, padding=(0, 4)))


def write_page(path: Path, title: str, drawings: list[Drawing]) -> None:
    """Mazes as a self-contained HTML page, for light and dark.

    Raises:
        UsageError: there is a file of that name that is not a page of this program.
    """
    from markupsafe import Markup

    if os.path.lexists(path) and not (path.is_file() and GENERATOR in path.read_bytes()):
        raise UsageError(f"{path} already exists and is not a page of ascii-maze; give another name")
    # The SVG is safe: of the walk it holds only numbers.
    shown = [{"svg": Markup(to_svg(maze, moves)), "caption": caption} for caption, maze, moves in drawings]  # noqa: S704
    write_text(path, render(PAGES / "drawings.html.jinja", {"title": title, "drawings": shown}))
