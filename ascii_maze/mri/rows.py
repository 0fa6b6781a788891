"""The mazes of a report: rows of a dataset's config `prompts`, checked before a model is loaded.

A wrong solution would shift every position and every label of a move, without an error.
"""

from typing import Any

from dataset_builder.checks import check_chat, check_maze, shown, where_of
from dataset_builder.load import limited_places, load_split

from ..errors import AsciiMazeError, UsageError
from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.styles import PLAIN_STYLES

COLUMNS = ("maze", "prompt", "solution", "width", "height")
# The least number that can be split into training and held-out mazes.
LEAST_MAZES = 20


def load_rows(dataset: str, split: str, limit: int | None) -> list[dict[str, Any]]:
    """The rows of a split, checked, at most `limit` of them; see `dataset_builder.load.limited_places`.

    Raises:
        UsageError: there are too few of them.
        AsciiMazeError: they cannot be loaded, a column is not there, or a row cannot be used.
    """
    whole = load_split(dataset, split, columns=COLUMNS)
    places = limited_places(whole, limit)
    rows = whole.select(places).to_list()
    if len(rows) < LEAST_MAZES:
        raise UsageError(f"{len(rows)} mazes are too few; give at least {LEAST_MAZES}")
    for place, row in zip(places, rows, strict=True):
        check_row(row, where_of(dataset, split, place))
    return rows


def check_row(row: dict[str, Any], where: str) -> None:
    """Check all that a report uses of a row.

    Raises:
        AsciiMazeError: something is missing, of another type, not true of the maze, or the maze has no path.
    """
    check_chat(row["prompt"], where)
    maze = check_maze({name: row[name] for name in COLUMNS}, where)
    if shown_map(maze, row["prompt"][-1]["content"]) is None:
        raise AsciiMazeError(f"{where}: the last message of 'prompt' does not show its maze as a plain map")
    if maze.shortest is None:
        raise AsciiMazeError(f"{where}: there is no path from S to G; choose a split whose mazes have one")
    for name in ("solution", "width", "height"):
        if not row[name]:
            raise AsciiMazeError(f"{where}: '{name}' is {shown(row[name])}; a report needs it")


def shown_map(maze: Maze, message: str) -> str | None:
    """The map as a message shows it, in a style with one character for each place; None where there is none."""
    styled = (maze.to_ascii(style) for style in PLAIN_STYLES)
    return next((text for text in styled if text in message), None)
