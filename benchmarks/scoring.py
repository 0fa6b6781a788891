"""Answers scored per second: `score_path` against reasoning-gym's scorer, the metric against exact_match.

`score_paths` is `score_path` in bulk: the same scores, as a list.

    pip install reasoning-gym
    python benchmarks/scoring.py                                # exact_match comes from the Hub
    python benchmarks/scoring.py --exact-match FOLDER           # or from a copy of its module

One process, 5x5 depth-first mazes as text, solutions and other answers as letters. `new mazes`: every answer is to a
different maze, which has to be parsed and searched. `8 answers per maze`: as in sampling and in GRPO. Rounds
alternate; medians. Then, in CPU time, the minimum of all rounds: strict and lenient parsing of short answers, one
wrong answer to mazes of growing size, and `ascii-maze show` of corridors of up to 300,000 characters.
"""

import argparse
import contextlib
import io
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from types import SimpleNamespace

import evaluate

from ascii_maze import Maze, generate_mazes, metric_path, score_path
from ascii_maze.evaluation.show import draw, find_drawings
from ascii_maze.metrics.path_validity.bulk import score_paths
from ascii_maze.metrics.path_validity.lenient import parse_lenient
from ascii_maze.metrics.path_validity.scoring import parse_moves

WORDS = dict(zip("UDLR", ("Up", "Down", "Left", "Right")))
EMOJI = dict(zip("UDLR", "⬆⬇⬅➡"))
# Notations of short answers.
FORMS: dict[str, Callable[[str], str]] = {
    "as asked": " ".join,
    "bold": lambda moves: f"**{' '.join(moves)}**",
    "label and full stop": lambda moves: f"Answer: {' '.join(moves)}.",
    "commas": lambda moves: f"{', '.join(moves)}.",
    "words": lambda moves: f"{', '.join(map(WORDS.__getitem__, moves))}.",
    "emoji": lambda moves: " ".join(EMOJI[move] + "\ufe0f" for move in moves),
    "sentence": lambda moves: f"The shortest path from S to G is {' '.join(moves)}.",
    "no path": lambda moves: "I'm sorry, but I cannot find a path through this maze.",
}


def answers(solutions: list[str]) -> list[str]:
    """Half are correct; of the others, half stop early and half run into a wall."""
    rng, written = random.Random(0), []
    for solution in solutions:
        cut = rng.randrange(1, len(solution) + 1)
        spoiled = rng.choice([solution[:cut], solution[:cut] + rng.choice("UDLR") + solution[cut:]])
        written.append(" ".join(rng.choice([solution, spoiled])))
    return written


def gym_scorer() -> Callable[[list[str], list[str]], list[float]] | None:
    """reasoning-gym's scorer of paths in a grid, over our mazes in its alphabet; None if it is not installed."""
    try:
        from reasoning_gym.graphs.shortest_path import ShortestPathConfig, ShortestPathDataset
    except ImportError:
        return None
    dataset = ShortestPathDataset(ShortestPathConfig(size=1))

    def score(entries: list[dict], completions: list[str]) -> list[float]:
        return [dataset.score_answer(answer, entry) for answer, entry in zip(completions, entries)]

    return score


def gym_case(text: str, solution: str, answer: str) -> tuple[dict, str]:
    """A maze and an answer in reasoning-gym's format: a matrix of `*#OX`, moves as words."""
    words = dict(zip("UDLR", ("up", "down", "left", "right")))
    matrix = [list(row) for row in text.translate(str.maketrans("SG# ", "*#XO")).split("\n")]
    spoken = [" ".join(words[move] for move in moves.replace(" ", "")) for moves in (solution, answer)]
    return {"answer": spoken[0], "metadata": {"matrix": matrix}}, spoken[1]


def medians(tasks: dict[str, Callable], count: int, rounds: int) -> dict[str, float]:
    """Microseconds per answer of each task, the median of alternating rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) / count * 1e6 for name, times in seconds.items()}


def least(tasks: dict[str, Callable], count: int, rounds: int) -> dict[str, float]:
    """Microseconds of CPU time per answer of each task, the minimum of alternating rounds, robust to other load."""
    seconds = dict.fromkeys(tasks, float("inf"))
    for _ in range(rounds):
        for name, task in tasks.items():
            began = time.process_time()
            task()
            seconds[name] = min(seconds[name], time.process_time() - began)
    return {name: least / count * 1e6 for name, least in seconds.items()}


def case(count: int, each: int) -> SimpleNamespace:
    """`count` answers, `each` per maze, in all the formats that the scorers expect."""
    mazes = generate_mazes("depth_first", 5, 5, count // each, each)
    texts = [text for text in mazes.to_ascii() for _ in range(each)]
    solutions = [" ".join(solution) for solution in mazes.solve() for _ in range(each)]
    given = answers([solution.replace(" ", "") for solution in solutions])
    gym = [gym_case(*triple) for triple in zip(texts, solutions, given)]
    return SimpleNamespace(
        texts=texts,
        solutions=solutions,
        given=given,
        entries=[e for e, _ in gym],
        spoken=[answer for _, answer in gym],
    )


def print_readings(count: int, rounds: int) -> None:
    """Print the table of strict and lenient parsing, per notation and for a mixture."""
    solutions = generate_mazes("depth_first", 5, 5, count, 0).solve()
    written = {name: [form(moves) for moves in solutions] for name, form in FORMS.items()}
    every = list(written.values())
    written["mixture of these"] = [every[number % len(every)][number] for number in range(count)]
    print("\n| answers | parse_moves, us | parse_lenient, us | lenient answers/s | ratio |\n|---|---|---|---|---|")
    for name, texts in written.items():
        times = least(
            {
                "strict": lambda texts=texts: list(map(parse_moves, texts)),
                "lenient": lambda texts=texts: list(map(parse_lenient, texts)),
            },
            count,
            rounds,
        )
        strict, lenient = times.values()
        print(f"| {name} | {strict:.2f} | {lenient:.2f} | {1e6 / lenient:,.0f} | {lenient / strict:.1f} |")


def print_sizes(rounds: int) -> None:
    """Print the table of one wrong answer to mazes of growing size, parsed and searched each time."""
    print("\n| cells | characters | wrong answer, ms | us per character |\n|---|---|---|---|")
    for size in (5, 10, 20, 40, 100, 200):
        text = generate_mazes("depth_first", size, size, 1, 0)[0].to_ascii()
        times = least({"wrong": lambda text=text: score_path(Maze.from_ascii(text), "D R D")}, 1, rounds)
        print(f"| {size}x{size} | {len(text):,} | {times['wrong'] / 1e3:.2f} | {times['wrong'] / len(text):.2f} |")


def print_shown(rounds: int) -> None:
    """Print the table of `ascii-maze show` of long corridors: read from a file, solved and drawn."""

    def show(file: str) -> None:
        for group in find_drawings(file, "train", 1):
            draw(group)

    print("\n| map | show, ms | us per character |\n|---|---|---|")
    for length in (3_000, 30_000, 300_000):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file, contextlib.redirect_stdout(io.StringIO()):
            file.write(f"S{' ' * (length - 2)}G")
            file.flush()
            micros = least({"show": lambda name=file.name: show(name)}, 1, rounds)["show"]
        print(f"| 1x{length:,} | {micros / 1e3:.1f} | {micros / length:.1f} |")


def main() -> None:
    """Print four Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--exact-match", default="exact_match")
    options = parser.parse_args()
    metric, exact = evaluate.load(metric_path()), evaluate.load(options.exact_match)
    gym = gym_scorer()
    print(f"{platform.machine()}, Python {platform.python_version()}, evaluate {evaluate.__version__}\n")
    print("| answers | scorer | us per answer | answers/s | ratio |")
    print("|---|---|---|---|---|")
    for name, each in (("new mazes", 1), ("8 answers per maze", 8)):
        cases = case(options.count, each)
        for kind, given, spoken in (
            ("solutions", cases.solutions, [entry["answer"] for entry in cases.entries]),
            ("half of them wrong", cases.given, cases.spoken),
        ):
            direct = {"score_path": lambda given=given, cases=cases: list(map(score_path, cases.texts, given))}
            direct["score_paths"] = lambda given=given, cases=cases: score_paths(cases.texts, given)
            if gym:
                direct["reasoning-gym"] = lambda spoken=spoken, cases=cases: gym(cases.entries, spoken)
            through = {
                "exact_match": lambda given=given, cases=cases: exact.compute(
                    predictions=given, references=cases.solutions
                ),
                "path_validity": lambda given=given, cases=cases: metric.compute(
                    predictions=given, references=cases.texts
                ),
            }
            for tasks in (direct, through):
                times = medians(tasks, options.count, options.rounds)
                first = next(iter(times.values()))
                for what, micros in times.items():
                    print(f"| {kind}, {name} | {what} | {micros:.2f} | {1e6 / micros:,.0f} | {micros / first:.2f} |")
    print_readings(options.count, options.rounds)
    print_sizes(options.rounds)
    print_shown(options.rounds)


if __name__ == "__main__":
    main()
