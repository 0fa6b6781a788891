"""One answer against one maze -> PathScore. The only scorer: metric, rewards and evaluation all call `score_path`.

Pure Python, no dependency beyond `maze.py`. It never raises on what a model wrote, whatever that is; it does raise on
a bad maze, which is the caller's mistake.
"""

import re
from dataclasses import asdict, dataclass
from itertools import pairwise

from .maze import MOVES, Maze

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
        return asdict(self)


UNPARSED = PathScore(False, False, False, False, False, None, 0.0, 0.0, 0, 0)


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
    if all(word in _WORDS for word in words):
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
    maze = maze if isinstance(maze, Maze) else Maze.from_ascii(maze)
    moves = parse_moves(completion, maze.start) if isinstance(completion, str) else None
    return UNPARSED if moves is None else score_moves(maze, moves)


def score_moves(maze: Maze, moves: str) -> PathScore:
    """Score a walk given in letters without spaces (at least one).

    A walk through a map without a way to G has progress 0 and can be legal, but never valid.
    """
    here, visited = maze.start, {maze.start}
    wall_hits = revisits = 0
    first_illegal, last_legal = len(moves), None
    for index, move in enumerate(moves):
        down, right = MOVES[move]
        there = here[0] + down, here[1] + right
        if not maze.is_open(*there):
            if not wall_hits:
                first_illegal, last_legal = index, here
            wall_hits += 1
            continue
        here = there
        revisits += there in visited
        visited.add(there)
    shortest = maze.distances.get(maze.start)
    left = maze.distances.get(last_legal or here)
    legal, reaches_goal = not wall_hits, here == maze.goal
    valid = legal and reaches_goal
    return PathScore(
        parsed=True,
        legal=legal,
        reaches_goal=reaches_goal,
        valid=valid,
        optimal=valid and len(moves) == shortest,
        excess_moves=len(moves) - shortest if valid else None,
        legal_prefix=first_illegal / len(moves),
        progress=0.0 if left is None else max(0.0, 1 - left / shortest),
        wall_hits=wall_hits,
        revisits=revisits,
    )
