"""Generate, solve and render depth-first mazes on one core, beside maze-dataset, in one run.

    pip install --constraint constraints.txt muutils==0.8.12 zanj jaxtyping matplotlib
    pip install --no-deps maze-dataset==1.4.2
    python benchmarks/generation.py

Both make n x n mazes by randomised depth-first search, place two random ends, find the shortest path between them and
write maze and path: ours as two strings each, the peer's as one ASCII picture. Rounds alternate, so that a slow moment
of the machine meets both. Without the peer its column stays empty.
"""

import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable

import numba
import numpy as np

from ascii_maze import generate_mazes


def ours(size: int, count: int, seed: int) -> None:
    """Our whole batch, as Python strings."""
    mazes = generate_mazes("depth_first", size, size, count, seed)
    texts, paths = mazes.to_ascii(), mazes.solve()
    assert len(texts) == len(paths) == count


def peer(size: int, count: int, seed: int) -> None:
    """The same with maze-dataset, through its public interface."""
    from maze_dataset import SolvedMaze
    from maze_dataset.generation import LatticeMazeGenerators

    np.random.seed(seed)
    for _ in range(count):
        maze = LatticeMazeGenerators.gen_dfs(np.array([size, size]))
        path = maze.generate_random_path(endpoints_not_equal=True)
        assert SolvedMaze.from_lattice_maze(maze, path).as_ascii()


def rate(run: Callable[[int, int, int], None], size: int, count: int, seed: int) -> float:
    """Mazes a second."""
    began = time.perf_counter()
    run(size, count, seed)
    return count / (time.perf_counter() - began)


def main() -> None:
    """Print a Markdown table: the median of five rounds, and the ratio."""
    try:
        peer(5, 1, 0)
        version = importlib.metadata.version("maze-dataset")
    except ImportError:
        version = None
    print(
        f"{platform.machine()}, Python {platform.python_version()}, numba {numba.__version__}, "
        f"maze-dataset {version or 'not installed'}\n"
    )
    print("| size | ascii-maze, mazes/s | maze-dataset, mazes/s | ratio |\n|---|---|---|---|")
    for size, count, peer_count in ((5, 200_000, 300), (20, 20_000, 30)):
        ours(size, 100, 0)  # compile
        rounds = [
            (rate(ours, size, count, seed), rate(peer, size, peer_count, seed) if version else None)
            for seed in range(5)
        ]
        mine = statistics.median(one for one, _ in rounds)
        if version:
            theirs = statistics.median(two for _, two in rounds)
            ratio = statistics.median(one / two for one, two in rounds)
            print(f"| {size}x{size} | {mine:,.0f} | {theirs:,.0f} | {ratio:,.0f} |")
        else:
            print(f"| {size}x{size} | {mine:,.0f} | | |")


if __name__ == "__main__":
    main()
