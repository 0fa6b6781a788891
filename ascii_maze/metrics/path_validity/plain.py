"""Plain maps: removes additions by editors, and explains why a map cannot be read."""

from types import MappingProxyType

from .styles import GOAL, START


def without_padding(text: str) -> str:
    """The text without byte order mark and blank lines at either end. Trailing spaces of ragged rows are removed if
    the rows are then equally long and all end in a wall.
    """
    lines = text.removeprefix("\ufeff").strip("\n").split("\n")
    if any("#" in line or "█" in line for line in lines):  # else a row of spaces may be open ground
        filled = [place for place, line in enumerate(lines) if line.strip(" ")]
        lines = lines[filled[0] : filled[-1] + 1]
    stripped = [line.rstrip(" ") for line in lines]
    ragged = len(set(map(len, lines))) > 1
    if ragged and len(set(map(len, stripped))) == 1 and all(line.endswith(("#", "█")) for line in stripped):
        lines = stripped
    return "\n".join(lines)


# Characters that other programs use for start and goal.
_USUAL_MARKS = MappingProxyType({**dict.fromkeys("s@oO*aAPpBI", START), **dict.fromkeys("geEFfTtXx$D", GOAL)})


def _hint(symbol: str, lines: list[str]) -> str:
    """A hint for a character that is invalid in mazes, if the intention is clear."""
    if symbol == "\t":
        return " (tabs are not spaces)"
    if symbol == "\0":
        return " (save the file as UTF-8)"
    text = "\n".join(lines)
    missing = [end for end in (START, GOAL) if end not in text]
    if text.count(symbol) != 1 or not missing:
        return ""
    end = _USUAL_MARKS.get(symbol) if len(missing) == 2 else missing[0]
    return f" (write {end} for {symbol}, or --marks {symbol}={end})" if end and symbol.isprintable() else ""


def what_is_wrong(lines: list[str]) -> str:
    """The first reason why rows are not a maze, with its position."""
    if lines == [""]:
        return "the maze is empty: expected rows of '#', ' ', 'S' and 'G'"
    width, alphabet = len(lines[0]), set("#█ .SG")
    wall = opened = ""
    places: dict[str, list[str]] = {START: [], GOAL: []}
    for row, line in enumerate(lines, 1):
        for column, symbol in enumerate(line, 1):
            if symbol not in alphabet:
                place = f"row {row}, column {column}"
                return f"{place}: expected '#', ' ', 'S' or 'G', found {symbol!r}{_hint(symbol, lines)}"
            if symbol in places:
                places[symbol].append(f"row {row}, column {column}")
            elif symbol in "#█":
                wall = wall or symbol
            else:
                opened = opened or symbol
            if symbol not in (wall, opened, START, GOAL):
                expected = wall if symbol in "#█" else opened
                return f"row {row}, column {column}: expected {expected!r} as above, found {symbol!r}"
        if len(line) != width:
            return f"row {row}: expected {width} characters as in row 1, found {len(line)}"
    letter, found = next((letter, found) for letter, found in places.items() if len(found) != 1)
    return f"expected exactly one {letter}, found {len(found)}{': ' + ' and '.join(found[:2]) if found else ''}"
