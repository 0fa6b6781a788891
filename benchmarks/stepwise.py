"""One-shot paths against step-by-step rollouts, on the same mazes and base: by observation and size, with loop rates.

    python benchmarks/stepwise.py                                               # the embedded model, three seeds
    python benchmarks/stepwise.py --base HuggingFaceTB/SmolLM2-135M-Instruct    # another base and SFT, one seed
    python benchmarks/stepwise.py --runs sft sft_steps sft_window --jobs 3      # some of the runs, such as on a GPU
    python benchmarks/stepwise.py --plan                                        # what remains, with estimates

Writes benchmarks/STEPWISE.md, with a section for each base. Finished runs are skipped; interrupted runs and
evaluations resume. Of the recipes only the seed, the folders and the observation are set; for bases other than the
embedded one also the base and a budget. SFT is not evaluated during training, on which its weights do not depend.
With `--jobs 2` two runs or evaluations share the cores.
"""

import argparse
import json
import multiprocessing
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

HERE = Path(__file__).parent
TINY = "tiny"
SPLITS = ("test", "test_larger")
ONCE = "at once"
OBSERVATIONS = ("full", "window:2", "local", "none")


COLUMNS = (
    *("observation", "model", "mazes", "reaches goal, %", "95 % of the first seed", "shortest, %", "SPL", "loop rate"),
    *("wall hits", "turns"),
)


class Run(NamedTuple):
    """A training run.

    Attributes:
        seen: its observation.
        start: the run whose adapter it starts from.
        minutes: on two cores, for the embedded model and another base.
        once: whether only the first seed makes it.
    """

    recipe: str
    seen: str | None = None
    start: str | None = None
    minutes: tuple[float, float] = (0, 0)
    once: bool = False


RUNS = {
    "sft": Run("sft", minutes=(1.5, 30)),
    "sft_steps": Run("sft_steps", "local", minutes=(10, 40)),
    "sft_window": Run("sft_steps", "window:2", minutes=(10, 40), once=True),
    "grpo_steps": Run("grpo_steps", "local", "sft_steps", minutes=(6, 0)),
}
# Models evaluated per observation. Minutes for 100 mazes of each split, and for all mazes of a base.
EVALUATED = {
    ONCE: ("base", "sft"),
    "full": ("base",),
    "window:2": ("base", "sft_window"),
    "local": ("base", "sft_steps", "grpo_steps"),
    "none": ("base",),
}
MINUTES, BASE_MINUTES = (0.5, 20), (4, 30)


class Plan(NamedTuple):
    """Everything that is run for a base.

    Attributes:
        folder: of its runs and evaluations.
        limit: mazes per split.
        base_limit: mazes per split for the base, step by step.
        ways: how models are evaluated, keys of `EVALUATED`.
        overrides: of the recipes.
    """

    base: str
    folder: Path
    runs: dict[str, Run]
    seeds: list[int]
    limit: int
    base_limit: int
    ways: tuple[str, ...]
    overrides: dict[str, Any]

    def runs_of(self, seed: int) -> dict[str, Run]:
        """The training runs with a seed."""
        return {name: run for name, run in self.runs.items() if not run.once or seed == self.seeds[0]}

    @property
    def is_tiny(self) -> bool:
        """Whether the recipes are those of `recipes/tiny`."""
        return self.base == TINY

    def folder_of(self, name: str, seed: int) -> str:
        """Path to a model: the base, or the folder of a run."""
        return self.base if name == "base" else str(self.folder / f"seed-{seed}" / name)


class Judged(NamedTuple):
    """An evaluation of some models. The base, which may use up all its moves, gets fewer mazes."""

    way: str
    seed: int
    names: list[str]
    limit: int
    baselines: bool

    @property
    def of_base(self) -> bool:
        """Whether it evaluates the base step by step."""
        return self.names == ["base"]

    def folder(self, plan: Plan) -> Path:
        """Where it is written."""
        base = "-base" * self.of_base
        return plan.folder / f"seed-{self.seed}" / f"evaluation-{re.sub(r'[^a-z0-9]+', '-', self.way)}{base}"


def evaluations(plan: Plan) -> Iterator[Judged]:
    """Every evaluation. The base and the rule-based baselines are the same for every seed."""
    for seed in plan.seeds:
        first = seed == plan.seeds[0]
        for way in plan.ways:
            runs = [name for name in EVALUATED[way] if name in plan.runs_of(seed)]
            together = ["base"] * (first and way == ONCE) + runs
            if together:
                yield Judged(way, seed, together, plan.limit, first)
            if first and way != ONCE:
                yield Judged(way, seed, ["base"], min(plan.limit, plan.base_limit), not runs)


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan for a base."""
    folder = options.out / re.sub(r"\W+", "-", options.base).strip("-")
    if options.base == TINY:
        runs = {name: run for name, run in RUNS.items() if name in options.runs}
        return Plan(TINY, folder, runs, options.seeds or [0, 1, 2], options.limit or 500, 100, tuple(EVALUATED), {})
    runs = {name: RUNS[name] for name in ("sft", "sft_steps") if name in options.runs}
    overrides = {"model_name_or_path": options.base, "budget": options.budget}
    return Plan(options.base, folder, runs, options.seeds or [0], options.limit or 100, 20, (ONCE, "local"), overrides)


class Step(NamedTuple):
    """One thing that is run.

    Attributes:
        done: the file that marks it as finished.
        minutes: an estimate.
        needs: the names of the steps before it.
    """

    name: str
    done: Path
    minutes: float
    function: Callable[[], None]
    needs: tuple[str, ...] = ()


def steps_of(plan: Plan) -> Iterator[Step]:
    """Everything that is run."""
    dataset = plan.folder.parent / "ascii-maze-steps"
    yield Step("dataset", dataset / "build.json", 0.3, partial(build, dataset))
    which = 0 if plan.is_tiny else 1
    for seed in plan.seeds:
        for name, run in plan.runs_of(seed).items():
            done, function = (
                plan.folder / f"seed-{seed}" / name / "metrics.json",
                partial(train, plan, seed, name, dataset),
            )
            needs = (f"seed {seed}: {run.start}" if run.start else "dataset",)
            yield Step(f"seed {seed}: {name}", done, run.minutes[which], function, needs)
    for one in evaluations(plan):
        minutes = BASE_MINUTES[which] if one.of_base else MINUTES[which] * len(one.names) * one.limit / 100
        name = f"seed {one.seed}: {one.way}, {' and '.join(one.names)}"
        needs = ("dataset", *(f"seed {one.seed}: {each}" for each in one.names if each != "base"))
        yield Step(name, one.folder(plan) / "results.json", minutes, partial(judge, plan, one, dataset), needs)


def build(dataset: Path) -> None:
    """Build the dataset of all runs, `ascii-maze build steps`."""
    from dataset_builder.build import build as build_dataset
    from dataset_builder.config import load_config

    build_dataset(load_config("steps"), dataset)


def train(plan: Plan, seed: int, name: str, dataset: Path) -> None:
    """Run one training."""
    run, folder = plan.runs[name], plan.folder / f"seed-{seed}"
    words = {"seed": seed, "dataset_name": dataset, "output_dir": folder / name, **plan.overrides}
    if run.seen:
        words["stepwise"] = run.seen
    if run.start:
        words["adapter_name_or_path"] = folder / run.start
    else:
        words["eval_strategy"] = "no"
    recipe = f"recipes/{'tiny/' if plan.is_tiny else ''}{run.recipe}.yaml"
    spelled = [str(word) for key, value in words.items() for word in (f"--{key}", value)]
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", recipe, *spelled]
    with (plan.folder / f"seed-{seed}-{name}.log").open("w") as log:
        subprocess.run(command, stdout=log, stderr=log, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})


def judge(plan: Plan, one: Judged, dataset: Path) -> None:
    """Run one evaluation."""
    from ascii_maze.launch import prepare_process

    prepare_process()
    from ascii_maze.evaluation.options import Options
    from ascii_maze.evaluation.run import evaluate

    models = {name: plan.folder_of(name, one.seed) for name in one.names}
    seen = None if one.way == ONCE else one.way
    evaluate(
        models,
        str(dataset),
        list(SPLITS),
        one.folder(plan),
        Options(limit=one.limit, baselines=one.baselines, stepwise=seen),
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
    compared = ((ONCE, "sft", "local", "sft_steps"), ("local", "sft_steps", "local", "grpo_steps"))
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
- `sft` is trained on whole paths, `sft_steps` and `sft_window` on rollouts of a depth-first explorer with
  observations `local` and `window:2`; `grpo_steps` continues from `sft_steps`. The others are not models: rule-based
  baselines that receive the same observations, and the shortest path.
- A rollout reaches the goal if it ends on G; wall hits are allowed. The loop rate is the share of moves that repeat
  an earlier move from the same place. All are scored by the same scorer, on the same mazes. The base, which may use
  up all its moves, is evaluated on the first of them.
"""


def write_page(plans: list[Plan], page: Path) -> None:
    """STEPWISE.md."""
    from ascii_maze.files import write_text

    head = HEAD.format(cores=os.cpu_count(), machine=platform.machine(), python=platform.python_version())
    sections = map(section, plans)
    write_text(page, "\n\n".join([head.rstrip(), *filter(None, sections)]) + "\n")


def run_all(plan: Plan, jobs: int) -> None:
    """Run everything that is not finished, `jobs` at once."""
    from ascii_maze.models.devices import JOBS

    os.environ[JOBS] = str(jobs)
    steps = {step.name: step for step in steps_of(plan)}
    left = TopologicalSorter({name: step.needs for name, step in steps.items()})
    left.prepare()
    running = {}
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        try:
            while left.is_active():
                for name in left.get_ready():
                    running[pool.submit(run_step, steps[name])] = name
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    done.result()
                    left.done(running.pop(done))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what has not begun does not begin
            raise


def run_step(step: Step) -> None:
    """Run a step that is not finished."""
    if not step.done.is_file():
        print(f"{step.name}", flush=True)
        step.done.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        step.function()
        print(f"  {step.name}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)


def print_plan(plan: Plan) -> None:
    """Print what remains to be run."""
    left = [step for step in steps_of(plan) if not step.done.is_file()]
    for step in left:
        print(f"{step.minutes:6.1f}  {step.name}")
    print(f"{sum(step.minutes for step in left):6.0f} minutes one after another on two idle cores, estimated")


def main() -> None:
    """Run a base and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default=TINY, help="the embedded model, or any that the recipes accept")
    parser.add_argument("--seeds", type=int, nargs="+", help="default: 0 1 2; one for another base")
    parser.add_argument("--runs", nargs="+", choices=list(RUNS), default=list(RUNS), help="default: all")
    parser.add_argument("--limit", type=int, help="mazes per split; default: 500, 100 for another base")
    parser.add_argument("--budget", default="tokens=600000", help="per run of another base")
    parser.add_argument("--out", type=Path, default=Path("outputs/step-by-step"), help="folder for everything")
    parser.add_argument("--page", type=Path, default=HERE / "STEPWISE.md")
    parser.add_argument(
        "--jobs", type=int, default=1, choices=range(1, 17), metavar="N", help="runs and evaluations at once"
    )
    parser.add_argument("--plan", action="store_true", help="print what remains to be run, and stop")
    options = parser.parse_args()
    plan = plan_of(options)
    if options.plan:
        print_plan(plan)
        return
    record = plan.folder / "plan.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    run_all(plan, options.jobs)
    record.write_text(json.dumps({"base": plan.base, "seeds": plan.seeds, "limit": plan.limit}))
    plans = []
    for path in sorted(options.out.glob("*/plan.json")):
        known = json.loads(path.read_text())
        plans.append(plan_of(argparse.Namespace(**{**vars(options), **known})))
    write_page(sorted(plans, key=lambda one: not one.is_tiny), options.page)
    print(options.page)


if __name__ == "__main__":
    main()
