"""Generate, solve and render mazes on one core, compared with maze-dataset in the same run.

    pip install --constraint constraints.txt muutils==0.8.12 zanj jaxtyping matplotlib
    pip install --no-deps maze-dataset==1.4.2
    python benchmarks/generation.py

Both generate n x n mazes with the same algorithm, place start and goal at random, find the shortest path between them
and write maze and path: ours as two strings, the peer as one ASCII picture. Rounds alternate, so that a slow moment of
the machine affects both. If the peer is not installed, its column stays empty.
"""

import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable

import numba
import numpy as np

from ascii_maze import generate_mazes

# Our generator, the peer's, cells per side, mazes per round of ours and of the peer.
CASES = (
    ("depth_first", "gen_dfs", 5, 200_000, 400),
    ("wilson", "gen_wilson", 5, 200_000, 150),
    ("kruskal", "gen_kruskal", 5, 200_000, 500),
    ("depth_first", "gen_dfs", 20, 20_000, 30),
    ("wilson", "gen_wilson", 20, 10_000, 4),
)


def ours(generator: str, size: int, count: int, seed: int) -> None:
    """Our whole batch, written as Python strings."""
    mazes = generate_mazes(generator, size, size, count, seed)
    texts, paths = mazes.to_ascii(), mazes.solve()
    assert len(texts) == len(paths) == count


def peer(generator: str, size: int, count: int, seed: int) -> None:
    """The same with maze-dataset, through its public interface."""
    from maze_dataset import SolvedMaze
    from maze_dataset.generation import LatticeMazeGenerators

    np.random.seed(seed)
    for _ in range(count):
        maze = getattr(LatticeMazeGenerators, generator)(np.array([size, size]))
        path = maze.generate_random_path(endpoints_not_equal=True)
        assert SolvedMaze.from_lattice_maze(maze, path).as_ascii()


def rate(run: Callable[[str, int, int, int], None], generator: str, size: int, count: int, seed: int) -> float:
    """Mazes per second."""
    began = time.perf_counter()
    run(generator, size, count, seed)
    return count / (time.perf_counter() - began)


def main() -> None:
    """Print a Markdown table: the median of seven rounds, and the ratio."""
    try:
        peer("gen_dfs", 5, 1, 0)
        version = importlib.metadata.version("maze-dataset")
    except ImportError:
        version = None
    print(
        f"{platform.machine()}, Python {platform.python_version()}, numba {numba.__version__}, "
        f"maze-dataset {version or 'not installed'}\n"
    )
    print("| generator | size | ascii-maze, mazes/s | maze-dataset, mazes/s | ratio |\n|---|---|---|---|---|")
    for generator, theirs, size, count, peer_count in CASES:
        ours(generator, size, 100, 0)  # compile
        rounds = [
            (rate(ours, generator, size, count, seed), rate(peer, theirs, size, peer_count, seed) if version else None)
            for seed in range(7)
        ]
        row = f"| {generator} | {size}x{size} | {statistics.median(one for one, _ in rounds):,.0f} |"
        if version:
            their_rate = statistics.median(two for _, two in rounds)
            ratio = statistics.median(one / two for one, two in rounds)
            print(f"{row} {their_rate:,.0f} | {ratio:,.0f} |", flush=True)
        else:
            print(f"{row} | |", flush=True)


if __name__ == "__main__":
    main()
