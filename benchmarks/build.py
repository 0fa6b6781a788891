"""Building all four configs to Parquet: rows per second with one and two workers, memory, and scaling with maze size.

    python benchmarks/build.py            # about four minutes on two cores
    python benchmarks/build.py --rows 100000

Rows are mazes that end up in the dataset; more are generated, since duplicates and mazes of other splits are dropped.
Every build runs in its own processes, started after the kernels have been compiled. Seconds include start-up (imports,
worker processes).
"""

import argparse
import math
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pyarrow
import yaml
from generation import peer, rate

GENERATORS = ["depth_first", "prim", "kruskal", "wilson", "hunt_and_kill", "sidewinder", "open_rooms"]
RUN = """
import json, resource, sys, time
from pathlib import Path
from dataset_builder.build import build
from dataset_builder.config import load_config
if __name__ == "__main__":
    began = time.perf_counter()
    build(load_config(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    seconds = time.perf_counter() - began
    peak = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps([seconds, peak[0] / 1024, peak[1] / 1024]))
"""


def measure(folder: Path, sizes: list[str], rows: int, workers: int) -> tuple[float, float]:
    """Seconds of one build, and the peak memory of its largest process in MiB."""
    config = {"name": "benchmark", "sizes": sizes, "generators": GENERATORS, "splits": {"train": rows}}
    path = folder / f"{len(list(folder.iterdir()))}.yaml"
    path.write_text(yaml.safe_dump(config))
    script = folder / "run.py"
    script.write_text(RUN)
    command = [sys.executable, str(script), str(path), str(path.with_suffix("")), str(workers)]
    seconds, own, childs = yaml.safe_load(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return seconds, max(own, childs)


def peer_rate(sizes: list[str]) -> str:
    """Mazes per second of maze-dataset on one core, for comparison; see `generation.py` for how to install it."""
    try:
        peer("gen_dfs", 5, 1, 0)
    except ImportError:
        return "not installed"
    # It only makes square mazes; these have as many cells, on average 34.5 where ours have 34.4.
    widths = [round(math.prod(map(int, size.split("x"))) ** 0.5) for size in sizes]
    return f"{1 / statistics.mean(1 / rate(peer, 'gen_dfs', width, 100, 0) for width in widths):,.0f} mazes/s"


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1, help="each with one worker, then two")
    options = parser.parse_args()
    print(
        f"{platform.machine()}, Python {platform.python_version()}, numba {numba.__version__}, "
        f"pyarrow {pyarrow.__version__}; {', '.join(GENERATORS)} in equal shares\n"
    )
    mixed = [f"{n}x{n}" for n in range(4, 9)] + ["3x7", "4x6", "5x8"]
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), mixed, 5_000, 1)  # compiles
        print("| rows, sizes 3-8 | workers | seconds | rows/s | peak per process, MiB | ratio to one worker |")
        print("|---|---|---|---|---|---|")
        for _ in range(options.rounds):
            one, memory = measure(Path(folder), mixed, options.rows, 1)
            print(f"| {options.rows:,} | 1 | {one:.1f} | {options.rows / one:,.0f} | {memory:,.0f} | |", flush=True)
            two, memory = measure(Path(folder), mixed, options.rows, 2)
            figures = f"{two:.1f} | {options.rows / two:,.0f} | {memory:,.0f} | {one / two:.2f}"
            print(f"| {options.rows:,} | 2 | {figures} |", flush=True)
        print(f"\nmaze-dataset, depth-first, generate + solve + write as text only, same sizes: {peer_rate(mixed)}")
        part = options.rows // 10
        print("\n| cells | seconds per million rows, one worker |\n|---|---|")
        for size in (5, 8, 12, 20):
            seconds, _ = measure(Path(folder), [f"{size}x{size}"], part, 1)
            print(f"| {size}x{size} | {seconds / part * 1e6:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
