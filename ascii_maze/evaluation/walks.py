"""Drawings of step-by-step rollouts: the path taken, the walls that were hit, and the part that was never observed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..environment.env import MazeEnv
from ..environment.episode import GOAL_REACHED, OUT_OF_MOVES, OUT_OF_TURNS, Episode
from ..mazes.failures import LOOPS, failure_of
from ..mazes.prompts import format_answer
from ..metrics.path_validity.maze import MOVES, Maze
from ..metrics.path_validity.scoring import parse_moves, read_maze
from ..metrics.path_validity.svg import to_svg

Place = tuple[int, int]
# Columns of step-by-step walks; evaluations of earlier versions lack them.
STEP_COLUMNS = ("observation", "ended", "moves", "turns", "spl", "optimal", "reaches_goal", "wall_hits", "talk")


def is_walk(row: Mapping[str, Any]) -> bool:
    """Whether a row of predictions.parquet is a step-by-step walk with all of its columns."""
    return all(row.get(name) is not None for name in STEP_COLUMNS)


def without_bumps(maze: Maze, moves: str) -> tuple[str, list[Place]]:
    """The legal moves, in order, and the walls that the others hit, as (row, column).

    Args:
        moves: as letters without spaces.
    """
    made, walls, (row, column) = [], [], maze.start
    for move in moves:
        there = row + MOVES[move][0], column + MOVES[move][1]
        if maze.is_open(*there):
            made.append(move)
            row, column = there
        else:
            walls.append(there)
    return "".join(made), walls


def failure_of_walk(maze: Maze, episode: Episode) -> str | None:
    """Why a walk, in which moves against walls are allowed, is not optimal, of `FAILURES`; None if it is."""
    if episode.score.optimal:
        return None
    if episode.ended == GOAL_REACHED:
        return LOOPS
    failure = failure_of(maze, format_answer(without_bumps(maze, episode.moves)[0]))
    return failure.kind if failure else None


def seen_in(maze: Maze, observation: str, turns: Sequence[str], max_moves: int | None = None) -> set[Place]:
    """The places (row, column) of a maze that were observed or visited during these turns.

    Args:
        observation: the name of one.
        turns: what the walker wrote.
        max_moves: as for `MazeEnv`.
    """
    env = MazeEnv(maze, observation, max_moves)
    rows, columns = maze.shape
    if env.observation.kind == "full":
        return {(row, column) for row in range(rows) for column in range(columns)}
    seen = _in_sight(env, [env.place])
    for turn in turns:
        seen |= _in_sight(env, env.places_of(turn))
    return {(row, column) for row, column in seen if 0 <= row < rows and 0 <= column < columns}


def _in_sight(env: MazeEnv, places: Sequence[Place]) -> set[Place]:
    """The places visited, and those observed in a turn that visited these; the last turn of an episode shows none."""
    kind, radius = env.observation.kind, env.observation.radius
    seen = set(places)
    if env.ended:
        return seen
    if kind == "local":
        return seen | {(row + down, column + right) for row, column in places for down, right in MOVES.values()}
    if kind == "window":
        row, column = places[-1]
        reach = range(-radius, radius + 1)
        seen |= {(row + down, column + right) for down in reach for right in reach}
    return seen


def walk_svg(row: Mapping[str, Any], scale: int = 12) -> str:
    """A step-by-step walk as a self-contained SVG in the style of `to_svg`; the unobserved part is veiled.

    Args:
        row: of predictions.parquet, with `observation`.
    """
    maze = read_maze(row["maze"])
    made, walls = without_bumps(maze, parse_moves(row["completion"]) or "")
    turns = [content for role, content in json.loads(row["talk"]) if role == "assistant"]
    # The row does not hold the limit of moves and turns, but either it was reached or a larger one ends the same way.
    reached = {OUT_OF_MOVES: row["moves"], OUT_OF_TURNS: row["turns"]}
    most = reached.get(row["ended"], max(row["moves"], row["turns"]) + 1)
    seen, (rows, columns) = seen_in(maze, row["observation"], turns, most), maze.shape
    unseen = "".join(
        f"M{column * scale} {line * scale}h{scale}v{scale}h-{scale}z"
        for line in range(rows)
        for column in range(columns)
        if (line, column) not in seen
    )
    arm = scale - 4
    crosses = "".join(
        f"M{column * scale + 2} {line * scale + 2}l{arm} {arm}m0 -{arm}l-{arm} {arm}"
        for line, column in sorted(set(walls))
    )
    veil = f'<path class="unseen" fill="#808890" fill-opacity="0.55" d="{unseen}"/>' if unseen else ""
    bumps = f'<path class="crash" fill="none" stroke-width="2" d="{crosses}"/>' if crosses else ""
    return f"{to_svg(maze, made, scale).removesuffix('</svg>')}{veil}{bumps}</svg>"


def step_verdict(row: Mapping[str, Any]) -> str:
    """The outcome of a walk step by step, in a few words.

    Args:
        row: of predictions.parquet, with `ended`.
    """
    turns = f"{row['turns']} turn{'s' * (row['turns'] != 1)}"
    if row["ended"] != GOAL_REACHED:
        return f"{row['ended']} after {turns}, {row['moves']} moves"
    way = "a shortest path" if row["optimal"] else f"{100 * row['spl']:.0f} % of the way was needed"
    bumps = f", {row['wall_hits']} against walls" if row["wall_hits"] else ""
    return f"arrives in {turns}, {row['moves']} moves{bumps}; {way}"
