"""Checks rows of untrusted datasets before use: the facts a row states about its maze must be true."""

import json
from collections.abc import Mapping
from typing import Any

from ascii_maze.errors import AsciiMazeError
from ascii_maze.metrics.path_validity.maze import Maze, MazeError
from ascii_maze.metrics.path_validity.scoring import score_path

TEXTS, COUNTS = ("solution", "generator"), ("width", "height", "path_length")
FACTS = (*TEXTS, *COUNTS)
LARGEST = 2**31 - 1


def where_of(dataset: str, split: str, number: int) -> str:
    """How an error names a row."""
    return f"row {number} (from 0) of split '{split}' of '{dataset}'"


def check_maze(row: Mapping[str, Any], where: str) -> Maze:
    """The maze of a row; facts that are missing or None are not checked.

    Args:
        where: of the row, for errors; see `where_of`.

    Raises:
        AsciiMazeError: it is not a maze, or a fact has the wrong type or is false.
    """
    text = row.get("maze")
    if not isinstance(text, str):
        raise AsciiMazeError(f"{where}: 'maze' is {shown(text)}; expected the text of a maze")
    for name in FACTS:
        value, is_text = row.get(name), name in TEXTS
        if value is not None and not (isinstance(value, str) if is_text else _is_count(value)):
            expected = "a text" if is_text else "a count"
            raise AsciiMazeError(f"{where}: '{name}' is {shown(value)}; expected {expected}, or no such column")
    try:
        maze = Maze.from_ascii(text)
    except MazeError as error:
        raise AsciiMazeError(f"{where}: 'maze': {error}") from error
    claimed, solution = row.get("path_length"), row.get("solution")
    if claimed is not None and claimed != maze.shortest:
        truth = "there is no path" if maze.shortest is None else f"the shortest path has {maze.shortest} moves"
        raise AsciiMazeError(f"{where}: 'path_length' is {claimed}, and {truth}")
    if solution and not score_path(maze, solution).optimal:
        raise AsciiMazeError(f"{where}: 'solution' is not a shortest path: {shown(solution)}")
    return maze


def check_chat(messages: object, where: str, column: str = "prompt") -> None:
    """Check that a prompt or an answer is a list of chat messages of text.

    Raises:
        AsciiMazeError: it is something else.
    """
    if not isinstance(messages, list) or not messages or not all(_is_message(message) for message in messages):
        role = "user" if column == "prompt" else "assistant"
        raise AsciiMazeError(
            f"{where}: '{column}' is {shown(messages)}; expected chat messages: [{{'role': '{role}', 'content': ...}}]"
        )


def check_tools(text: object, where: str) -> None:
    """Check that the tools of a row, if there are any, are a JSON list of descriptions.

    Raises:
        AsciiMazeError: they are something else.
    """
    try:
        tools = json.loads(text) if isinstance(text, str) and text else text or []
    except (ValueError, RecursionError):
        tools = None
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise AsciiMazeError(f"{where}: 'tools' is {shown(text)}; expected a JSON list of tools, or no such column")


def shown(value: object) -> str:
    """A value as an error quotes it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_message(message: object) -> bool:
    return isinstance(message, dict) and all(isinstance(message.get(key), str) for key in ("role", "content"))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
