"""One answer against one maze -> PathScore. The only scorer: metric, rewards and evaluation all call `score_path`.

Pure Python, no dependency beyond `maze.py`. It never raises on what a model wrote, whatever that is; it does raise on
a bad maze, which is the caller's mistake.
"""

import re
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import accumulate, pairwise

from .maze import GOAL, MOVES, START, WALL, Maze

ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"
# Letters and arrows may stand together or be separated by blanks and commas; anything else is not an answer.
_LETTERS = str.maketrans("↑↓←→", "UDLR", " \n\r\t,")
_WORDS = {"up": "U", "down": "D", "left": "L", "right": "R"} | {
    "cima": "U",
    "baixo": "D",
    "esquerda": "L",
    "direita": "R",
}
_COORDINATE = re.compile(r"\( ?([0-9]{1,6}), ?([0-9]{1,6}) ?\)")
_STEPS = {step: move for move, step in MOVES.items()}


@dataclass(frozen=True, slots=True)
class PathScore:
    """How good an answer is. Rates are 0-1; counts are of moves.

    Attributes:
        parsed: the answer is a sequence of at least one move and nothing else.
        legal: parsed, and every step stays inside and on open ground.
        reaches_goal: the walk ends on G. A blocked move leaves the walker where it is, so an illegal walk may also
            arrive.
        valid: legal and reaches_goal.
        optimal: valid and as short as a path can be.
        excess_moves: moves beyond the shortest path; None unless valid.
        legal_prefix: share of the moves before the first illegal one.
        progress: share of the shortest distance from S to G closed where the legal prefix ends; never below 0.
        wall_hits: moves against a wall or over the edge.
        revisits: steps onto a position where the walk has been before.
    """

    parsed: bool
    legal: bool
    reaches_goal: bool
    valid: bool
    optimal: bool
    excess_moves: int | None
    legal_prefix: float
    progress: float
    wall_hits: int
    revisits: int

    def to_dict(self) -> dict[str, bool | int | float | None]:
        """The fields by name, as they stand in predictions.parquet."""
        return {name: getattr(self, name) for name in FIELDS}


FIELDS = tuple(field.name for field in fields(PathScore))
# All answers that are no path, and all shortest paths, score alike.
UNPARSED = PathScore(False, False, False, False, False, None, 0.0, 0.0, 0, 0)
OPTIMAL = PathScore(True, True, True, True, True, 0, 1.0, 1.0, 0, 0)


def extract_answer(completion: str) -> str:
    """What counts of a longer completion: the inside of its last `<answer>...</answer>`, else the whole text."""
    start = completion.rfind(ANSWER_OPEN, 0, max(completion.rfind(ANSWER_CLOSE), 0))
    if start < 0:
        return completion
    start += len(ANSWER_OPEN)
    return completion[start : completion.index(ANSWER_CLOSE, start)]


def parse_moves(completion: str, start: tuple[int, int] | None = None) -> str | None:
    """The moves of a completion as letters without spaces, or None where it holds anything else, or no move.

    Letters, arrows, words (English or Portuguese, in any case) and coordinates are understood; see
    `prompts.ANSWER_STYLES`.

    Args:
        start: where coordinates have to begin, (row, column); anywhere without it.
    """
    answer = extract_answer(completion)
    letters = answer.translate(_LETTERS)
    if not letters:
        return None
    if not letters.strip("UDLR"):
        return letters
    words = answer.replace(",", " ").casefold().split()
    if words and all(word in _WORDS for word in words):
        return "".join(_WORDS[word] for word in words)
    return _moves_of_coordinates(answer, start)


def _moves_of_coordinates(answer: str, start: tuple[int, int] | None) -> str | None:
    if _COORDINATE.sub("", answer).strip(" \n\r\t,"):
        return None
    places = [(int(row), int(column)) for row, column in _COORDINATE.findall(answer)]
    if start not in (None, places[0]):
        return None
    steps = [(there[0] - here[0], there[1] - here[1]) for here, there in pairwise(places)]
    if not steps or any(step not in _STEPS for step in steps):
        return None
    return "".join(_STEPS[step] for step in steps)


def score_path(maze: Maze | str, completion: str) -> PathScore:
    """Score a model's completion, or a plain `R R D D`, against a maze.

    Args:
        maze: a `Maze`, or the text of one.
        completion: what the model wrote; anything that is not text counts as unparsed.

    Raises:
        MazeError: `maze` is text that is not a maze.
    """
    if isinstance(maze, str):
        maze = read_maze(maze)
    elif not isinstance(maze, Maze):
        maze = Maze.from_ascii(maze)
    moves = parse_moves(completion, maze.start) if isinstance(completion, str) else None
    return UNPARSED if moves is None else score_moves(maze, moves)


# A model answers the same maze several times: samples, generations of GRPO, each model of a comparison.
read_maze = lru_cache(maxsize=1024)(Maze.from_ascii)


def score_moves(maze: Maze, moves: str) -> PathScore:
    """Score a walk given in letters without spaces (at least one).

    A walk through a map without a way to G has progress 0 and can be legal, but never valid.
    """
    ground, width = maze.ground, len(maze.rows[0]) + 1
    steps = {"U": -width, "D": width, "L": -1, "R": 1}
    trail = list(accumulate(map(steps.__getitem__, moves), initial=ground.index(START)))
    wall_hits, last_legal = 0, len(moves)
    if WALL in map(ground.__getitem__, trail):  # ends at the first wall, so it never leaves the string
        trail, wall_hits, last_legal = _walk_on_after_walls(ground, steps, moves)
    legal, reaches_goal = not wall_hits, ground[trail[-1]] == GOAL
    valid = legal and reaches_goal
    shortest = maze.shortest
    if valid and len(moves) == shortest:
        return OPTIMAL
    left = 0 if valid else maze.moves_to_goal(trail[last_legal])
    return PathScore(
        parsed=True,
        legal=legal,
        reaches_goal=reaches_goal,
        valid=valid,
        optimal=False,
        excess_moves=len(moves) - shortest if valid and shortest is not None else None,
        legal_prefix=last_legal / len(moves),
        progress=0.0 if shortest is None or left is None else max(0.0, 1 - left / shortest),
        wall_hits=wall_hits,
        revisits=len(trail) - len(set(trail)),
    )


def _walk_on_after_walls(ground: str, steps: dict[str, int], moves: str) -> tuple[list[int], int, int]:
    """Places in the order in which they are stood on, moves against walls, and how many moves come before the first.

    A blocked move leaves the walker where it is.
    """
    trail, wall_hits, last_legal = [ground.index(START)], 0, len(moves)
    for move in moves:
        there = trail[-1] + steps[move]
        if ground[there] != WALL:
            trail.append(there)
            continue
        if not wall_hits:
            last_legal = len(trail) - 1
        wall_hits += 1
    return trail, wall_hits, last_legal
