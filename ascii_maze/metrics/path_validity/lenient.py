r"""The lenient reading: finds the path in a longer text, in the forms that people and models use.

The strict reading asks whether a model answered in the required format; the lenient one, whether its text contains a
path, so that a wrong format can be told from a lack of skill. It agrees with `parse_moves` wherever that finds a path.
It never guesses: text that mentions directions without giving a path has none, and of two paths the last one counts.

A text is first reduced to the part that counts: the text after the last thought, in it the last `<answer>` or
`\boxed{}`, and only the first turn. Then it is read line by line. Moves of one kind with nothing but separators
between them are a run; lines that are nothing but a run belong together, as do the items of a numbered list. The
context of a run decides: alone on its lines, after a label ("Answer:") or in marks (bold, code, quotes) it is a path,
and in the middle of a sentence only if it can hardly be anything else. Moves that are negated, tried, an example or
retracted are not a path.

It does not read languages other than English and Portuguese, or turns relative to a heading.
"""

import re
from typing import NamedTuple

from .maze import Maze
from .runs import MOST, Line, Run, alike, lines_of, merged, numbered, words_around
from .scoring import (
    PathScore,
    after_thought,
    completion_text,
    moves_between,
    moves_of_answer,
    parse_moves,
    read_maze,
    score_moves,
)
from .wording import (
    ANSWER_TAG,
    ARROWS,
    BEFORE_ARROW,
    CLAUSE,
    COMPASS,
    COMPASS_LETTERS,
    COMPASS_MOVES,
    DIRECTIONS,
    ECHO,
    ELSEWHERE,
    ENDPOINT,
    FROM_START,
    GOING,
    HINDERED,
    LABEL,
    LATEX,
    LATEX_ARROWS,
    LISTED,
    LONG_ARROW,
    MARKS,
    MARKS_AS_BLANKS,
    MOVES_IN_LETTERS,
    NEEDED,
    NEXT_TURN,
    NO_ANSWER,
    NO_PATH,
    NO_WAY,
    NUMPY,
    OTHER_ARROWS,
    OTHER_MOVE,
    PAIRS,
    RETRACTED,
    SENTENCE_END,
    SHORT_LABEL,
    SPECIAL,
    STRUCK,
    TAKEN_BACK,
    TRIMMED,
    WORD,
)

NEAR = 300  # characters of context around a run


class Lenient(NamedTuple):
    """The lenient counterparts of `parsed` and `valid` of `PathScore`."""

    parsed_lenient: bool
    valid_lenient: bool


def score_lenient(maze: Maze | str, completion: object, strict: PathScore | None = None) -> Lenient:
    """Whether a completion has a path in the lenient reading, and whether it is valid.

    Args:
        maze: a `Maze`, or the text of one.
        completion: what the model wrote, in any form that `completion_text` takes.
        strict: its score in the strict reading, if known; an answer parsed there is not parsed again.

    Raises:
        MazeError: `maze` is text that is not a maze.
    """
    if strict is not None and strict.parsed:
        return Lenient(True, strict.valid)
    maze = read_maze(maze) if isinstance(maze, str) else maze
    moves = parse_lenient(completion, maze.start)
    return Lenient(moves is not None, moves is not None and score_moves(maze, moves).valid)


def parse_lenient(completion: object, start: tuple[int, int] | None = None) -> str | None:
    """The moves of a completion as letters without spaces, with any text around them; None if it gives no path.

    Args:
        completion: what the model wrote, in any form that `completion_text` takes.
        start: (row, column) at which coordinates must begin; None allows any.
    """
    strict = parse_moves(completion, start)
    if strict is not None:
        return strict
    text = after_thought(completion_text(completion) or "")
    if not text:
        return None
    text, declared = _what_counts(_plain(text))
    moves = parse_moves(text, start) if declared else _marked(text, start)
    return _last_path(text, start) if moves is None else moves


def _marked(text: str, start: tuple[int, int] | None) -> str | None:
    """The moves of a text that is one line of moves, marks and a label: a fast path for most short answers."""
    label = SHORT_LABEL.match(text)
    bare = text[label.end() if label else 0 :].strip(TRIMMED + "\n").translate(MARKS_AS_BLANKS)
    if "\n" in bare or len(bare) < 4 or "..." in text or "…" in text:
        return None
    moves = moves_of_answer(bare, start)
    return moves if moves and len(moves) > 1 and not _names_all(moves) else None


def _plain(text: str) -> str:
    """The text with arrows normalised, and without LaTeX, special tokens and later turns."""
    text = text.replace("\r", "") if text.isascii() else text.translate(ARROWS)
    if "⟶" in text and OTHER_ARROWS.search(text) and not MOVES_IN_LETTERS.search(text):
        text = text.replace("⟶", "→")
    if "→" in text and not OTHER_ARROWS.search(text) and _stands_between(text):
        text = text.replace("→", "⟶")
    if "~~" in text or "</" in text:
        text = STRUCK.sub("\n\n", text)
    text = text.rpartition("assistantfinal")[2]  # the rest of gpt-oss's channels once special tokens are removed
    if "<" in text or "[" in text or "\n" in text:
        turn = NEXT_TURN.search(text, len(text) - len(text.lstrip()) + 1)
        text = SPECIAL.sub("\n", text[: turn.start()] if turn else text)
    if "\\" in text:
        text = LATEX.sub(lambda found: LATEX_ARROWS.get((found[1] or "").lower(), "⟶" if found[2] else " "), text)
    if ">" in text:
        text = LONG_ARROW.sub("⟶", text)
    if "(" in text:
        text = ECHO.sub(_said_once, text)
    if "np." in text:
        text = NUMPY.sub(r"\1", text)
    if "N" in text or "n" in text:
        text = COMPASS_LETTERS.sub(_as_moves, text) if COMPASS.search(text) else text
    return text


def _stands_between(text: str) -> bool:
    """Whether every `→` stands between moves in words or letters, all on one line."""
    lines = [line for line in text.split("\n") if "→" in line]
    first, *others = lines[0].split("→")
    return len(lines) == 1 and BEFORE_ARROW.search(first[-20:]) is not None and all(map(WORD.search, others))


def _said_once(found: re.Match) -> str:
    """`R (right)` and `Right (R)` are one move, written twice."""
    one, two = found.groups()
    return one if DIRECTIONS[one.lower()] == DIRECTIONS[two.lower()] else found[0]


def _as_moves(found: re.Match) -> str:
    return found[0].translate(COMPASS_MOVES)


def _what_counts(text: str) -> tuple[str, bool]:
    r"""The inside of the last `<answer>`, closed or not, or `\boxed{}`, else all; and whether that is only a part."""
    tags = list(ANSWER_TAG.finditer(text)) if "<" in text else []
    opened = [tag for tag in tags if tag[0][1] != "/"]
    if opened:
        closed = next((tag.start() for tag in tags if tag.start() > opened[-1].start()), len(text))
        return text[opened[-1].end() : closed], True
    at = text.rfind("\\boxed{")
    if at < 0:
        return text, False
    depth, first = 0, at + len("\\boxed")
    for place in range(first, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            inside = text[first + 1 : place]
            return (text[:at] + text[place + 1 :], False) if inside.strip(" $").isdigit() else (inside, True)
    return text[first + 1 :], True


def _last_path(text: str, start: tuple[int, int] | None) -> str | None:
    """The last path in a text, unless the text retracts it."""
    lines, number, last = list(lines_of(text)), 0, None
    while number < len(lines):
        block = numbered(lines, number) or alike(lines, number)
        moves = _moves_of_list(block) if len(block) > 1 and block[0].number else None
        if moves:
            last = moves, block[-1].at + len(block[-1].text)
        elif not _is_in_pieces(block):
            together = not block[0].number or all(len(line.runs) == 1 and line.runs[0].places for line in block)
            for line in [merged(block, text)] if together else block:
                for place, run in enumerate(line.runs):
                    near = line.runs[max(0, place - 2) : place + 3]
                    fragment = any(_is_fragment(run, other, line.text) for other in near)
                    moves = None if fragment else _moves_of_run(run, line, start, alone=len(lines) == len(block))
                    last = (moves, line.at + run.end) if moves else last
        number += len(block)
    if last is None or len(last[0]) > MOST:
        return None
    tail = text[last[1] :].lstrip(TRIMMED + "\n")
    denied = RETRACTED.match(tail[:NEAR]) or ELSEWHERE.match(tail[:NEAR]) or NO_WAY.search(tail)
    return None if denied or TAKEN_BACK.match(text, last[1]) else last[0]


def _is_in_pieces(block: list[Line]) -> bool:
    """Whether a numbered list has moves in each item, several in some: a path in pieces, or several to choose from."""
    counted = len(block) > 1 and [line.number for line in block] == list(range(1, len(block) + 1))
    walks = [[run for run in line.runs if not run.places] for line in block]
    return counted and all(len(runs) == 1 for runs in walks) and any(runs[0].atoms > 1 for runs in walks)


def _is_fragment(run: Run, other: Run, text: str) -> bool:
    """Whether the same sentence has other moves of the same kind, so that it is unclear which count."""
    if other is run or other.kind != run.kind or max(other.atoms, other.counted * 2) < 2:
        return False
    first, second = sorted((run, other), key=lambda one: one.start)
    return run.parts != other.parts and not SENTENCE_END.search(text, first.end, second.start)


def _moves_of_list(block: list[Line]) -> str | None:
    """The moves of a list with one move per item, except items that only name the start or the goal."""
    if NO_ANSWER.search(block[0].above):
        return None
    moves = []
    for line in block:
        ways = [run for run in line.runs if run.kind in ("words", "letters")]
        ways = ways or [run for run in line.runs if run.kind == "arrows"]
        if not ways and ENDPOINT.search(line.text):
            continue
        said = {(run.moves, run.atoms) for run in ways}  # "R - move right" is one move, written twice
        if len(said) != 1 or ways[0].atoms != 1 or HINDERED.search(line.text):
            return None
        before = line.text[: ways[0].start].lower()
        if not LISTED.issuperset(re.findall(r"[^\W\d_]+", before)):
            return None
        moves.append(ways[0].moves)
    found = "".join(moves)
    return found if len(moves) > 1 and not _names_all(found) else None


def _names_all(moves: str) -> bool:
    """Whether it only lists the four moves, which leads nowhere as a path."""
    return len(moves) == 4 and len(set(moves)) == 4


def _moves_of_run(run: Run, line: Line, start: tuple[int, int] | None, alone: bool) -> str | None:
    """The moves of a run that is a path, else None.

    Args:
        alone: whether it is the only line.
    """
    moves = moves_between(run.places, start) if run.places else run.moves
    before = line.text[max(0, run.start - NEAR) : run.start]
    after = line.text[run.end : run.end + NEAR]
    if not moves or not run.sure or OTHER_MOVE.match(after) or TAKEN_BACK.match(after):
        return None
    if (moves == "URL" and run.atoms == 1) or (_names_all(moves) and not run.counted):
        return None
    indexes = run.indexes and [*filter(None, [line.number]), *run.indexes]
    if indexes != list(range(1, len(indexes) + 1)) or len(indexes) not in (0, run.atoms):
        return None
    begins, ends, said = not words_around(before), not words_around(after), before
    if begins:  # then the line above may be the label
        said = line.above if not line.gap or line.above.rstrip(MARKS).endswith(":") else ""
    clause = FROM_START.sub(" ", CLAUSE.split(said)[-1])
    if NO_ANSWER.search(clause):
        return None
    # A run in one word may be an ordinary word, so it counts for half of its moves.
    one_word = run.kind in ("lower", "letters") and run.atoms == 1 and not run.counted
    written = len(moves) / 2 if one_word else len(moves)
    whole, label = begins and ends, LABEL.search(clause)
    if run.joined and run.counted < run.atoms:  # "right and then down" does not say how far
        return moves if (whole or label) and len(moves) > 2 else None
    if label:
        enough = written > 1 or (ends and (len(moves) > 1 or clause.rstrip(MARKS)[-1:] in (":", "=")))
    elif whole:
        enough = written > 1 or (alone and run.kind != "lower")
    elif (before.rstrip()[-1:], after.lstrip()[:1]) in PAIRS:
        enough = written > 1 and not (run.places and NO_PATH.search(clause))
    else:
        needed = run.counted and NEEDED.search(clause)
        enough = not needed and not NO_PATH.search(clause) and _stands_out(run, written, clause, start)
    return moves if enough else None


def _stands_out(run: Run, written: float, clause: str, start: tuple[int, int] | None) -> bool:
    """Whether a run inside a sentence is almost certainly a path."""
    if run.kind == "words":
        return GOING.search(clause) is not None and (run.atoms > 2 or run.counted == run.atoms > 1)
    if run.kind == "coordinates":
        return written > 1 + (start is None)
    return run.kind != "lower" and (run.atoms > 2 or (run.atoms == 1 and written > 2.5))
