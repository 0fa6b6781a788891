"""What an evaluation asks: the rows of a dataset's splits, checked before any model answers.

Any dataset with `id`, `maze` and `prompt` can be evaluated; other columns on a maze must be true of it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from dataset_builder.checks import FACTS, check_chat, check_maze, shown, where_of

from ..environment.prompts import step_prompt
from ..errors import AsciiMazeError
from ..mazes.baselines import open_positions
from ..mazes.prompts import PromptStyle, style_of
from ..metrics.path_validity.maze import Maze, MazeError
from ..metrics.path_validity.scoring import parse_moves
from ..models.generation import Decoding
from .stepwise import Stepwise

COLUMNS = ("id", "maze", "prompt")


@dataclass(frozen=True)
class Questions:
    """What every model is asked, and how it answers.

    Attributes:
        splits: split -> its rows, a `datasets.Dataset`, and how many of the first of them are asked.
        largest: the maze with the most open positions.
        styles: of the prompts.
        max_new_tokens: of an answer; None for as many as a walk that visits every position once takes.
        stepwise: how mazes are walked step by step; None for a whole path as one answer.
    """

    splits: dict[str, tuple[Any, int]]
    largest: Maze
    styles: frozenset[PromptStyle]
    decoding: Decoding
    max_new_tokens: int | None
    stepwise: Stepwise | None = None

    @property
    def prompt(self) -> list[dict]:
        """The first prompt, whose rules hold for all unless the dataset has several styles."""
        first = next(rows[0] for rows, _ in self.splits.values())
        return step_prompt(self.stepwise.start(first["maze"])) if self.stepwise else first["prompt"]

    @property
    def system_prompt(self) -> str:
        """The rules; empty where the first prompt has no system message."""
        return next((message["content"] for message in self.prompt if message["role"] == "system"), "")


class Survey(NamedTuple):
    """Facts about all rows that are asked.

    Attributes:
        mazes_sha256: over splits, ids and mazes.
        asked_sha256: over these and prompts and facts, all that the results depend on.
        largest, styles: as in `Questions`.
    """

    mazes_sha256: str
    asked_sha256: str
    largest: Maze
    styles: frozenset[PromptStyle]


def survey(dataset: str, splits: Mapping[str, tuple[Any, int]]) -> Survey:
    """Check every row that is asked.

    Raises:
        AsciiMazeError: a row cannot be asked, a fact in it is not true of its maze, or two mazes have one id; the
            message names the row.
    """
    mazes, asked, longest = hashlib.sha256(), hashlib.sha256(), 0
    largest, styles, named = None, set(), dict[str, bytes]()
    for split, row, where in _rows(dataset, splits):
        maze = check_row(row, where)
        drawn = hashlib.blake2b(row["maze"].encode(), digest_size=8).digest()
        if named.setdefault(row["id"], drawn) != drawn:
            raise AsciiMazeError(f"{where}: 'id' is {shown(row['id'])}, which is also the id of another maze")
        between = "\n" if longest else ""
        mazes.update(f"{between}{split}/{row['id']}/{row['maze']}".encode())
        asked.update(json.dumps([split, *(row.get(name) for name in (*COLUMNS, *FACTS))]).encode())
        styles.add(style_of(row["prompt"]))
        if (places := open_positions(maze)) > longest:
            largest, longest = maze, places
    assert largest is not None, "an empty split has been refused"
    return Survey(mazes.hexdigest(), asked.hexdigest(), largest, frozenset(styles))


def _rows(dataset: str, splits: Mapping[str, tuple[Any, int]]) -> Iterator[tuple[str, dict, str]]:
    """Split, row and position of every row that is asked; only the columns that are needed are read."""
    for split, (rows, count) in splits.items():
        read = rows.select_columns([name for name in (*COLUMNS, *FACTS) if name in rows.column_names])
        for start in range(0, count, 1000):
            for number, row in enumerate(read.select(range(start, min(start + 1000, count))).to_list(), start):
                yield split, row, where_of(dataset, split, number)


def check_row(row: Mapping[str, Any], where: str) -> Maze:
    """Check all that an evaluation uses of a row.

    Returns:
        Its maze.

    Raises:
        AsciiMazeError: something is missing, of another type, or not true of the maze.
    """
    if not isinstance(row["id"], str) or not row["id"]:
        raise AsciiMazeError(f"{where}: 'id' is {shown(row['id'])}; expected a text that names the maze")
    check_chat(row["prompt"], where)
    maze = check_maze(row, where)
    check_shown(row, maze, where)
    return maze


def check_shown(row: Mapping[str, Any], maze: Maze, where: str) -> None:
    """Check that a prompt whose last message is only a maze, as in the datasets of this package, shows the row's.

    Raises:
        AsciiMazeError: it shows another.
    """
    content = row["prompt"][-1]["content"]
    if content == row["maze"]:
        return
    try:
        seen = Maze.from_text(content, style_of(row["prompt"]).maze)
    except MazeError:
        return
    if seen != maze:
        raise AsciiMazeError(f"{where}: 'prompt' shows another maze than 'maze'")


def size_of(row: Mapping[str, Any], maze: Maze) -> tuple[int, int]:
    """Width and height in cells; if the row lacks them, those of a lattice with as many characters."""
    rows, columns = maze.shape
    width, height = row.get("width"), row.get("height")
    return (columns - 1) // 2 if width is None else width, (rows - 1) // 2 if height is None else height


def solution_of(row: Mapping[str, Any]) -> str | None:
    """The dataset's own solution in letters without spaces; None where it has none."""
    return parse_moves(row.get("solution") or "")
