"""The mazes of a report: rows of a dataset's config `prompts`, checked before a model is loaded.

What a dataset says about a maze is checked against the map: a wrong solution would shift every position and every
label of a move, without an error.
"""

from typing import Any

from dataset_builder.load import first_rows, load_split

from ..errors import AsciiMazeError, UsageError
from ..metrics.path_validity.maze import STYLES, Maze, MazeError
from ..metrics.path_validity.scoring import score_path

COLUMNS = ("maze", "prompt", "solution", "width", "height")
# Fewer are too few to split into training and held-out mazes.
LEAST_MAZES = 20


def load_rows(dataset: str, split: str, limit: int | None) -> list[dict[str, Any]]:
    """The first rows of a split, each of them checked.

    Raises:
        UsageError: there are too few of them.
        AsciiMazeError: they cannot be loaded, a column is not there, or a row cannot be used.
    """
    rows = first_rows(load_split(dataset, split, columns=COLUMNS), limit).to_list()
    if len(rows) < LEAST_MAZES:
        raise UsageError(f"{len(rows)} mazes are too few to tell anything; give at least {LEAST_MAZES}")
    for number, row in enumerate(rows):
        if wrong := what_is_wrong(row):
            raise AsciiMazeError(f"'{dataset}', split '{split}', row {number} (id {row.get('id')}): {wrong}")
    return rows


def what_is_wrong(row: dict[str, Any]) -> str | None:
    """Why a row cannot be used, or None."""
    try:
        maze = Maze.from_ascii(row["maze"])
    except MazeError as error:
        return f"its maze cannot be read: {error}"
    if not is_chat(row["prompt"]):
        return "its prompt is not a list of chat messages, each with a role and text"
    if shown_map(maze, row["prompt"][-1]["content"]) is None:
        return "the last message of its prompt does not show its maze"
    if maze.shortest is None:
        return "there is no way from S to G; choose a split of mazes that have one"
    if not score_path(maze, row["solution"]).optimal:
        return f"its solution, {row['solution']!r}, is not a shortest path through its maze"
    if not all(isinstance(row[side], int) for side in ("width", "height")):
        return "its width and height are not whole numbers"
    return None


def is_chat(prompt: Any) -> bool:
    """Whether a prompt is in chat form: a list of messages of text."""
    return (
        isinstance(prompt, list)
        and bool(prompt)
        and all(
            isinstance(message, dict) and all(isinstance(message.get(key), str) for key in ("role", "content"))
            for message in prompt
        )
    )


def shown_map(maze: Maze, message: str) -> str | None:
    """The map as a message shows it, in whatever style has one character for each place; None where there is none."""
    plain = maze.to_ascii()
    styled = (maze.to_ascii(style) for style in STYLES)
    return next((text for text in styled if len(text) == len(plain) and text in message), None)
