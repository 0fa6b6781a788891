"""Positions in the tokens of a walk: the start, the goal, each move of the answer.

All models read the same text (teacher forcing), the rendered prompt followed by the reference solution, so that a
position means the same in each. Characters are located by the tokenizer's offsets, with any merges: the token of a
character is the last one that covers it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import AsciiMazeError, reason
from ..mazes.prompts import PromptStyle, format_answer, style_of
from ..mazes.reasoning import BEFORE_PATH, BEFORE_THOUGHT, think
from ..metrics.path_validity.maze import MOVES, OPEN, Maze
from ..metrics.path_validity.scoring import parse_moves
from ..models.chat import render_prompt
from .rows import shown_map

# Open cells read in each maze at the position `cells`, sampled per maze; an even number.
CELLS = 8


@dataclass(frozen=True)
class TokenisedWalk:
    """The tokens of one maze with its reference solution, and the positions that are read.

    Attributes:
        ids: int64 (tokens,), prompt and answer.
        last_prompt: the last token before the path.
        start: token of S.
        goal: token of G.
        maze: int64 (tokens of the map,).
        moves: int64 (moves,), for each move the token before it: where the model decides on it.
        answer_end: the last token.
        cells: int64 (`CELLS`,), tokens of open cells.
        cell_places: int64 (`CELLS`, 2), their rows and columns.
        path: the solution, in letters without spaces.
    """

    ids: np.ndarray
    last_prompt: int
    start: int
    goal: int
    maze: np.ndarray
    moves: np.ndarray
    answer_end: int
    cells: np.ndarray
    cell_places: np.ndarray
    path: str


def locate_walks(rows: Sequence[dict], tokenizer, seed: int) -> list[TokenisedWalk]:
    """Tokenise mazes with their solutions, and find every named position.

    Args:
        rows: of a dataset, with `id`, `prompt`, `maze` and `solution`.
        tokenizer: a fast one, with a chat template.
        seed: of the choice of cells.

    Raises:
        AsciiMazeError: the tokenizer has no offsets, the chat template changes the map, or a maze has no solution.
    """
    if not tokenizer.is_fast:
        raise AsciiMazeError("the model's tokenizer is a slow one, without the offsets of its tokens; use a fast one")
    return [_locate(row, tokenizer, np.random.default_rng([seed, index])) for index, row in enumerate(rows)]


class _Text(NamedTuple):
    """The text of a maze: the prompt up to the path, the map's offset in it, and the map itself."""

    prompt: str
    first: int
    shown: str
    style: PromptStyle
    maze: Maze
    path: str


def _text_of(row: dict, tokenizer) -> _Text:
    style, maze = style_of(row["prompt"]), Maze.from_ascii(row["maze"])
    path = parse_moves(row["solution"], maze.start)
    if not path:
        raise AsciiMazeError(f"maze {row['id']} has no path from S to G; choose a split of mazes that have one")
    prompt = _render(row, tokenizer)
    shown = shown_map(maze, row["prompt"][-1]["content"])
    first = -1 if shown is None else prompt.rfind(shown)
    if shown is None or first < 0:
        raise AsciiMazeError(f"the chat template changes the map of maze {row.get('id')}; use another model")
    return _Text(prompt + _thought(row, maze, style), first, shown, style, maze, path)


def _encode(text: str, tokenizer) -> tuple[list[int], np.ndarray]:
    """Tokens, and the characters that each covers, int64 (tokens, 2)."""
    encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    return encoded["input_ids"], np.array(encoded["offset_mapping"])


def _token_at(offsets: np.ndarray, text: _Text, place) -> int:
    """The token of a place of the map, row and column."""
    return last_token(offsets, text.first + int(place[0]) * (text.maze.shape[1] + 1) + int(place[1]))


def map_tokens(row: dict, tokenizer) -> np.ndarray:
    """The token of every place of a maze's map, int64 (rows, columns); several places may share one."""
    text = _text_of(row, tokenizer)
    _, offsets = _encode(text.prompt, tokenizer)
    return np.array([[_token_at(offsets, text, place) for place in line] for line in _grid(text.maze.shape)])


def _grid(shape: tuple[int, int]) -> list[list[tuple[int, int]]]:
    return [[(row, column) for column in range(shape[1])] for row in range(shape[0])]


def move_tokens(row: dict, walk: TokenisedWalk, tokenizer) -> np.ndarray:
    """The token with which each of the moves U, D, L, R would begin, at every step of a solution: int64 (moves, 4)."""
    text = _text_of(row, tokenizer)

    def ids(moves: str) -> list[int]:
        return _encode(text.prompt + format_answer(moves, text.style, text.maze.start), tokenizer)[0]

    return np.array([[ids(walk.path[:step] + move)[at + 1] for move in MOVES] for step, at in enumerate(walk.moves)])


def _locate(row: dict, tokenizer, rng: np.random.Generator) -> TokenisedWalk:
    text = _text_of(row, tokenizer)
    prompt, first, shown, style, maze, path = text
    ids, offsets = _encode(prompt + format_answer(path, style, maze.start), tokenizer)

    def token_at(place) -> int:
        return _token_at(offsets, text, place)

    places = _choose_cells(maze, path, rng)
    parting = [_parting(path[:count], style, maze.start) for count in range(len(path))]
    return TokenisedWalk(
        ids=np.array(ids),
        last_prompt=first_token(offsets, len(prompt)) - 1,
        start=token_at(maze.start),
        goal=token_at(maze.goal),
        maze=np.arange(first_token(offsets, first), last_token(offsets, first + len(shown) - 1) + 1),
        moves=np.array([last_token(offsets, len(prompt) + character) for character in parting]) - 1,
        answer_end=len(ids) - 1,
        cells=np.array([token_at(place) for place in places]),
        cell_places=places,
        path=path,
    )


def _thought(row: dict, maze: Maze, style: PromptStyle) -> str:
    """The reasoning before a path; it counts as part of the prompt, since it contains no move of the answer."""
    if style.reasoning == "none":
        return ""
    if style.reasoning == "corrupt":
        raise AsciiMazeError(f"maze {row.get('id')}: the thoughts of style 'corrupt' are of other mazes; take another")
    return f"{BEFORE_THOUGHT}{think(maze, style.reasoning)}{BEFORE_PATH}"


def _render(row: dict, tokenizer) -> str:
    """The prompt as the model reads it, up to its answer."""
    from jinja2 import TemplateError

    try:
        return render_prompt(tokenizer, row["prompt"])
    except TemplateError as error:
        raise AsciiMazeError(
            f"the model's chat template does not take the messages of maze {row.get('id')}: {reason(error)}"
        ) from error


def _choose_cells(maze: Maze, path: str, rng: np.random.Generator) -> np.ndarray:
    """Rows and columns (`CELLS`, 2) of open cells, half of them on the solution where there are any; S and G are
    excluded unless the map has no other cell.
    """
    here, on_path = maze.start, set()
    for move in path[:-1]:
        here = (here[0] + MOVES[move][0], here[1] + MOVES[move][1])
        on_path.add(here)
    opened = [tuple(place) for place in np.argwhere(np.array([list(line) for line in maze.rows]) == OPEN).tolist()]
    off_path = [place for place in opened if place not in on_path]
    groups = [group for group in (sorted(on_path), off_path) if group] or [[maze.start]]
    return np.concatenate(
        [
            np.array(group)[rng.choice(len(group), CELLS // len(groups), replace=len(group) < CELLS // len(groups))]
            for group in groups
        ]
    )


def _parting(path: str, style: PromptStyle, start: tuple[int, int]) -> int:
    """Index of the first character of an answer that differs between the four possible next moves."""
    candidates = [format_answer(path + move, style, start) for move in MOVES]
    return next(place for place, letters in enumerate(zip(*candidates)) if len(set(letters)) > 1)


def first_token(offsets: np.ndarray, character: int) -> int:
    """The first token that ends after the start of a character.

    Args:
        offsets: int64 (tokens, 2), start and end of the characters that each token covers; blanks may have none.
    """
    return int(np.searchsorted(offsets[:, 1], character, side="right"))


def last_token(offsets: np.ndarray, character: int) -> int:
    """The last token that covers a character, at which it has been read completely."""
    covering = np.flatnonzero((offsets[:, 0] <= character) & (character < offsets[:, 1]))
    return int(covering[-1]) if len(covering) else first_token(offsets, character)
