"""Whether "a wall is here" is a direction that the model acts on: added at an open place, it should divert the walk.

At a decision of a solution the next place is closed in two ways: in the text, by the token of a wall; and in the
states, by adding the mean difference between wall places and open ones to the state of that place after one layer.
Among cases in which the wall in the text changes the move, the share is counted in which the direction leads to the
same move; random directions of the same norm are the control. Conversely, the direction is subtracted from a wall
that is in the text.
(As Ivanitskiy et al., 2024, find wall features in models of mazes.)
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import AsciiMazeError
from ..mazes.heuristics import are_decisions
from ..metrics.path_validity.maze import MOVES, OPEN, WALL, Maze
from .lens import read_out
from .models import BASE, Models
from .positions import TokenisedWalk, map_tokens, move_tokens
from .reading import Batch, batches, read, read_from
from .schema.causes import WallEffect

DRAWS = 2


class Case(NamedTuple):
    """A decision at which the next place can be closed.

    Attributes:
        walk: read up to the decision.
        place: token of the place that is closed.
        ahead: token at which the move is decided.
        moves: the tokens of the four moves, int64 (4,).
    """

    walk: TokenisedWalk
    place: int
    ahead: int
    moves: np.ndarray


class _Side(NamedTuple):
    """The cases as the model reads them, with or without the walls, and the move of each, int64 (cases,)."""

    batch: Batch
    moves: np.ndarray


def find_wall_effect(
    models: Models, rows: Sequence[dict], walks: Sequence[TokenisedWalk], seed: int
) -> tuple[WallEffect | None, dict[str, str]]:
    """The wall effect, if there are mazes; and {what is missing: why}."""
    if not walks:
        return None, {}
    try:
        return close_places(models, rows, walks, seed), {}
    except AsciiMazeError as error:
        return None, {"walls put in and taken out inside": str(error)}


def close_places(models: Models, rows: Sequence[dict], walks: Sequence[TokenisedWalk], seed: int) -> WallEffect:
    """By layer, how often the direction changes the base's move as a wall does.

    Args:
        rows: one decision of each is asked; `walks` are theirs.
        seed: of the random directions.

    Raises:
        AsciiMazeError: a token of the map covers several places, or no decision has a place that can be closed.
    """
    models.switch(BASE)
    tables = [map_tokens(row, models.tokenizer) for row in rows]
    if any(len(np.unique(table)) < table.size for table in tables):
        raise AsciiMazeError("places of the map share tokens, so that no single one can be closed")
    mazes = [Maze.from_ascii(row["maze"]) for row in rows]
    found = [_case(models, *each) for each in zip(rows, walks, mazes, tables)]
    cases = [case for case in found if case is not None]
    if not cases:
        raise AsciiMazeError("no decision of these mazes has a place that can be closed")
    wall = next(int(walks[0].ids[token]) for token in tables[0][_where(mazes[0], WALL)])
    opened, closed = _read(models, cases, None), _read(models, cases, wall)
    differ = np.flatnonzero(opened.moves != closed.moves)
    if not len(differ):
        raise AsciiMazeError("a wall in the way changes no move of the base")
    rng = np.random.default_rng([seed, 5])
    shares: dict[str, list[float]] = {"added": [], "added_random": [], "removed": [], "removed_random": []}
    directions = _directions(models, walks, mazes, tables)
    for layer, direction in enumerate(directions):
        draws = [rng.normal(size=direction.shape) for _ in range(DRAWS)]
        random = [draw * np.linalg.norm(direction) / np.linalg.norm(draw) for draw in draws]
        for key, side, aim, sign in (("added", opened, closed, 1), ("removed", closed, opened, -1)):
            moved = [_push(models, cases, side, layer, sign * push) for push in (direction, *random)]
            hits = [float((each[differ] == aim.moves[differ]).mean()) for each in moved]
            shares[key].append(hits[0])
            shares[f"{key}_random"].append(float(np.mean(hits[1:])))
    return WallEffect(**shares, cases=len(differ), asked=len(cases))  # type: ignore[typeddict-item]


def _where(maze: Maze, symbol: str) -> np.ndarray:
    return np.array([[character == symbol for character in line] for line in maze.rows])


def _case(models: Models, row: dict, walk: TokenisedWalk, maze: Maze, table: np.ndarray) -> Case | None:
    """The first decision of a walk whose next place is open ground."""
    here, tokens = maze.start, None
    for step, (move, decision) in enumerate(zip(walk.path, are_decisions(maze, walk.path))):
        here = here[0] + MOVES[move][0], here[1] + MOVES[move][1]
        if decision and maze.rows[here[0]][here[1]] == OPEN:
            tokens = move_tokens(row, walk, models.tokenizer)[step]
            return Case(walk, int(table[here]), int(walk.moves[step]), tokens)
    return None


def _read(models: Models, cases: Sequence[Case], wall: int | None) -> _Side:
    """Read the cases whole, in one batch.

    Args:
        wall: the token that closes the place of each case; None leaves it open.
    """
    chosen, ids = next(batches([case.walk for case in cases], len(cases)))
    if wall is not None:
        for row, index in enumerate(chosen):
            ids[row, cases[index].place] = wall
    states: list[Any] = []
    read(models, ids, None, lambda site, layer, hidden: states.append(hidden))
    batch = Batch(chosen, [cases[index].walk for index in chosen], ids, states)
    return _Side(batch, _moves(models, cases, batch, states[-1]))


def _moves(models: Models, cases: Sequence[Case], batch: Batch, last) -> np.ndarray:
    """The likeliest of the four moves in each case, by the last layer's states: int64 (cases,)."""
    states = np.stack([last[row, cases[index].ahead].float().cpu().numpy() for row, index in enumerate(batch.chosen)])
    logits = np.concatenate([part.cpu().numpy() for _, part in read_out(models, states)])
    found = np.zeros(len(cases), dtype=np.int64)
    for row, index in enumerate(batch.chosen):
        found[index] = logits[row, cases[index].moves].argmax()
    return found


def _push(models: Models, cases: Sequence[Case], side: _Side, layer: int, push: np.ndarray) -> np.ndarray:
    """The moves when something is added to the place of each case after a layer."""
    import torch

    states = side.batch.states[layer].clone()
    for row, index in enumerate(side.batch.chosen):
        states[row, cases[index].place] += torch.from_numpy(push).to(states)
    return _moves(models, cases, side.batch, read_from(models, side.batch, layer, states, None).states[-1])


def _directions(
    models: Models, walks: Sequence[TokenisedWalk], mazes: Sequence[Maze], tables: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Of each layer, the mean state of walls inside the map minus that of open places, float64 (width,)."""
    sums: dict[str, list] = {WALL: [], OPEN: []}

    def visit(site: str, layer: int, hidden) -> None:
        for symbol, found in sums.items():
            rows = [hidden[row, tokens[symbol]].double().cpu().numpy() for row, tokens in enumerate(places)]
            found.append(np.concatenate(rows).mean(axis=0))

    chosen, ids = next(batches(walks, len(walks)))
    places = [
        {symbol: tables[index][1:-1, 1:-1][_where(mazes[index], symbol)[1:-1, 1:-1]] for symbol in sums}
        for index in chosen
    ]
    read(models, ids, None, visit)
    return [wall - opened for wall, opened in zip(sums[WALL], sums[OPEN])]
