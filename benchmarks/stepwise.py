"""One-shot paths against step-by-step rollouts, on the same mazes and base: by observation and size, with loop rates.

    python benchmarks/stepwise.py                                               # the embedded model, three seeds
    python benchmarks/stepwise.py --base HuggingFaceTB/SmolLM2-135M-Instruct    # another base and SFT, one seed
    python benchmarks/stepwise.py --runs sft sft_local sft_window --jobs 3      # some of the runs, such as on a GPU
    python benchmarks/stepwise.py --plan                                        # what remains, with estimates

Writes benchmarks/STEPWISE.md, with a section for each base. Finished runs are skipped; interrupted runs and
evaluations resume. Of the recipes only the seed, the folders and the observation are set; the budget, where a rollout
is many turns; and for bases other than the embedded one also the base. SFT is not evaluated during training, on which
its weights do not depend. With `--jobs 2` two runs or evaluations share the cores.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from stepwise_page import write_stepwise
from stepwise_plan import BASE_MINUTES, MINUTES, ONCE, RUNS, SPLITS, TINY, Judged, Plan, evaluations, plan_of

HERE = Path(__file__).parent


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
    words = {"seed": seed, "dataset_name": dataset, "output_dir": folder / name}
    if run.budget:
        words["budget"] = run.budget
    words |= plan.overrides
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
    write_stepwise(sorted(plans, key=lambda one: not one.is_tiny), options.page)
    print(options.page)


if __name__ == "__main__":
    main()
