"""benchmarks/STEPWISE.md, from what benchmarks/stepwise.py has run."""

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from pages import write_page
from stepwise_plan import EVALUATED, ONCE, SPLITS, Judged, Plan, evaluations

COLUMNS = (
    *("observation", "model", "mazes", "reaches goal, %", "95 % of the first seed", "shortest, %", "SPL", "loop rate"),
    *("wall hits", "turns"),
)


class Line(NamedTuple):
    """Results of a model with one observation, over the seeds.

    Attributes:
        cells: per seed: split -> its entry in results.json.
        loops: per seed: split -> share of moves that repeat an earlier move from the same place.
    """

    way: str
    name: str
    cells: list[dict]
    loops: list[dict[str, float]]

    def mean(self, split: str, value) -> float:
        """The mean of a figure over the seeds."""
        return mean(value(cells[split]) for cells in self.cells)


def lines_of(plan: Plan) -> list[Line]:
    """Results of every model with every observation."""
    found: dict[tuple[str, str], Line] = {}
    for one in evaluations(plan):
        folder = one.folder(plan)
        if (folder / "results.json").is_file():
            results, loops = json.loads((folder / "results.json").read_text()), loop_rates(folder)
            for name, cells in results["models"].items():
                line = found.setdefault((one.way, name), Line(one.way, name, [], []))
                line.cells.append(cells)
                line.loops.append(loops[name])
    ways = list(EVALUATED)
    return sorted(found.values(), key=lambda line: (ways.index(line.way), line.name != "base"))


def loop_rates(folder: Path) -> dict[str, dict[str, float]]:
    """Model -> split -> mean share of a rollout's moves that repeat an earlier move from the same place."""
    import pyarrow.parquet

    from ascii_maze.environment.episode import retrace
    from ascii_maze.metrics.path_validity.scoring import parse_moves, read_maze

    shares: dict[str, dict[str, list[float]]] = {}
    columns = ["model", "split", "maze", "completion"]
    for row in pyarrow.parquet.read_table(folder / "predictions.parquet", columns=columns).to_pylist():
        maze = read_maze(row["maze"])
        moves = parse_moves(row["completion"], maze.start) or ""
        loops = retrace(maze, moves)[1] if set(moves) <= set("UDLR") else 0
        shares.setdefault(row["model"], {}).setdefault(row["split"], []).append(loops / max(1, len(moves)))
    return {name: {split: mean(values) for split, values in of.items()} for name, of in shares.items()}


def arrivals(folder: Path, name: str) -> dict[str, bool]:
    """Maze -> whether a model reaches the goal, on the test split; wall hits are allowed."""
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(folder / "predictions.parquet", columns=["id", "model", "split", "reaches_goal"])
    return {
        row["id"]: row["reaches_goal"] for row in rows.to_pylist() if (row["model"], row["split"]) == (name, SPLITS[0])
    }


def paired(one: dict[str, bool], other: dict[str, bool]) -> tuple[int, int, float]:
    """Mazes where only the first and only the second reaches the goal, and the exact two-sided McNemar p."""
    from scipy.stats import binomtest

    first = sum(one[key] and not other[key] for key in one)
    second = sum(other[key] and not one[key] for key in one)
    return first, second, binomtest(first, first + second).pvalue if first + second else 1.0


def pairs_of(plan: Plan) -> Iterator[str]:
    """Rows of the table of paired tests, seed by seed."""
    compared = (
        (ONCE, "sft", "full", "sft_steps"),
        (ONCE, "sft", "local", "sft_local"),
        ("full", "sft_steps", "full", "grpo_steps"),
    )
    for way, one, other_way, other in compared:
        for seed in plan.seeds if other in plan.runs else ():
            folders = [
                Judged(each, seed, [name], plan.limit, False).folder(plan)
                for each, name in ((way, one), (other_way, other))
            ]
            if all((folder / "results.json").is_file() for folder in folders):
                only_one, only_other, p = paired(arrivals(folders[0], one), arrivals(folders[1], other))
                yield f"| {one}, {way} | {other}, {other_way} | {seed} | {only_one} | {only_other} | {p:.2g} |"


def section(plan: Plan) -> str:
    """Results of a base, as Markdown."""
    lines = lines_of(plan)
    if not lines:
        return ""
    sizes = list(dict.fromkeys(size for split in SPLITS for size in lines[0].cells[0][split]["by_size"]))
    once = [name for name, run in plan.runs.items() if run.once and len(plan.seeds) > 1]
    rare = f" ({', '.join(once)}: {plan.seeds[0]})" if once else ""
    text = [
        f"## {plan.base}",
        "",
        f"Seeds {', '.join(map(str, plan.seeds))}{rare}; means over the seeds, mazes of `test`, greedy decoding.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    text += map(row_of, lines)
    text += ["", "Reaches the goal, in per cent, by size:", "", f"| observation | model | {' | '.join(sizes)} |"]
    text.append("|---|---" + "|---" * len(sizes) + "|")
    for line in lines:
        by_size = [
            {size: cell for split in SPLITS for size, cell in of[split]["by_size"].items()} for of in line.cells
        ]
        rates = [
            f"{100 * mean(of[size]['reaches_goal'] for of in by_size):.1f}" if size in by_size[0] else ""
            for size in sizes
        ]
        text.append(f"| {line.way} | {line.name} | {' | '.join(rates)} |")
    if tests := list(pairs_of(plan)):
        text += [
            "",
            "Paired, on the mazes of `test`: mazes where only the first or only the second reaches the goal.",
            "",
        ]
        text += [
            "| first | second | seed | only first | only second | exact McNemar p |",
            "|---" * 6 + "|",
        ]
        text += tests
    text += ["", *run_table(plan)]
    return "\n".join(text)


def row_of(line: Line) -> str:
    """A row of the first table, for the test split."""
    from ascii_maze.evaluation.statistics import wilson

    split = SPLITS[0]
    first = line.cells[0][split]
    low, high = wilson(first["reaches_goal"], first["n"])
    arrives, shortest = (100 * line.mean(split, lambda cell, of=of: cell[of]) for of in ("reaches_goal", "optimal"))
    cells = [line.way, line.name, str(first["n"]), f"{arrives:.1f}", f"{100 * low:.1f} - {100 * high:.1f}"]
    cells.append(f"{shortest:.1f}")
    loops = f"{mean(of[split] for of in line.loops):.2f}"
    if "stepwise" in first:
        of = [line.mean(split, lambda cell, key=key: cell["stepwise"][key]) for key in ("spl", "bumps", "turns")]
        cells += [f"{of[0]:.2f}", loops, f"{of[1]:.1f}", f"{of[2]:.1f}"]
    else:
        cells += ["", loops, "", "1"]
    return f"| {' | '.join(cells)} |"


def run_table(plan: Plan) -> Iterator[str]:
    """Cost of the training runs."""
    yield "| run | seed | steps | tokens, thousands | minutes | on |"
    yield "|---|---|---|---|---|---|"
    for name in plan.runs:
        for seed in plan.seeds:
            path = plan.folder / f"seed-{seed}" / name / "metrics.json"
            if path.is_file():
                run = json.loads(path.read_text())
                numbers = f"{run['steps']} | {run['tokens'] / 1000:.0f} | {run['seconds'] / 60:.1f}"
                yield f"| {name} | {seed} | {numbers} | {run['device']} |"


HEAD = """# One-shot paths and step-by-step rollouts

`python benchmarks/stepwise.py`, {cores} cores ({machine}), Python {python}.

- With `at once` a model sees the whole map and writes its whole path; otherwise it moves, and receives the observation
  named in the row.
- `sft` is trained on whole paths, `sft_steps` briefly on shortest paths as rollouts with observation `full`, and
  `grpo_steps` continues from it; `sft_local` and `sft_window` are trained on rollouts of a depth-first explorer with
  observations `local` and `window:2`. The others are not models: rule-based baselines that receive the same
  observations, and the shortest path.
- A rollout reaches the goal if it ends on G; wall hits are allowed. The loop rate is the share of moves that repeat
  an earlier move from the same place. All are scored by the same scorer, on the same mazes. The base, which may use
  up all its moves, is evaluated on the first of them.
"""


def write_stepwise(plans: list[Plan], page: Path) -> None:
    """STEPWISE.md; see `pages.write_page`."""
    head = HEAD.format(cores=os.cpu_count(), machine=platform.machine(), python=platform.python_version())
    sections = map(section, plans)
    write_page(page, "\n\n".join([head.rstrip(), *filter(None, sections)]))
