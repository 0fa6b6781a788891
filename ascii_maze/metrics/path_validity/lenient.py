r"""The lenient reading: finds the path in a longer text, in the forms that people and models use.

The strict reading asks whether a model answered in the required format; the lenient one, whether its text contains a
path, so that lack of format can be told from lack of skill. It agrees with `parse_moves` wherever that reads a path.
It never guesses: text that mentions directions without giving a path has none, and of two paths the last one counts.

A text is first cut down to what counts: what follows the last thought, of that the last `<answer>` or `\boxed{}`, and
no turn but the first. Then it is read line by line. Moves of one kind with nothing but separators between them are a
run; lines that are nothing but a run belong together, as do the items of a numbered list. Where a run stands decides:
alone on its lines, after a label ("Answer:") or in marks (bold, code, quotes) it is a path, and in the middle of a
sentence only if it can hardly be anything else. What is denied, tried, an example or taken back is none.

What it does not do: read languages other than English and Portuguese, or turns relative to a heading.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .maze import Maze
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
    CLAUSE,
    COMPASS,
    COMPASS_LETTERS,
    COMPASS_MOVES,
    COUNT_AFTER,
    COUNT_BEFORE,
    DIRECTIONS,
    ECHO,
    ENDPOINT,
    ENDS,
    GOING,
    HINDERED,
    KEYWORDS,
    LABEL,
    LATEX,
    LATEX_ARROWS,
    LISTED,
    LONG_ARROW,
    MARKER,
    MARKS,
    MARKS_AS_BLANKS,
    NEEDED,
    NEXT_TURN,
    NO_ANSWER,
    NO_PATH,
    NO_WAY,
    NUMBERS,
    NUMPY,
    OTHER_MOVE,
    PAIRS,
    PLAIN,
    RETRACTED,
    SENTENCE_END,
    SHORT_LABEL,
    SPECIAL,
    TAKEN_BACK,
    TOKEN,
    TRIMMED,
    VERBS,
)

NEAR = 300  # characters around a run that tell what it is
MOST = 100_000  # moves; more than any answer has, while `R999` is short to write


@dataclass
class Run:
    """Moves of one kind on one line with nothing but separators between them.

    Attributes:
        start, end: its place in the line.
        parts: of the moves, in letters; coordinates have `places` instead.
        atoms: how many times a move, with or without a count, was written.
        counted: how many of these have a count.
        joined: words such as "then" stand between them.
        sure: False next to moves of another kind, to "or" or to an ellipsis.
        indexes: numbers in front of the moves.
    """

    kind: str
    start: int
    end: int
    parts: list[str] = field(default_factory=list)
    atoms: int = 0
    counted: int = 0
    joined: bool = False
    sure: bool = True
    places: list[tuple[int, int]] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)

    @property
    def moves(self) -> str:
        """The moves in letters."""
        return "".join(self.parts)


@dataclass(frozen=True)
class Line:
    """A line with content: its number in a list, its text without that number, and the runs in it."""

    at: int
    number: int | None
    text: str
    runs: list[Run]
    gap: bool  # a blank line before it
    above: str  # the line before it


class Lenient(NamedTuple):
    """The lenient counterparts of `parsed` and `valid` of `PathScore`."""

    parsed_lenient: bool
    valid_lenient: bool


def score_lenient(maze: Maze | str, completion: object, strict: PathScore | None = None) -> Lenient:
    """Whether a completion has a path in the lenient reading, and whether it is valid.

    Args:
        maze: a `Maze`, or the text of one.
        completion: what the model wrote, in any form that `completion_text` takes.
        strict: its score in the strict reading, where it is known: what that has read is not read again.

    Raises:
        MazeError: `maze` is text that is not a maze.
    """
    if strict is not None and strict.parsed:
        return Lenient(True, strict.valid)
    maze = read_maze(maze) if isinstance(maze, str) else maze
    moves = parse_lenient(completion, maze.start)
    return Lenient(moves is not None, moves is not None and score_moves(maze, moves).valid)


def parse_lenient(completion: object, start: tuple[int, int] | None = None) -> str | None:
    """The moves of a completion as letters without spaces, whatever text is around them; None if it gives no path.

    Args:
        completion: what the model wrote, in any form that `completion_text` takes.
        start: where coordinates have to begin, (row, column); anywhere without it.
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
    """The moves of a single line of moves, marks and a label only: most short answers, without a search."""
    label = SHORT_LABEL.match(text)
    bare = text[label.end() if label else 0 :].strip(TRIMMED + "\n").translate(MARKS_AS_BLANKS)
    if "\n" in bare or len(bare) < 4 or "..." in text or "…" in text:
        return None
    moves = moves_of_answer(bare, start)
    return moves if moves and len(moves) > 1 and not _names_all(moves) else None


def _plain(text: str) -> str:
    """The text with arrows normalised, and without LaTeX, special tokens and later turns."""
    text = text.replace("\r", "") if text.isascii() else text.translate(ARROWS)
    text = text.rpartition("assistantfinal")[2]  # what is left of gpt-oss's channels without special tokens
    if "<" in text or "[" in text or "\n" in text:
        turn = NEXT_TURN.search(text, 1)
        text = SPECIAL.sub("\n", text[: turn.start()] if turn else text)
    if "\\" in text:
        text = LATEX.sub(lambda found: LATEX_ARROWS.get(found[1], "⟶" if found[2] else " "), text)
    if ">" in text:
        text = LONG_ARROW.sub("⟶", text)
    if "(" in text:
        text = ECHO.sub(_said_once, text)
    if "np." in text:
        text = NUMPY.sub(r"\1", text)
    if "N" in text or "n" in text:
        text = COMPASS_LETTERS.sub(_as_moves, text) if COMPASS.search(text) else text
    return text


def _said_once(found: re.Match) -> str:
    """`R (right)` and `Right (R)` are one move, written twice."""
    one, two = found.groups()
    return one if DIRECTIONS[one.lower()] == DIRECTIONS[two.lower()] else found[0]


def _as_moves(found: re.Match) -> str:
    return found[0].translate(COMPASS_MOVES)


def _what_counts(text: str) -> tuple[str, bool]:
    r"""The inside of the last `<answer>`, closed or not, or `\boxed{}`, else all; and whether it is only a part."""
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
    """The last path in a text, unless it is retracted after it."""
    lines, number, last = list(_lines(text)), 0, None
    while number < len(lines):
        block = _numbered(lines, number) or _alike(lines, number)
        moves = _moves_of_list(block) if len(block) > 1 and block[0].number else None
        if moves:
            last = moves, block[-1].at + len(block[-1].text)
        else:
            together = not block[0].number or all(len(line.runs) == 1 and line.runs[0].places for line in block)
            for line in [_joined(block, text)] if together else block:
                for place, run in enumerate(line.runs):
                    near = line.runs[max(0, place - 2) : place + 3]
                    fragment = any(_is_fragment(run, other, line.text) for other in near)
                    moves = None if fragment else _moves_of_run(run, line, start, alone=len(lines) == len(block))
                    last = (moves, line.at + run.end) if moves else last
        number += len(block)
    if last is None or len(last[0]) > MOST:
        return None
    tail = text[last[1] :].lstrip(TRIMMED + "\n")
    return None if TAKEN_BACK.match(text, last[1]) or RETRACTED.match(tail[:NEAR]) or NO_WAY.search(tail) else last[0]


def _lines(text: str) -> Iterator[Line]:
    """The lines that are neither blank nor rows of a maze."""
    at, gap, above = 0, False, ""
    for line in text.split("\n"):
        begins, at = at, at + len(line) + 1
        if not line.strip() or "#" in line.lstrip("# ") or "█" in line or not line.strip("# "):
            gap = True
            continue
        marker = MARKER.match(line)
        head = marker.end() if marker else 0
        number = int(marker["number"]) if marker and marker["number"] else None
        yield Line(begins + head, number, line[head:], list(_runs(line[head:])), gap, above)
        gap, above = False, line


_KINDS = {"after": "letters", "before": "letters", "word": "words", "coordinate": "coordinates"}


def _tokens(line: str) -> Iterator[re.Match]:
    """The tokens of a line: matches of `TOKEN`, and of `PLAIN` for other words."""
    place = 0
    while place < len(line):
        token = PLAIN.match(line, place)
        if token is None or token[1].lower() in KEYWORDS or not token[1].strip("UDLRudlr"):
            token = TOKEN.match(line, place)
        assert token is not None  # any character is a token
        place = token.end()
        yield token


def _runs(line: str) -> Iterator[Run]:
    """The runs of a line, in order."""
    run: Run | None = None
    joined, sure, indexes = False, True, []
    for token in _tokens(line):
        kind = token.lastgroup or "other"
        if kind == "separator" or (kind == "bracket" and run is None):
            continue
        if kind == "filler":
            joined = run is not None
        elif kind == "index":
            indexes.append(int(token["place"]))
        elif kind == "arrows" and run and run.kind != "arrows" and token[0] == "→":
            continue  # between moves of another kind it is a separator
        elif kind == "end" and (run is None or run.kind == "coordinates"):
            continue
        elif kind in ("end", "bracket", "choice", "elision", "other"):
            sure = kind not in ("choice", "elision")
            if run:
                run.sure &= sure
                yield run
            run, joined, indexes = None, False, []
        else:
            kind = _KINDS.get(kind, kind)
            if run and run.kind != kind:
                sure = run.kind == "arrows" and run.moves == "R"  # an arrow in front, as a bullet
                run.sure = False
                yield run
                run = None
            run = run or Run(kind, token.start(), token.end(), sure=sure)
            _extend(run, token, joined)
            run.sure &= len(run.parts) < MOST
            run.indexes, joined = indexes, False
    if run:
        yield run


def _extend(run: Run, token: re.Match, joined: bool) -> None:
    """Add the moves of one token to a run."""
    kind, text = token.lastgroup, token[0]
    run.end, run.joined, atoms = token.end(), run.joined or joined, 1
    counted = True
    if kind == "coordinate":
        run.places.append((int(token["row"]), int(token["column"])))
    elif kind == "after":
        pairs = COUNT_AFTER.findall(text)
        run.parts.append("".join(move * int(count) for move, count in pairs))
        atoms = len(pairs)
    elif kind == "before":
        pairs = COUNT_BEFORE.findall(text)
        run.parts.append("".join(move * int(count) for count, move in pairs))
        atoms = len(pairs)
    elif kind == "arrows":
        counted = token["arrow_times"] is not None
        run.parts.append(DIRECTIONS[text[0]] * int(token["arrow_times"] or 1))
    elif kind == "word":
        number = token["many"] or token["often"]
        counted = number is not None
        count = NUMBERS.get(number.lower()) or int(number) if number else 1
        if counted and "(" in text and run.atoms and not run.counted and count == run.atoms + 1:
            count, counted = 1, False  # "right, down (2 moves)" counts them all
        run.sure &= count > 0
        run.parts.append(DIRECTIONS[token["way"].lower()] * count)
    else:
        letters = text.replace(",", " ").split()
        run.parts.append("".join(letters).upper())
        atoms, counted = len(letters), False
    run.atoms += atoms
    run.counted += atoms * counted


def _numbered(lines: list[Line], first: int) -> list[Line]:
    """The lines from `first` that are numbered 1, 2, ...; none if there is only one."""
    last = first
    while last < len(lines) and lines[last].number == last - first + 1:
        last += 1
    return lines[first:last] if last - first > 1 else []


def _alike(lines: list[Line], first: int) -> list[Line]:
    """The lines from `first` that consist of runs of one kind only; at least that line itself.

    Text may precede the first run. A blank line separates two paths, but not a list with one move per line.
    """
    last, head = first, lines[first]
    while last + 1 < len(lines) and len(head.runs) == 1 and not _bare(head.text[head.runs[-1].end :]):
        here, there = lines[last].runs[0], lines[last + 1]
        if len(there.runs) != 1 or there.runs[0].kind != here.kind or there.number is not None:
            break
        run = there.runs[0]
        if _bare(VERBS.sub("", there.text[: run.start])) or _bare(there.text[run.end :]):
            break
        if there.gap and (here.atoms > 1 or run.atoms > 1):
            break
        last += 1
    return lines[first : last + 1]


def _joined(block: list[Line], text: str) -> Line:
    """Merge the lines of a block into one."""
    if len(block) == 1:
        return block[0]
    head, tail = block[0], block[-1]
    runs = [line.runs[0] for line in block]
    whole = Run(
        runs[0].kind,
        runs[0].start,
        tail.at + runs[-1].end - head.at,
        parts=[part for run in runs for part in run.parts],
        atoms=sum(run.atoms for run in runs),
        counted=sum(run.counted for run in runs),
        joined=any(run.joined for run in runs),
        sure=all(run.sure for run in runs),
        places=[place for run in runs for place in run.places],
    )
    return replace(head, text=text[head.at : tail.at + len(tail.text)], runs=[whole])


def _is_fragment(run: Run, other: Run, text: str) -> bool:
    """Whether the same sentence has other moves of the same kind, so that it is unclear which count."""
    if other is run or other.kind != run.kind or max(other.atoms, other.counted * 2) < 2:
        return False
    first, second = sorted((run, other), key=lambda one: one.start)
    return run.parts != other.parts and not SENTENCE_END.search(text, first.end, second.start)


def _bare(text: str) -> str:
    """The words around a run: its context without marks, punctuation and the names of start and goal."""
    return ENDS.sub("", text.strip(TRIMMED)).strip(TRIMMED)


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
        said = {(run.moves, run.atoms) for run in ways}  # "R - move right" says it twice
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
    """The moves of a run that stands for a path, else None.

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
    begins, ends, said = not _bare(before), not _bare(after), before
    if begins:  # then the line above may be the label
        said = line.above if not line.gap or line.above.rstrip(MARKS).endswith(":") else ""
    clause = CLAUSE.split(said)[-1]
    if NO_ANSWER.search(clause):
        return None
    # A word of letters may be a word like any other, so it counts for half of what it spells.
    one_word = run.kind in ("lower", "letters") and run.atoms == 1 and not run.counted
    written = len(moves) / 2 if one_word else len(moves)
    whole, label = begins and ends, LABEL.search(clause)
    if run.joined and run.counted < run.atoms:  # "right and then down": who knows how far
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
