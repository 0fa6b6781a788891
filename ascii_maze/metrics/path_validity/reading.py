"""Text in any style -> the rows of the map in the style `hash`, or an error with its position.

Each reader takes lines and returns rectangular rows of known symbols; that there is one S and one G is checked once,
at the end.
"""

import re
from collections.abc import Callable, Sequence
from types import MappingProxyType

from .styles import CLOSED, DRAWN, GOAL, JUNCTIONS, MOVES, OPEN, SOLID, START, WALL, MazeError

Rows = list[str]
_BACK = MappingProxyType({"U": "D", "D": "U", "L": "R", "R": "L"})
MOST_CHARACTERS = 2**22  # in a map, in styles where a short text could ask for any size
# Widths at which other programs draw a cell; if several fit, the first counts.
CELL_WIDTHS = (2, 3, 1, 4, 5, 6, 7)


def lines_of(text: str) -> list[str]:
    """The lines of a text without additions by editors: a byte order mark, CRLF, empty lines at either end."""
    return text.replace("\r\n", "\n").removeprefix("\ufeff").strip("\n").split("\n")


def looks_like(text: str) -> str:
    """The style whose characteristic symbols a text has, for error messages; `hash` if it has none."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    for style, mark in (
        ("adjacency", r"\A\s*(?:size\b|[SG] ?\()|\)-\("),
        ("lines", r"[\u2500-\u257f]"),
        ("boxes", r"(?m)^\s*\+[-+ ]*\+\s*$"),
        ("cells", r"\A\s*(?:[-#SG] +)*[SG]?[UDLR]+\s"),
        ("maze_dataset", r"(?s)\A(?=.*X)(?=.*E)[# SEX\n]*\Z"),
        ("spaced", r"\A(?:[#.SG] )+[#.SG](?:\s|\Z)"),
    ):
        if re.search(mark, text):
            return style
    return "indexed" if re.fullmatch(r"[\d ]*\d", first) else "hash"


def _check_ends(rows: Sequence[str]) -> None:
    """Refuse a map without exactly one S and one G."""
    for letter in (START, GOAL):
        found = [
            f"row {row}, column {column}"
            for row, line in enumerate(rows, 1)
            for column, symbol in enumerate(line, 1)
            if symbol == letter
        ]
        if len(found) != 1:
            raise MazeError(
                f"expected exactly one {letter}, found {len(found)}{': ' + ' and '.join(found[:2]) if found else ''}"
            )


def _fail(row: int, column: int, expected: str, found: str) -> MazeError:
    """The error at a position; row and column count from 0 here and from 1 in the message."""
    shown = found if len(found) <= 40 else f"{found[:37]}..."
    return MazeError(f"row {row + 1}, column {column + 1}: expected {expected}, found {shown!r}")


def _same_length(lines: list[str], first: int = 0) -> None:
    """Refuse rows of different lengths."""
    for row, line in enumerate(lines):
        if len(line) != len(lines[0]):
            raise MazeError(
                f"row {first + row + 1}: expected {len(lines[0])} characters as in row {first + 1}, found {len(line)}"
            )


def _known(lines: list[str], symbols: str, above: int = 0, left: int = 0) -> None:
    """Refuse characters that a style does not have."""
    for row, line in enumerate(lines, above):
        for column, symbol in enumerate(line, left):
            if symbol not in symbols:
                raise _fail(row, column, f"one of {', '.join(map(repr, symbols))}", symbol)


def _read_spaced(lines: list[str]) -> Rows:
    """`# S . #`: every other character is a blank."""
    rows = []
    for row, line in enumerate(line.rstrip(" ") for line in lines):
        column = next((place for place in range(1, len(line), 2) if line[place] != " "), None)
        if column is not None:
            raise _fail(row, column, "a blank between two characters", line[column])
        rows.append(line[::2])
    _known([" ".join(row) for row in rows], "#.SG ")
    _same_length(rows)
    return [row.replace(".", OPEN) for row in rows]


def _read_indexed(lines: list[str]) -> Rows:
    """The style `hash` with the numbers of rows on the left and of columns on top."""
    from .writing import column_numbers

    above = next((row for row, line in enumerate(lines) if re.match(r" *\d+ [#SG ]", line) and row), len(lines))
    rows: Rows = []
    count = len(lines) - above
    width = len(str(count - 1)) + 1
    for row, line in enumerate(lines[above:]):
        label = f"{row:>{width - 1}} "
        if not line.startswith(label):
            raise _fail(above + row, 0, f"the row's number, {label!r}", line[:width])
        rows.append(line[width:])
    if not rows:
        raise _fail(0, 0, "a line with the numbers of the columns above rows with theirs", lines[0])
    if len(set(map(len, rows))) > 1 and len({len(row.rstrip(" ")) for row in rows}) == 1:
        rows = [row.rstrip(" ") for row in rows]
    _known(rows, "# SG", above, width)
    _same_length(rows, above)
    for row, (line, numbers) in enumerate(zip(lines, [*column_numbers(count, len(rows[0])).split("\n"), ""])):
        if row < above and line.rstrip(" ") != numbers:
            raise _fail(row, 0, f"the numbers of {len(rows[0])} columns, {numbers!r}", line)
    if above != len(str(len(rows[0]) - 1)):
        raise _fail(0, 0, f"the numbers of {len(rows[0])} columns in {len(str(len(rows[0]) - 1))} lines", lines[0])
    return rows


def _read_cells(lines: list[str]) -> Rows:
    """A word for each cell that names its open sides; both cells of a connection must name it."""
    words = [line.split() for line in lines]
    height, width = len(words), len(words[0])
    for row, line in enumerate(words):
        if len(line) != width:
            raise MazeError(f"row {row + 1}: expected {width} words as in row 1, found {len(line)}")
    sides: dict[tuple[int, int], str] = {}
    grid = _solid(2 * height + 1, 2 * width + 1)
    for row, line in enumerate(words):
        for column, word in enumerate(line):
            found = re.fullmatch(r"([SG]?)([UDLR]*)", word)
            if not (found and word and len(set(found[2])) == len(found[2])) and word not in (CLOSED, SOLID):
                raise _word_error(row, column, "open sides such as DR, SDR or GL, '-' or '#'", word)
            grid[2 * row + 1][2 * column + 1] = SOLID if word == SOLID else (found and found[1]) or OPEN
            sides[row, column] = found[2] if found else ""
    for (row, column), named in sides.items():
        for side in named:
            down, right = MOVES[side]
            there = row + down, column + right
            if _BACK[side] not in sides.get(there, ""):
                what = f"a cell open to {_BACK[side]} on that side" if there in sides else "a side inside the maze"
                raise _word_error(row, column, f"no {side}, or {what}", words[row][column])
            grid[2 * row + 1 + down][2 * column + 1 + right] = OPEN
    return ["".join(line) for line in grid]


def _word_error(row: int, word: int, expected: str, found: str) -> MazeError:
    return MazeError(f"row {row + 1}, word {word + 1}: expected {expected}, found {found[:40]!r}")


def _solid(rows: int, columns: int) -> list[list[str]]:
    return [[WALL] * columns for _ in range(rows)]


def _read_adjacency(lines: list[str]) -> Rows:
    """`size (rows,columns)`, `S (row,column)`, `G (row,column)`, then a line for each connection or lone cell."""
    heads = []
    for row, name in enumerate(("size", START, GOAL)):
        line = lines[row].strip() if row < len(lines) else ""
        found = re.fullmatch(rf"{name} ?\((\d{{1,6}}), ?(\d{{1,6}})\)", line, re.ASCII)
        if not found:
            raise _fail(row, 0, f"'{name} (row,column)'", line)
        heads.append((int(found[1]), int(found[2])))
    (rows, columns), *ends = heads
    if rows % 2 == 0 or columns % 2 == 0 or rows * columns > MOST_CHARACTERS:
        raise _fail(0, 0, f"odd numbers of rows and columns, at most {MOST_CHARACTERS:,} characters", lines[0])
    grid = _solid(rows, columns)

    def opened(row: int, place: tuple[int, int]) -> tuple[int, int]:
        if not (place[0] % 2 and place[1] % 2 and place[0] < rows and place[1] < columns):
            raise _fail(row, 0, f"cells at odd rows and columns below {rows} and {columns}", lines[row].strip())
        if grid[place[0]][place[1]] == WALL:
            grid[place[0]][place[1]] = OPEN
        return place

    for row, (letter, place) in enumerate(zip((START, GOAL), ends), 1):
        there = opened(row, place)
        grid[there[0]][there[1]] = letter
    if ends[0] == ends[1]:
        raise _fail(2, 0, "another cell than that of S", lines[2])
    for row, line in enumerate(lines[3:], 3):
        cell = r"\((\d{1,6}), ?(\d{1,6})\)"
        found = re.fullmatch(rf"{cell}(?: ?- ?{cell})?", line.strip(), re.ASCII)
        if not found:
            raise _fail(row, 0, "(row,column)-(row,column)", line.strip())
        numbers = [int(number) for number in found.groups() if number]
        one = opened(row, (numbers[0], numbers[1]))
        if len(numbers) == 4:
            two = opened(row, (numbers[2], numbers[3]))
            if sorted((abs(one[0] - two[0]), abs(one[1] - two[1]))) != [0, 2]:
                raise _fail(row, 0, "two cells next to each other, such as (1,1)-(1,3)", line.strip())
            grid[(one[0] + two[0]) // 2][(one[1] + two[1]) // 2] = OPEN
    return ["".join(line) for line in grid]


def _read_boxes(lines: list[str]) -> Rows:
    """`+--+` and `|`, cells of any width."""
    return _read_drawn(lines, "boxes", "+", "-", "|")


def _read_lines(lines: list[str]) -> Rows:
    """Box drawing characters of Unicode, cells of any width."""
    return _read_drawn(lines, "lines", JUNCTIONS + "".join(map(chr, range(0x2500, 0x2580))), "─━═", "│┃║")


def _read_drawn(lines: list[str], style: str, meeting: str, below: str, beside: str) -> Rows:
    width = max(map(len, lines))
    if width * len(lines) > max(MOST_CHARACTERS, 2 * sum(map(len, lines))):
        raise MazeError(f"row 1: expected rows of about one length, found one of {width} characters")
    lines = [line.ljust(width) for line in lines]
    if len(lines) % 2 == 0 or len(lines) < 3:
        raise MazeError(f"row {len(lines)}: expected an odd number of rows from 3 on, found {len(lines)}")
    failures = []
    for cell in CELL_WIDTHS:
        if width > cell + 1 and (width - 1) % (cell + 1) == 0:
            try:
                return _read_cells_of(lines, cell, style, meeting, below, beside)
            except MazeError as error:
                failures.append(error)
    if not failures:
        raise MazeError(f"row 1: expected cells of one width between the walls, found {width} characters")
    if style == "boxes":  # the distance of its corners is the cell width
        cell = max(1, lines[0].find("+", 1) - 1)
        if (width - 1) % (cell + 1) == 0:
            return _read_cells_of(lines, cell, style, meeting, below, beside)
    raise failures[0]


def _read_cells_of(lines: list[str], cell: int, style: str, meeting: str, below: str, beside: str) -> Rows:
    """The drawing with cells of one width; walls have no gaps, and S or G may be anywhere in its cell."""
    full = DRAWN[style][3][0][0]
    rows = []
    for row, line in enumerate(lines):
        symbols = ""
        walls = (below if row % 2 == 0 else full, meeting if row % 2 == 0 else beside)
        for start in range(0, len(line), cell + 1):
            for at, part, wall in (
                (start, line[start], walls[1]),
                (start + 1, line[start + 1 : start + 1 + cell], walls[0]),
            ):
                if not part:
                    continue
                inner = part.strip(" ")
                if not part.strip(wall):
                    symbols += WALL
                elif inner in ("", START, GOAL):
                    symbols += inner or OPEN
                else:
                    raise _fail(row, at, f"a wall of {wall[0]!r}, blanks, S or G", part)
        rows.append(symbols)
    return rows


def _read_maze_dataset(lines: list[str]) -> Rows:
    """Style `hash` with E for the goal, and X where its path goes: all the way from S to E, or nowhere."""
    rows = [line.rstrip(" ") for line in lines]
    _known(rows, "# SEX")
    _same_length(rows)
    path = {
        (row, column): symbol for row, line in enumerate(rows) for column, symbol in enumerate(line) if symbol in "SEX"
    }
    here = next((place for place, symbol in path.items() if symbol == START), None)
    left = list(path.values()).count("X")
    while here and left:
        symbol = path.pop(here)
        near = [(here[0] + down, here[1] + right) for down, right in MOVES.values()]
        onward = [place for place in near if path.get(place, "") in ("X", "E")[: 1 + (symbol == "X")]]
        if len(onward) != 1:
            raise _fail(*here, "X to go on in one direction, to E", symbol)
        here = onward[0]
        left -= path[here] == "X"
    return [row.replace("X", OPEN).replace("E", GOAL) for row in rows]


READERS: MappingProxyType[str, Callable[[list[str]], Rows]] = MappingProxyType(
    {
        "spaced": _read_spaced,
        "indexed": _read_indexed,
        "cells": _read_cells,
        "adjacency": _read_adjacency,
        "adjacency_shuffled": _read_adjacency,
        "boxes": _read_boxes,
        "lines": _read_lines,
        "maze_dataset": _read_maze_dataset,
    }
)


def read(text: str, style: str) -> Rows:
    """The rows of a text in a style of `READERS`.

    Raises:
        MazeError: it is not in this style.
    """
    lines = lines_of(text)
    if lines == [""]:
        raise MazeError("the maze is empty: expected its text")
    rows = READERS[style](lines)
    _check_ends(rows)
    return rows
