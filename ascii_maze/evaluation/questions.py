"""What an evaluation asks: the rows of a dataset's splits, checked before any model answers.

A dataset may be anyone's. It needs `id`, `maze` and `prompt`; what else it says of a maze must be true of the maze.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import AsciiMazeError
from ..mazes.baselines import open_positions
from ..metrics.path_validity.maze import Maze, MazeError
from ..metrics.path_validity.scoring import parse_moves, score_path
from ..models.generation import Decoding

COLUMNS = ("id", "maze", "prompt")
FACTS = ("solution", "generator", "width", "height", "path_length")
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Questions:
    """What every model is asked, and how it is to answer.

    Attributes:
        splits: split -> its rows, a `datasets.Dataset`, and how many of the first of them are asked.
        longest: open positions of the largest maze.
        max_new_tokens: where an answer is cut; None for where a walk has had time to visit every position once.
    """

    splits: dict[str, tuple[Any, int]]
    longest: int
    decoding: Decoding
    max_new_tokens: int | None

    @property
    def prompt(self) -> list[dict]:
        """The first prompt, whose rules hold for all."""
        return next(rows[0]["prompt"] for rows, _ in self.splits.values())


def survey(dataset: str, splits: Mapping[str, tuple[Any, int]]) -> tuple[str, str, int]:
    """Check every row that is asked.

    Returns:
        sha256 over splits, ids and mazes; sha256 over these and prompts and facts, all that the results depend on;
        and the open positions of the largest maze.

    Raises:
        AsciiMazeError: a row cannot be asked, or says what is not true of its maze; the message says which row.
    """
    mazes, asked, longest = hashlib.sha256(), hashlib.sha256(), 0
    for split, row, where in _rows(dataset, splits):
        maze = check_row(row, where)
        mazes.update(f"{chr(10) * bool(longest)}{split}/{row['id']}/{row['maze']}".encode())
        asked.update(json.dumps([split, *(row.get(name) for name in (*COLUMNS, *FACTS))]).encode())
        longest = max(longest, open_positions(maze))
    return mazes.hexdigest(), asked.hexdigest(), longest


def _rows(dataset: str, splits: Mapping[str, tuple[Any, int]]) -> Iterator[tuple[str, dict, str]]:
    """Split, row, and where it stands, of all rows that are asked; only the columns that matter are read."""
    for split, (rows, count) in splits.items():
        read = rows.select_columns([name for name in (*COLUMNS, *FACTS) if name in rows.column_names])
        for start in range(0, count, 1000):
            for number, row in enumerate(read.select(range(start, min(start + 1000, count))).to_list(), start):
                yield split, row, f"row {number} (from 0) of split '{split}' of '{dataset}'"


def check_row(row: Mapping[str, Any], where: str) -> Maze:
    """Check all that an evaluation uses of a row.

    Returns:
        Its maze.

    Raises:
        AsciiMazeError: something is missing, of another type, or not true of the maze.
    """
    if not isinstance(row["id"], str) or not row["id"]:
        raise AsciiMazeError(f"{where}: 'id' is {_shown(row['id'])}; expected a text that names the maze")
    prompt = row["prompt"]
    if not isinstance(prompt, list) or not prompt or not all(_is_message(message) for message in prompt):
        raise AsciiMazeError(
            f"{where}: 'prompt' is {_shown(prompt)}; expected chat messages: [{{'role': 'user', 'content': ...}}]"
        )
    return check_maze(row, where)


def check_maze(row: Mapping[str, Any], where: str) -> Maze:
    """The maze of a row; what else the row says of it must be true.

    Raises:
        AsciiMazeError: it is no maze, or a fact is of another type or not true.
    """
    text = row.get("maze")
    if not isinstance(text, str):
        raise AsciiMazeError(f"{where}: 'maze' is {_shown(text)}; expected the text of a maze")
    for name in FACTS:
        value, expected = row.get(name), "a text" if name in ("solution", "generator") else "a count"
        if value is not None and not (isinstance(value, str) if expected == "a text" else _is_count(value)):
            raise AsciiMazeError(f"{where}: '{name}' is {_shown(value)}; expected {expected}, or no such column")
    try:
        maze = Maze.from_ascii(text)
    except MazeError as error:
        raise AsciiMazeError(f"{where}: 'maze': {error}") from error
    claimed, solution = row.get("path_length"), row.get("solution")
    if claimed is not None and claimed != maze.shortest:
        truth = "there is no path" if maze.shortest is None else f"the shortest path has {maze.shortest} moves"
        raise AsciiMazeError(f"{where}: 'path_length' is {claimed}, and {truth}")
    if solution and not score_path(maze, solution).optimal:
        raise AsciiMazeError(f"{where}: 'solution' is not a shortest path: {_shown(solution)}")
    return maze


def size_of(row: Mapping[str, Any], maze: Maze) -> tuple[int, int]:
    """Width and height in cells; where the row does not say, those of a lattice of as many characters."""
    rows, columns = maze.shape
    width, height = row.get("width"), row.get("height")
    return (columns - 1) // 2 if width is None else width, (rows - 1) // 2 if height is None else height


def solution_of(row: Mapping[str, Any]) -> str | None:
    """The dataset's own solution in letters without spaces; None where it has none."""
    return parse_moves(row.get("solution") or "")


def _is_message(message: object) -> bool:
    return isinstance(message, dict) and all(isinstance(message.get(key), str) for key in ("role", "content"))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
