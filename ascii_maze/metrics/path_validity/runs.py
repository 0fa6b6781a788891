"""The lines of a text and the runs of moves in them; `lenient` decides which of them are a path."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .wording import (
    COUNT_AFTER,
    COUNT_BEFORE,
    DIRECTIONS,
    ENDS,
    KEYWORDS,
    MARKER,
    NUMBERS,
    PLAIN,
    TOKEN,
    TRIMMED,
    VERBS,
)

MOST = 100_000  # moves; more than any answer has, but `R999` repeated is short


@dataclass
class Run:
    """Moves of one kind on one line with nothing but separators between them.

    Attributes:
        start, end: its position in the line.
        parts: the moves in letters, in parts; coordinates have `places` instead.
        atoms: the number of moves written, with or without a count.
        counted: the number of these with a count.
        joined: words such as "then" are between them.
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


def lines_of(text: str) -> Iterator[Line]:
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
            continue  # an arrow between moves of another kind is a separator
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
                sure = run.kind == "arrows" and run.moves == "R"  # a leading arrow, used as a bullet
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


def numbered(lines: list[Line], first: int) -> list[Line]:
    """The lines from `first` that are numbered 1, 2, ...; none if there is only one."""
    last = first
    while last < len(lines) and lines[last].number == last - first + 1:
        last += 1
    return lines[first:last] if last - first > 1 else []


def alike(lines: list[Line], first: int) -> list[Line]:
    """The lines from `first` that consist of runs of one kind only; at least that line itself.

    Text may precede the first run. A blank line separates two paths, but not a list with one move per line.
    """
    last, head = first, lines[first]
    while last + 1 < len(lines) and len(head.runs) == 1 and not words_around(head.text[head.runs[-1].end :]):
        here, there = lines[last].runs[0], lines[last + 1]
        if len(there.runs) != 1 or there.runs[0].kind != here.kind or there.number is not None:
            break
        run = there.runs[0]
        if words_around(VERBS.sub("", there.text[: run.start])) or words_around(there.text[run.end :]):
            break
        if there.gap and (here.atoms > 1 or run.atoms > 1):
            break
        last += 1
    return lines[first : last + 1]


def merged(block: list[Line], text: str) -> Line:
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


def words_around(text: str) -> str:
    """The words around a run: its context without marks, punctuation and the names of start and goal."""
    return ENDS.sub("", text.strip(TRIMMED)).strip(TRIMMED)
