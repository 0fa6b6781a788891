"""Pages of this folder whose tables a script makes, and whose last section people write."""

from pathlib import Path

READING = "## What to make of it"  # from here on a page is written by hand, and kept


def write_page(path: Path, made: str) -> None:
    """Write what a script has made, and below it what stands below `READING` in the page that was there."""
    from ascii_maze.files import write_text

    by_hand = path.read_text(encoding="utf-8").partition(READING)[2].strip() if path.is_file() else ""
    write_text(path, f"{made.rstrip()}\n\n{READING}\n\n{by_hand}".rstrip() + "\n")
