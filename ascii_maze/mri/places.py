"""Whether each place of the map is on the solution, read from the last token of the prompt.

At a place's own token the map below it has not been read, so the path cannot be known there. The last token of the
prompt follows the whole map. One linear map per place is fitted to its states: ridge regression onto 0 and 1. It
needs mazes of one size, so that a place means the same in all.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from ..metrics.path_validity.maze import MOVES, Maze
from ..metrics.path_validity.scoring import parse_moves

# The least number of mazes of one size for a fit.
LEAST = 40
# The ridge penalty per maze, chosen once, on states with unit variance in each direction.
PENALTY = 1.0


def place_labels(
    rows: Sequence[dict], like: dict | None = None
) -> tuple[np.ndarray, np.ndarray | None, tuple[int, int]]:
    """Which places of mazes of one size are on their solutions.

    Args:
        like: a row of the wanted size; by default the most common size is used.

    Returns:
        The indices of the mazes of that size, int64 (n,), without `like` itself; bool (n, places), None if these
        are too few; and the shape of their maps.
    """
    mazes = [Maze.from_ascii(row["maze"]) for row in rows]
    if like is not None:
        shape = Maze.from_ascii(like["maze"]).shape
    else:
        shape = Counter(maze.shape for maze in mazes).most_common(1)[0][0]
    alike = [
        index
        for index, maze in enumerate(mazes)
        if maze.shape == shape and (like is None or rows[index]["maze"] != like["maze"])
    ]
    if len(alike) < LEAST:
        return np.array(alike, dtype=int), None, shape
    table = np.zeros((len(alike), *shape), dtype=bool)
    for line, index in enumerate(alike):
        here = mazes[index].start
        for move in ("", *(parse_moves(rows[index]["solution"], here) or "")):
            here = here if not move else (here[0] + MOVES[move][0], here[1] + MOVES[move][1])
            table[line][here] = True
    return np.array(alike), table.reshape(len(alike), -1), shape


def solution_labels(rows: Sequence[dict]) -> dict[str, np.ndarray]:
    """One value per maze and place, for mazes of the most common size.

    Returns:
        `solution` (bool, mazes x places; False at other sizes), `of one size` (bool, which mazes have it; none if they
        are too few) and `maze` (int64).
    """
    alike, table, shape = place_labels(rows)
    labels = np.zeros((len(rows), shape[0] * shape[1]), dtype=bool)
    known = np.zeros(len(rows), dtype=bool)
    if table is not None:
        labels[alike], known[alike] = table, True
    return {"solution": labels, "of one size": known, "maze": np.arange(len(rows))}


def fit_places(x: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit one linear map for each place.

    Args:
        x: float (n, width), states at the last token of the prompt.
        labels: bool (n, places).

    Returns:
        States (m, width) -> a score for each place being on the solution, float (m, places); not clipped to 0 and 1.
    """
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(x)
    fitted = Ridge(alpha=PENALTY * len(x)).fit(scaler.transform(x), labels.astype(float))
    return lambda states: fitted.predict(scaler.transform(states))
