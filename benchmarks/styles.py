"""Every maze style and way of reasoning: speed, and checks that all of them are sound.

    python benchmarks/styles.py

Rows of all four configs of a dataset per second of one core, without deduplicating mazes and writing files (see
build.py for those). Then two checks, each on `--mazes` mazes: maze and answer are parsed back for every combination of
maze style, answer style, reasoning and language, and every search matches an independent implementation of its
algorithm. The first mismatch ends the run and prints the maze.
"""

import argparse
import platform
import random
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from ascii_maze import Maze, generate_mazes, score_path
from ascii_maze.mazes.generators import GENERATORS
from ascii_maze.mazes.prompts import (
    ANSWER_STYLES,
    LANGUAGES,
    PromptStyle,
    format_completion,
    prompt_messages,
    style_of,
)
from ascii_maze.mazes.reasoning import REASONING, check_thought, think, wrap
from ascii_maze.metrics.path_validity.scoring import parse_moves
from ascii_maze.metrics.path_validity.styles import STYLES
from dataset_builder.choose import FINGERPRINT, INDEX, Chosen, candidates
from dataset_builder.config import BuildConfig, Kind
from dataset_builder.rows import tables

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.mazes.replay import REPLAYS, some_mazes

ROWS, READ, CHUNK = 10_000, 1_000, 10_000
KIND = Kind("depth_first", 8, 8, 0.0, "random")
CONFIG = BuildConfig("benchmark", {"8x8": 1}, {"depth_first": 1}, {"train": ROWS})


def row_rate(config: BuildConfig, rounds: int) -> float:
    """Rows of all configs per second, the best of several rounds."""
    found = candidates(config, KIND, 0, ROWS)
    chosen = Chosen(found[FINGERPRINT], np.zeros(ROWS, np.uint16), found[INDEX])
    seconds = []
    for _ in range(rounds + 1):  # the first compiles
        began = time.process_time()
        list(tables(config, [KIND], chosen))
        seconds.append(time.process_time() - began)
    return ROWS / min(seconds[1:])


def print_speeds(rounds: int) -> None:
    """Print the speed of each maze style and each way of reasoning."""
    mazes = generate_mazes("depth_first", 8, 8, READ, 0)
    print("| maze style, 8x8 | rows/s | characters | parsing, mazes/s |\n|---|---|---|---|")
    for style in STYLES:
        texts = mazes.to_ascii(style)
        began = time.process_time()
        for text in texts:
            Maze.from_text(text, style)
        read = READ / (time.process_time() - began)
        rate = row_rate(replace(CONFIG, maze_style=style), rounds)
        print(f"| `{style}` | {rate:,.0f} | {sum(map(len, texts)) / READ:,.0f} | {read:,.0f} |", flush=True)
    print("\n| reasoning, `hash` | rows/s | characters of the thought | true statements |\n|---|---|---|---|")
    for reasoning in REASONING:
        rate = row_rate(replace(CONFIG, reasoning={reasoning: 1}), rounds)
        if reasoning == "none":
            print(f"| `none` | {rate:,.0f} | | |")
            continue
        others = [mazes[-1], *mazes] if reasoning == "corrupt" else mazes
        checked = [check_thought(maze, wrap(think(other, reasoning), "")) for maze, other in zip(mazes, others)]
        length = sum(thought.length for thought in checked) / READ
        share = 100 * sum(thought.share for thought in checked) / READ
        print(f"| `{reasoning}` | {rate:,.0f} | {length:,.0f} | {share:.1f} % |", flush=True)


def check_combinations(count: int) -> None:
    """Check that every combination of styles is parsed back as written, cycling over many mazes."""
    combinations = list(product(LANGUAGES, STYLES, ANSWER_STYLES, REASONING))
    generators = [name for name in GENERATORS if name != "open_rooms"]  # some styles cannot express rooms
    rng = random.Random(0)
    for start in range(0, count, len(combinations)):
        names = rng.choice(generators), rng.randint(2, 8), rng.randint(2, 8)
        mazes = generate_mazes(*names, len(combinations) + 1, start, rng.choice([0, 0.3]))
        for number, names in enumerate(combinations[: count - start]):
            maze, other, style = mazes[number], mazes[number + 1], PromptStyle(*names)
            prompt, path = prompt_messages(maze, style), maze.solve()
            answer = format_completion(maze, path, style, other)
            right = parse_moves(answer, maze.start) == path and score_path(maze, answer).optimal
            if not (right and style_of(prompt) == style and Maze.from_text(prompt[1]["content"], style.maze) == maze):
                sys.exit(f"{style} is not parsed back:\n{maze}\n{answer}")
    print(
        f"\n{count:,} mazes, cycling through {len(combinations)} combinations of styles: "
        "all are parsed back correctly.",
        flush=True,
    )


def check_searches(count: int) -> None:
    """Check that every trace matches its algorithm, and that all its statements are true."""
    unreachable = statements = 0
    for seed, size in enumerate([CHUNK] * (count // CHUNK) + [count % CHUNK] * bool(count % CHUNK)):
        for maze in some_mazes(size, seed)[:size]:
            unreachable += maze.shortest is None
            for reasoning, replay in REPLAYS.items():
                thought = think(maze, reasoning)
                checked = check_thought(maze, wrap(thought, ""))
                if thought != replay(maze) or checked.true != checked.statements:
                    sys.exit(f"{reasoning} does not match its algorithm:\n{maze}\n{thought}")
                statements += checked.statements
    print(
        f"{count:,} mazes with loops, rooms and open edges, {unreachable:,} of them without a path to the goal: "
        f"{', '.join(REPLAYS)} match an independent implementation, move for move; all {statements:,} statements "
        "are true."
    )


def main() -> None:
    """Print two Markdown tables and the results of two checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mazes", type=int, default=100_000, help="mazes per check")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}\n")
    print_speeds(options.rounds)
    check_combinations(options.mazes)
    check_searches(options.mazes)


if __name__ == "__main__":
    main()
