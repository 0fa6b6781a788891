"""Drawings of mazes with walks through them: in the terminal, and several on one SVG sheet."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from ..metrics.path_validity.maze import WALL, Maze
from ..metrics.path_validity.svg import STYLE, follow, to_svg


def to_terminal(maze: Maze, moves: str = ""):
    """The maze as rich Text, two columns per character: grey walls, a coloured walk, a cross where it hits a wall."""
    from rich.text import Text

    walk = follow(maze, moves)
    visited = set(walk.positions)
    colour = "green" if walk.crash is None and walk.positions[-1] == maze.goal else "yellow"

    def drawn(here: tuple[int, int], symbol: str) -> tuple[str, str]:
        if here == walk.crash:
            return "✗✗", "bold red"
        if symbol == WALL:
            return "██", "bright_black"
        if here in (maze.start, maze.goal):
            return symbol * 2, f"bold {'black on ' + colour if here in visited else 'cyan'}"
        return "••" if here in visited else "  ", colour

    text = Text()
    for row, line in enumerate(maze.rows):
        places = (drawn((row, column), symbol) for column, symbol in enumerate(line))
        for style, run in groupby(places, key=lambda place: place[1]):  # rich is slow with many styles
            text.append("".join(characters for characters, _ in run), style=style)
        text.append("\n")
    return text


def to_sheet(walks: Sequence[tuple[str, Maze, str]], columns: int = 4, side: int = 170) -> str:
    """Several mazes in one self-contained SVG, legible on light and dark pages.

    Args:
        walks: caption, maze and moves of each.
        columns: mazes side by side.
        side: pixels of each.
    """
    gap, caption = 24, 18
    rows = -(-len(walks) // columns)
    width, height = columns * (side + gap), rows * (side + gap + caption)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><style>{STYLE}</style>']
    for place, (text, maze, moves) in enumerate(walks):
        x, y = place % columns * (side + gap) + gap / 2, place // columns * (side + gap + caption) + gap / 2
        parts.append(f'<svg x="{x:g}" y="{y:g}" width="{side}" height="{side}">{to_svg(maze, moves)}</svg>')
        parts.append(f'<text class="caption" x="{x + side / 2:g}" y="{y + side + caption:g}">{escape(text)}</text>')
    return "".join(parts) + "</svg>\n"
