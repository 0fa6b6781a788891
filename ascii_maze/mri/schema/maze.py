"""One maze from inside, in mri.json."""

from typing import TypedDict


class HeadView(TypedDict):
    """One head's mean attention on each place of a maze, from the moves that are decisions.

    Attributes:
        maps: model -> rows x columns.
    """

    layer: int
    head: int
    maps: dict[str, list[list[float]]]


class OneMaze(TypedDict):
    """One maze from inside; see `one_maze.look_at`.

    Attributes:
        maze: its rows.
        places: row and column of the walker before each move of `path`.
        decisions: for each move, whether it is a decision.
        layers: those that are shown.
        moves: model -> layer x step x U, D, L, R: their probabilities if the layer were the last.
        heads: those with the largest effects when patched.
        walls: model -> layer x row x column, a probe's probability of a wall to the north, None at walls; all None
            if it cannot be probed.
        route: model -> the same for "on the solution", read at the last token of the prompt.
    """

    id: str
    maze: list[str]
    places: list[list[int]]
    path: str
    decisions: list[bool]
    layers: list[int]
    moves: dict[str, list[list[list[float]]]]
    heads: list[HeadView]
    walls: dict[str, list[list[list[float | None]]] | None]
    route: dict[str, list[list[list[float | None]]] | None]
