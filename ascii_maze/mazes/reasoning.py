"""Thoughts before the answer: the styles by name, the thought for a maze, and a check of its statements.

`none` answers at once. The others write `<think>...</think>` with a thought as `thoughts.py` describes it, then the
path in `<answer>...</answer>`. `corrupt` writes the depth-first search of another maze, and then the right
answer: the control of Stechly et al. (arXiv:2505.13775), whose models did about as well on such thoughts.

The checker takes a thought line by line and checks whether each statement is true of the maze; it does not
follow the search, so statements in any order are checked in the same way.
"""

import re
from types import MappingProxyType
from typing import NamedTuple

from ..metrics.path_validity.maze import MOVES, Maze
from ..metrics.path_validity.scoring import (
    ANSWER_CLOSE,
    ANSWER_OPEN,
    THOUGHT_CLOSES,
    THOUGHT_OPENS,
    THOUGHTS,
    completion_text,
)

REASONING = MappingProxyType(
    {
        "none": "answers at once",
        "steps": "says before each move where it stands and what is open",
        "search_dfs": "searches depth first, with its dead ends, before it answers",
        "search_bfs": "searches breadth first before it answers",
        "corrupt": "writes down the search of another maze, and then the right answer",
    }
)
THINK_OPEN, THINK_CLOSE = THOUGHTS[0]
# The text between thought and path, and after the path.
BEFORE_PATH, AFTER_PATH = f"\n{THINK_CLOSE}\n{ANSWER_OPEN}", ANSWER_CLOSE
BEFORE_THOUGHT = f"{THINK_OPEN}\n"

_PLACE = r"([0-9]{1,4}),([0-9]{1,4})"
_SIDES = r"(-|[UDLR]{1,4})"
_HERE = re.compile(rf"{_PLACE} (?:([SG])|{_SIDES}(?: ([UDLR]))?)")
_STRETCH = re.compile(rf"{_PLACE}((?: [UDLR])+) {_PLACE} (?:([G*])|{_SIDES})")
_RING = re.compile(rf"[UDLR]{_PLACE}(?: [UDLR]{_PLACE})*")
_REACHED = re.compile(rf"([UDLR]){_PLACE}")

Place = tuple[int, int]


class Thought(NamedTuple):
    """The content of a thought.

    Attributes:
        length: characters.
        statements: number of statements about the maze in the form of `thoughts.py`.
        true: number of these that are true.
    """

    length: int
    statements: int
    true: int

    @property
    def share(self) -> float | None:
        """Share of the statements that are true, 0-1; None if there are no statements."""
        return self.true / self.statements if self.statements else None


def wrap(thought: str, path: str) -> str:
    """A thought and the text of a path as one answer."""
    return f"{BEFORE_THOUGHT}{thought}{BEFORE_PATH}{path}{AFTER_PATH}"


def thought_of(completion: object) -> str | None:
    """The thought of a completion: all text up to the last closing tag, or to the end if a thought is left open; None
    if that is empty.

    Args:
        completion: in any form that the scorer takes.
    """
    text = completion_text(completion) or ""
    closed = [tag.start() for tag in THOUGHT_CLOSES.finditer(text)]
    text = text[: closed[-1]] if closed else text
    opened = THOUGHT_OPENS.search(text)
    # The opening tag may be in the prompt.
    thought = text[opened.end() :] if opened else text if closed else ""
    return thought.strip() or None


def think(maze: Maze, reasoning: str, stops: bool = True) -> str:
    """The thought in a style of `REASONING` except `none`; for `corrupt`, pass a maze other than that of the prompt.

    Args:
        stops: whether a search stops at the goal; else it visits every place.
    """
    import numpy as np

    from . import thoughts

    kinds = {"steps": thoughts.STEPS, "search_bfs": thoughts.BREADTH_FIRST}
    rows, columns = maze.shape
    open_ = np.zeros((1, rows + 2, columns + 2), np.uint8)  # walls all around
    open_[0, 1:-1, 1:-1] = [[symbol != "#" for symbol in line] for line in maze.rows]
    ends = np.array([[(row + 1) * (columns + 2) + column + 1 for row, column in (maze.start, maze.goal)]], np.int32)
    path = np.frombuffer((maze.solve() or "").encode(), np.uint8)
    offsets = np.array([0, len(path)])
    kind = kinds.get(reasoning, thoughts.DEPTH_FIRST)
    return thoughts.think(kind, open_, ends, path, offsets, 1, stops)[0].tobytes().decode()


def longest_thought(maze: Maze, reasoning: str) -> str:
    """The longest thought in a style that a maze may need: a search, or steps, through every place."""
    end = f"{maze.shape[0] - 1},{maze.shape[1] - 1}"
    if reasoning == "steps":
        places = sum(symbol != "#" for line in maze.rows for symbol in line)
        return f"{end} UDLR R\n" * places
    return f"{think(maze, reasoning, stops=False)}\n{end} G"


def check_thought(maze: Maze, completion: object) -> Thought | None:
    """The thought of a completion, checked against its maze; None if it has none."""
    thought = thought_of(completion)
    if thought is None:
        return None
    verdicts: list[bool] = []
    lines = thought.split("\n")
    named: set[Place] = set()  # places visited by the thought so far
    ring: set[Place] = set()
    for line, following in zip(lines, [*lines[1:], ""]):
        if found := _HERE.fullmatch(line):
            here = int(found[1]), int(found[2])
            named.add(here)
            ring = {here}
            verdicts.append(_is_end(maze, here, found[3]) if found[3] else _has_sides(maze, here, found[4]))
            if found[5]:
                verdicts.append(_leads(maze, here, found[5], _first_place(following)))
        elif found := _STRETCH.fullmatch(line):
            here, there = (int(found[1]), int(found[2])), (int(found[4]), int(found[5]))
            moves = found[3].replace(" ", "")
            verdicts.append(_leads(maze, here, moves, there))
            if found[6] == "*":
                verdicts.append(there in named)
            else:
                verdicts.append(_is_end(maze, there, "G") if found[6] else _has_sides(maze, there, found[7]))
            named |= set(_walk(here, moves))
        elif _RING.fullmatch(line):
            reached = [(move, (int(row), int(column))) for move, row, column in _REACHED.findall(line)]
            verdicts += [_is_next(maze, ring, move, place) for move, place in reached]
            ring = {place for _, place in reached}
    return Thought(len(thought), len(verdicts), sum(verdicts))


def _is_end(maze: Maze, place: Place, letter: str) -> bool:
    return place == (maze.start if letter == "S" else maze.goal)


def _has_sides(maze: Maze, place: Place, sides: str) -> bool:
    """Whether a place is open ground with exactly these sides open."""
    found = {move for move, _ in maze.neighbours(*place)}
    return maze.is_open(*place) and (set() if sides == "-" else set(sides)) == found


def _walk(here: Place, moves: str) -> list[Place]:
    """The places of a walk, including its start, ignoring walls."""
    places = [here]
    for move in moves:
        places.append((places[-1][0] + MOVES[move][0], places[-1][1] + MOVES[move][1]))
    return places


def _leads(maze: Maze, here: Place, moves: str, there: Place | None) -> bool:
    """Whether moves lead over open ground from one place to another; to any place for None."""
    places = _walk(here, moves)
    return all(maze.is_open(*place) for place in places) and there in (None, places[-1])


def _is_next(maze: Maze, ring: set[Place], move: str, place: Place) -> bool:
    """Whether a place is open and the move leads to it from one of a ring."""
    before = place[0] - MOVES[move][0], place[1] - MOVES[move][1]
    return maze.is_open(*place) and before in ring


def _first_place(line: str) -> Place | None:
    found = re.match(_PLACE, line)
    return (int(found[1]), int(found[2])) if found else None
