"""The ways to write a maze, by name. Only data; `reading.py` reads them, `writing.py` writes them.

In every style, a position is that of a character in the style `hash`, (row, column) from (0, 0) in the upper left
corner, and a move goes to the next such position. In the styles of cells, which draw or list the cells of a lattice,
two moves therefore lead from a cell to the next: `R R`, over the position between them. So an answer means the same
in every style, and one scorer suffices.
"""

from types import MappingProxyType
from typing import NamedTuple

WALL, OPEN, START, GOAL = "#", " ", "S", "G"
MOVES = MappingProxyType({"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)})


class MazeError(ValueError):
    """Text that is not a maze, or a maze that cannot be written in a style. The message gives row and column (from 1)
    and what was expected.

    Attributes:
        index: of the text or the maze, if there were several.
    """

    index: int | None = None


class Style(NamedTuple):
    """A way to write a maze.

    Attributes:
        title: a description of its look.
        symbols: its wall and open ground, if it has one character for each position.
        cells: whether it is one of the styles of cells. They can only write lattices: odd numbers of rows and columns,
            cells where both numbers (from 0) are odd, passages or walls between them.
    """

    title: str
    symbols: tuple[str, str] | None = None
    cells: bool = False


STYLES: MappingProxyType[str, Style] = MappingProxyType(
    {
        "hash": Style("# is wall, a blank is open", ("#", " ")),
        "dots": Style("# is wall, . is open", ("#", ".")),
        "blocks": Style("█ is wall, a blank is open", ("█", " ")),
        "spaced": Style("# is wall, . is open, with a blank between two characters", ("#", ".")),
        "indexed": Style("as hash, with the numbers of rows and columns at the edge", ("#", " ")),
        "cells": Style("a word for each cell names its open sides: DR", cells=True),
        "adjacency": Style("a line for each connection of two cells: (1,1)-(1,3)", cells=True),
        "adjacency_shuffled": Style("as adjacency, the connections in an order drawn from the maze", cells=True),
        "boxes": Style("walls drawn as +--+ and |", cells=True),
        "lines": Style("walls drawn as ┌──┐ and │", cells=True),
    }
)
# The styles in which the text is the map itself, which `Maze.from_ascii` reads.
PLAIN_STYLES = ("hash", "dots", "blocks")
# Styles of other projects, read but not written: maze-dataset's ASCII, with E for the goal and X for the path.
FOREIGN_STYLES = ("maze_dataset",)

# The words of `cells` for a cell without open sides, and for a solid one.
CLOSED, SOLID = "-", "#"
# How the drawings write wall, open, S and G where walls meet, on the walls between cells above each other and beside
# each other, and in cells. Where walls of `lines` meet is one of `JUNCTIONS`.
DRAWN = MappingProxyType(
    {
        "boxes": (("+", " ", "S", "G"), ("--", "  ", " S", " G"), ("|", " ", "S", "G"), ("##", "  ", " S", " G")),
        "lines": (("", " ", "S", "G"), ("──", "  ", " S", " G"), ("│", " ", "S", "G"), ("██", "  ", " S", " G")),
    }
)
# Indexed by the sum of the walls that meet: up 1, down 2, left 4, right 8.
JUNCTIONS = "·╵╷│╴┘┐┤╶└┌├─┴┬┼"
