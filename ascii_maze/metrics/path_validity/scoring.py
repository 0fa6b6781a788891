"""Scores an answer against a maze. This is the only scorer: metric, rewards and evaluation all call `score_path`.

Pure Python, no dependency beyond `maze.py`. It never raises on a completion of any content; it does raise on a bad
maze, which is the caller's mistake.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import accumulate, pairwise

from .maze import GOAL, LARGE, MOVES, START, WALL, Maze, MazeError

# The tags that models put around a thought; the last are channels of GPT-OSS, Gemma 4 and Muse, which write more than
# the end of the thought before the answer. Of two pairs with the same opening tag the longer one comes first. Words
# may be in another case, then opening only at the beginning: in `R R <Thought>: ...` it is a label.
THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|thinking|>", "<|/thinking|>"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<unused94>thought", "<unused95>"),
    ("◁think▷", "◁/think▷"),
    ("[THINK]", "[/THINK]"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("<|channel>thought", "<channel|>"),
    (" to=self<|message|>", "<|eom|><|start|>assistant to=user<|message|>"),
    (" to=self<|message|>", " to=user<|message|>"),
)
_OPENS, _CLOSES = (rf"(?i:<{slash}(?:think|thinking|reasoning|thoughts?)>)" for slash in ("", "/"))
THOUGHT_OPENS = re.compile("|".join([*(re.escape(opened) for opened, _ in THOUGHTS), rf"\A\s*{_OPENS}"]))
THOUGHT_CLOSES = re.compile("|".join([*(re.escape(closed) for _, closed in THOUGHTS), _CLOSES]))
ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"
# Letters or arrows may be adjacent or separated by whitespace and commas; anything else is not an answer.
_SEPARATORS = " \n\r\t,"
_LETTERS = str.maketrans("", "", _SEPARATORS)
_ARROWS = str.maketrans("↑↓←→", "UDLR")
_ARROWS_BETWEEN_LETTERS = re.compile("[UDLR](?:→[UDLR])+")
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
        parsed: the answer is a sequence of one or more moves and nothing else.
        legal: parsed, and every step stays on open ground inside the map.
        reaches_goal: the walk ends on G. A blocked move leaves the walker where it is, so an illegal walk may also
            arrive.
        valid: legal and reaches_goal.
        optimal: valid and of minimal length.
        excess_moves: moves beyond the shortest path; None unless valid.
        legal_prefix: share of the moves before the first illegal one.
        progress: share of the shortest distance from S to G covered at the end of the legal prefix; at least 0.
        wall_hits: moves against a wall or over the edge.
        revisits: steps onto a position that was visited before.
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
        """The fields by name, as in predictions.parquet."""
        return {name: getattr(self, name) for name in FIELDS}


FIELDS = tuple(field.name for field in fields(PathScore))
# All answers that are not paths, and all shortest paths, score alike.
UNPARSED = PathScore(False, False, False, False, False, None, 0.0, 0.0, 0, 0)
OPTIMAL = PathScore(True, True, True, True, True, 0, 1.0, 1.0, 0, 0)


def completion_text(completion: object) -> str | None:
    """The text of a completion in any form that datasets and trainers use; None if there is none.

    The forms are: text; a chat message, whose `content` counts (text, or a list of parts, whose `text` counts); a
    conversation, whose last message counts if it is the assistant's; and a list of one text. NumPy arrays are
    read as lists. A message's `reasoning_content` is a thought and does not count.
    """
    if isinstance(completion, str):
        return completion
    if isinstance(completion, Mapping):
        if completion.get("role", "assistant") != "assistant":
            return None
        content = completion.get("content")
        parts = _as_list(content)
        if parts and all(isinstance(part, Mapping) for part in parts):
            texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
            return "".join(texts) if texts else None
        return content if isinstance(content, str) else None
    items = _as_list(completion)
    if items and (len(items) == 1 or isinstance(items[-1], Mapping)):
        return completion_text(items[-1]) if isinstance(items[-1], (str, Mapping)) else None
    return None


def _as_list(value: object) -> list | tuple:
    """A list, tuple or array as a sequence; an empty list for anything else."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return value if isinstance(value, (list, tuple)) else []


def after_thought(completion: str) -> str | None:
    """The text after the last closed thought; None if a thought is still open at the end.

    If the prompt opens the thought, as some chat templates do, the caller prepends its tag to the completion; see
    `opened_thought`.
    """
    if "<" not in completion and "[" not in completion and "◁" not in completion:
        return completion
    last = 0
    for closed in THOUGHT_CLOSES.finditer(completion):
        last = closed.end()
    completion = completion[last:]
    return None if THOUGHT_OPENS.search(completion) else completion


def opened_thought(prompt: str) -> str:
    """The opening tag of a thought with which a rendered prompt ends, which the completion then continues; or ""."""
    text = prompt.rstrip()
    found = re.search(rf"{_OPENS}\Z", text[-12:])
    return found[0].lower() if found else next((opened for opened, _ in THOUGHTS if text.endswith(opened)), "")


def extract_answer(completion: str) -> str:
    """The part of a completion that counts: of what follows the last thought, the inside of the last
    `<answer>...</answer>`, or all of it without one; nothing while a thought is open.
    """
    text = after_thought(completion) or ""
    start = text.rfind(ANSWER_OPEN, 0, max(text.rfind(ANSWER_CLOSE), 0))
    if start < 0:
        return text
    start += len(ANSWER_OPEN)
    return text[start : text.index(ANSWER_CLOSE, start)]


def parse_moves(completion: object, start: tuple[int, int] | None = None) -> str | None:
    """The moves of a completion as letters without spaces; None if it holds anything else, or no move.

    Letters, arrows, words (English or Portuguese, in any case) and coordinates are understood; see
    `prompts.ANSWER_STYLES`. Between letters an arrow is a separator (`R → D`); any other mixture is not a path.

    Args:
        completion: what the model wrote, in any form that `completion_text` takes.
        start: (row, column) where coordinates have to begin; None allows any.
    """
    text = completion if isinstance(completion, str) else completion_text(completion)
    if not text:
        return None
    letters = text.translate(_LETTERS)
    if letters and not letters.strip("UDLR"):
        return letters
    return moves_of_answer(extract_answer(text), start)


def moves_of_answer(answer: str, start: tuple[int, int] | None) -> str | None:
    """`parse_moves` for text that is the answer alone."""
    letters = answer.translate(_LETTERS)
    if not letters:
        return None
    if not letters.strip("UDLR"):
        return letters
    if not letters.strip("↑↓←→"):
        return letters.translate(_ARROWS)
    if _ARROWS_BETWEEN_LETTERS.fullmatch(letters):
        return letters.replace("→", "")
    words = answer.replace(",", " ").casefold().split()
    if words and all(word in _WORDS for word in words):
        return "".join(_WORDS[word] for word in words)
    return _moves_of_coordinates(answer, start)


def _moves_of_coordinates(answer: str, start: tuple[int, int] | None) -> str | None:
    if _COORDINATE.sub("", answer).strip(" \n\r\t,"):
        return None
    return moves_between([(int(row), int(column)) for row, column in _COORDINATE.findall(answer)], start)


def moves_between(places: list[tuple[int, int]], start: tuple[int, int] | None) -> str | None:
    """The moves between places (row, column); None if two are not adjacent, or the first is not `start`."""
    if start not in (None, places[0]):
        return None
    steps = [(there[0] - here[0], there[1] - here[1]) for here, there in pairwise(places)]
    if not steps or any(step not in _STEPS for step in steps):
        return None
    return "".join(_STEPS[step] for step in steps)


def score_path(maze: Maze | str, completion: object) -> PathScore:
    """Score a model's completion, or a plain `R R D D`, against a maze.

    Args:
        maze: a `Maze`, or the text of one; see `read_maze`.
        completion: what the model wrote, as text or as chat messages; see `completion_text`. Anything else counts as
            unparsed.

    Raises:
        MazeError: `maze` is text that is not a maze.
    """
    if isinstance(maze, str):
        maze = read_maze(maze)
    elif not isinstance(maze, Maze):
        maze = Maze.from_text(maze)
    moves = parse_moves(completion, maze.start)
    return UNPARSED if moves is None else score_moves(maze, moves)


def read_maze(text: str) -> Maze:
    """The maze of a text in any style, cached; of large mazes only the last few. A plain map is read as such, even
    if it could also be another style.

    The cache helps because the same maze is scored several times: samples, GRPO's generations, models compared.
    """
    return (_read if len(text) <= LARGE else _read_large)(text)


def _parse(text: str) -> Maze:
    try:
        return Maze.from_ascii(text)
    except MazeError:
        return Maze.from_text(text)


_read = lru_cache(maxsize=1024)(_parse)
_read_large = lru_cache(maxsize=16)(_parse)


def score_moves(maze: Maze, moves: str) -> PathScore:
    """Score a walk given as one or more letters without spaces.

    If the map has no path to G, progress is 0, and a walk can be legal but not valid.
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
    """The places visited in order, the number of moves against walls, and how many moves precede the first of them.

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
