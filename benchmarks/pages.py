"""Pages with generated tables and a last section that is written by hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path

READING = "## Interpretation"  # from here on a page is written by hand, and kept


def write_page(path: Path, made: str) -> None:
    """Write the generated part, followed by what the existing page has below `READING`."""
    from ascii_maze.files import write_text

    by_hand = path.read_text(encoding="utf-8").partition(READING)[2].strip() if path.is_file() else ""
    write_text(path, f"{made.rstrip()}\n\n{READING}\n\n{by_hand}".rstrip() + "\n")


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
