"""The page for drawing a maze and watching models walk through it."""

import random
from collections.abc import Sequence
from html import escape
from typing import Any

from ..errors import UsageError
from ..mazes.baselines import shortest_path, wall_follower
from ..mazes.failures import FAILURES, failure_of
from ..mazes.generators import GENERATORS, mazes_at
from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import parse_moves, score_path
from ..metrics.path_validity.svg import follow, to_svg
from .players import Players
from .serving import Page

MOST_SIDE = 41  # most rows and columns of a map
MOST_CELLS = (MOST_SIDE - 1) // 2
MOST_MODELS = 4
SHOWN_CHARACTERS = 4_000
# Mazes tried to find one on which models differ, and the batch size.
TRIED, BATCH = 96, 16
GUIDES = {"wall follower": wall_follower, "shortest path": shortest_path}


def play_page(players: Players) -> Page:
    """The page for watching models."""

    def models(sent: dict[str, Any]) -> dict[str, Any]:
        return {
            "models": players.names,
            "guides": list(GUIDES),
            "generators": sorted(GENERATORS),
            "most_models": MOST_MODELS,
            "most_side": MOST_SIDE,
            "most_cells": MOST_CELLS,
        }

    def read(sent: dict[str, Any]) -> dict[str, Any]:
        return {"maze": str(checked_maze(sent.get("text")))}

    def generate(sent: dict[str, Any]) -> dict[str, Any]:
        return {"maze": str(generated(sent, range(1))[0]), **said_of(sent)}

    def walk(sent: dict[str, Any]) -> dict[str, Any]:
        return walked(players, checked_maze(sent.get("maze")), str(sent.get("model")))

    def differ(sent: dict[str, Any]) -> dict[str, Any]:
        return where_they_differ(players, checked_models(players, sent.get("models")), sent)

    return Page(
        title="play",
        files={"/": "play.html", "/play.js": "play.js", "/page.css": "page.css", "/play.css": "play.css"},
        handlers={
            "/api/models": models,
            "/api/read": read,
            "/api/generate": generate,
            "/api/walk": walk,
            "/api/differ": differ,
        },
        placeholders={"title": escape("Draw a maze, watch models walk")},
    )


def checked_maze(text: object) -> Maze:
    """A maze sent by the page, in any style.

    Raises:
        UsageError: it is not text, or too large.
        MazeError: it is not a maze.
    """
    if not isinstance(text, str):
        raise UsageError("expected the text of a maze")
    maze = Maze.from_text(text)
    if max(maze.shape) > MOST_SIDE:
        raise UsageError(
            f"a maze of {maze.shape[0]} by {maze.shape[1]} characters; at most {MOST_SIDE} by {MOST_SIDE}"
        )
    return maze


def checked_models(players: Players, names: object) -> list[str]:
    """The names of models to compare, validated.

    Raises:
        UsageError: fewer than two, more than four, or an unknown one.
    """
    if not isinstance(names, list) or not 2 <= len(set(map(str, names))) <= MOST_MODELS:
        raise UsageError(f"choose two to {MOST_MODELS} models that can differ")
    for name in names:
        if name not in players.names:
            raise UsageError(f"there is no model '{name}' here")
    return list(dict.fromkeys(names))


def number(sent: dict[str, Any], key: str, low: float, high: float, default: float) -> float:
    """A number that a page sent, within bounds.

    Raises:
        UsageError: it is not a number, or out of bounds.
    """
    value = sent.get(key, default)
    if type(value) not in (int, float) or not low <= value <= high:
        raise UsageError(f"{key}: expected a number of {low:g} to {high:g}")
    return value


def said_of(sent: dict[str, Any]) -> dict[str, Any]:
    """The requested kind of maze, validated.

    Raises:
        UsageError: there is no such kind.
    """
    generator = sent.get("generator", "depth_first")
    if generator not in GENERATORS:
        raise UsageError(f"there is no generator '{generator}'; expected one of {', '.join(sorted(GENERATORS))}")
    return {
        "generator": generator,
        "width": int(number(sent, "width", 2, MOST_CELLS, 5)),
        "height": int(number(sent, "height", 2, MOST_CELLS, 5)),
        "braid": float(number(sent, "braid", 0, 1, 0)),
        "seed": int(number(sent, "seed", 0, 2**32 - 1, 0)),
    }


def generated(sent: dict[str, Any], indices: Sequence[int]) -> list[Maze]:
    """Mazes of the requested kind, by their indices."""
    import numpy as np

    kind = said_of(sent)
    return list(
        mazes_at(kind["generator"], kind["width"], kind["height"], np.asarray(indices), kind["seed"], kind["braid"])
    )


def walked(players: Players, maze: Maze, name: str) -> dict[str, Any]:
    """The walk of a model, or of a guide, as data for the page."""
    probabilities = None
    if name in GUIDES:
        moves = GUIDES[name](maze, random.Random(0))
        completion = " ".join(moves)
    else:
        completion, probabilities = players.walk(name, maze)
        moves = parse_moves(completion, maze.start) or ""
    trace = follow(maze, moves)
    return {
        "model": name,
        "completion": completion[:SHOWN_CHARACTERS],
        "moves": moves,
        "svg": to_svg(maze, moves),
        "positions": trace.positions,
        "crash": trace.crash,
        "score": score_path(maze, completion).to_dict(),
        "verdict": verdict(maze, completion),
        "probabilities": probabilities,
    }


def verdict(maze: Maze, completion: str) -> str:
    """The outcome of an answer, in a few words."""
    if maze.shortest is None:
        return "there is no way from S to G"
    failure = failure_of(maze, completion)
    return "a shortest path" if failure is None else FAILURES[failure.kind]


def where_they_differ(players: Players, names: list[str], sent: dict[str, Any]) -> dict[str, Any]:
    """The first maze of a kind, by seed, on which some models arrive and others do not.

    The seed increases by one for each maze tried; the answer has that of the maze found.

    Raises:
        UsageError: the models agree on all mazes tried.
    """
    first = said_of(sent)["seed"]
    for start in range(0, TRIED, BATCH):
        seeds = [(first + start + k) % 2**32 for k in range(BATCH)]
        mazes = [generated({**sent, "seed": seed}, [0])[0] for seed in seeds]
        valid = [
            [score_path(maze, said).valid for maze, said in zip(mazes, players.answer(name, mazes))] for name in names
        ]
        for k, outcomes in enumerate(zip(*valid)):
            if len(set(outcomes)) > 1:
                return {"maze": str(mazes[k]), **said_of({**sent, "seed": seeds[k]})}
    raise UsageError(f"on {TRIED} mazes of this kind, from seed {first} on, all of them arrive or none does")
