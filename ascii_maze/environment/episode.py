"""The outcome of a step-by-step rollout. Its score is that of `score_path` on its moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..mazes.terms import Terms
from ..metrics.path_validity.maze import MOVES, START, WALL, Maze
from ..metrics.path_validity.scoring import UNPARSED, PathScore, score_moves

# The ways in which an episode ends.
GOAL_REACHED, STOPPED, OUT_OF_MOVES, OUT_OF_TURNS = "goal", "stopped", "out of moves", "out of turns"
ERRORS = "errors"
ENDS = (GOAL_REACHED, STOPPED, OUT_OF_MOVES, OUT_OF_TURNS, ERRORS)


@dataclass(frozen=True, slots=True)
class Episode:
    """The outcome of a walk.

    Attributes:
        moves: the moves made, including those against a wall, as letters without spaces.
        ended: how it ended, one of `ENDS`; None while it is running.
        turns: number of turns: moves, looks and errors.
        looks: turns that only asked for the observation.
        errors: invalid turns, which changed nothing.
        score: `score_path` of the moves; `score.wall_hits` are the bumps. If bumps are allowed, it
            arrives if `score.reaches_goal`.
        loops: moves repeated from the same place: none for an explorer that only backtracks, many for a walker that
            circles or hits the same wall repeatedly.
        spl: success weighted by path length: the length of a shortest path over that of the walk, 0 if it does not
            arrive (Anderson et al., arXiv:1807.06757). A move against a wall adds no length.
        terms: of the reward.
    """

    moves: str
    ended: str | None
    turns: int
    looks: int
    errors: int
    score: PathScore
    loops: int
    spl: float
    terms: Terms

    @property
    def reward(self) -> float:
        """The verifiable reward, 0 to 1.9: as from `training.rewards` for the same path as one answer."""
        return self.terms.total()

    def to_dict(self) -> dict[str, Any]:
        """The reward, the counts and the fields of the score by name, as other frameworks log them."""
        counts = {name: getattr(self, name) for name in ("moves", "ended", "turns", "looks", "errors", "loops", "spl")}
        return {"reward": self.reward, **counts, **self.score.to_dict()}


def episode_of(maze: Maze, moves: str, ended: str | None, turns: int, looks: int, errors: int) -> Episode:
    """Score a walk.

    Args:
        moves: as letters without spaces; may be empty.
    """
    score = score_moves(maze, moves) if moves else UNPARSED
    trail, loops = retrace(maze, moves)
    walked, shortest = len(moves) - score.wall_hits, maze.shortest or 0
    return Episode(
        moves=moves,
        ended=ended,
        turns=turns,
        looks=looks,
        errors=errors,
        score=score,
        loops=loops,
        spl=shortest / walked if score.reaches_goal else 0.0,
        terms=_terms(maze, moves, score, trail[-1], errors),
    )


def retrace(maze: Maze, moves: Sequence[str]) -> tuple[list[int], int]:
    """Replay a walk.

    Returns:
        The places in `Maze.ground` that the walk visited, in order, and the number of moves repeated from the same
        place.
    """
    ground, width = maze.ground, len(maze.rows[0]) + 1
    steps = {move: down * width + right for move, (down, right) in MOVES.items()}
    trail, made = [ground.index(START)], set()
    for move in moves:
        made.add((trail[-1], move))
        there = trail[-1] + steps[move]
        if ground[there] != WALL:
            trail.append(there)
    return trail, len(moves) - len(made)


def _terms(maze: Maze, moves: str, score: PathScore, last: int, errors: int) -> Terms:
    """The terms of the reward. Moves against a wall count as moves, and do not keep a walk from arriving."""
    left, shortest = maze.moves_to_goal(last), maze.shortest
    if not moves or not shortest or left is None:
        return Terms()
    closed = max(0, shortest - left)
    progress = closed / shortest * closed / len(moves)
    if not score.reaches_goal:
        return Terms(progress=progress)
    return Terms(1.0, shortest / len(moves), float(not errors), progress)
