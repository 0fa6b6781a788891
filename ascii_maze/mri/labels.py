"""Labels for probes and regions: facts of each maze, of each move of its solution, and of cells on the map."""

from collections.abc import Sequence

import numpy as np

from ..mazes.heuristics import are_decisions
from ..metrics.path_validity.maze import MOVES, WALL, Maze
from .positions import TokenisedWalk


def maze_labels(
    rows: Sequence[dict], walks: Sequence[TokenisedWalk], solved: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """One value per maze, for the walker at S.

    Args:
        rows: of a dataset.
        solved: model -> bool (n,), whether its own answer is valid.

    Returns:
        `next_move` (str, of U D L R), `size` (str), `distance` (int64, moves to the goal), `junction` (bool, three or
        four ways), and `solved/MODEL` (bool) for each model; all of length n.
    """
    firsts = [_along(row, walk)[0] for row, walk in zip(rows, walks)]
    return {
        "next_move": np.array([move for move, _, _ in firsts]),
        "size": np.array([f"{row['width']}x{row['height']}" for row in rows]),
        "distance": np.array([distance for _, distance, _ in firsts]),
        "junction": np.array([junction for _, _, junction in firsts]),
        **{f"solved/{name}": np.asarray(valid, dtype=bool) for name, valid in solved.items()},
    }


def move_labels(rows: Sequence[dict], walks: Sequence[TokenisedWalk]) -> dict[str, np.ndarray]:
    """One value per move of every solution, for the walker before that move, in the order of the activations.

    Returns:
        `next_move`, `distance` and `junction` as in `maze_labels`; `decision` (bool, some way onward is right and some
        is not; see `mazes.heuristics.decisions_of`); `repeats` (bool, equal to the previous move); and `maze` (int64,
        index of the maze); all of length (sum of moves).
    """
    steps = [(*step, index) for index, (row, walk) in enumerate(zip(rows, walks)) for step in _along(row, walk)]
    names = ("next_move", "distance", "junction", "maze")
    decision = [mark for row, walk in zip(rows, walks) for mark in _decisions(row, walk)]
    repeats = [move == before for walk in walks for before, move in zip(f" {walk.path}", walk.path)]
    return {
        **{name: np.array(column) for name, column in zip(names, zip(*steps))},
        "decision": np.array(decision),
        "repeats": np.array(repeats),
    }


def _decisions(row: dict, walk: TokenisedWalk) -> list[bool]:
    return are_decisions(Maze.from_ascii(row["maze"]), walk.path)


def cell_labels(rows: Sequence[dict], walks: Sequence[TokenisedWalk]) -> dict[str, np.ndarray]:
    """One value per chosen cell of every maze, in the order of the activations.

    Returns:
        `on_path` (bool, on a shortest path), `wall_north` (bool, wall or the edge of the map above it) and `maze`
        (int64, index of the maze); all of length (n * `CELLS`).
    """
    on_path, wall_north, of_maze = [], [], []
    for index, (row, walk) in enumerate(zip(rows, walks)):
        maze = Maze.from_ascii(row["maze"])
        from_start = Maze(_swap(maze.rows), start=maze.goal, goal=maze.start).distances
        for place in walk.cell_places:
            y, x = int(place[0]), int(place[1])
            behind, ahead = from_start.get((y, x)), maze.distances.get((y, x))
            on_path.append(behind is not None and ahead is not None and behind + ahead == len(walk.path))
            wall_north.append(y == 0 or maze.rows[y - 1][x] == WALL)
            of_maze.append(index)
    return {"on_path": np.array(on_path), "wall_north": np.array(wall_north), "maze": np.array(of_maze)}


def _swap(rows: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line.translate(str.maketrans("SG", "GS")) for line in rows)


def _along(row: dict, walk: TokenisedWalk) -> list[tuple[str, int, bool]]:
    """For each move of the solution: the move, the moves left, and whether the walker is at a junction."""
    maze = Maze.from_ascii(row["maze"])
    here, steps = maze.start, []
    for done, move in enumerate(walk.path):
        steps.append((move, len(walk.path) - done, len(maze.neighbours(*here)) >= 3))
        here = (here[0] + MOVES[move][0], here[1] + MOVES[move][1])
    return steps
