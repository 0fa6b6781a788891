"""A small real study, killed with SIGKILL at twenty moments, against the same study left alone: the same figures.

    python benchmarks/kills.py           # writes benchmarks/KILLS.md; a quarter of an hour on two cores
    python benchmarks/kills.py --kills 40 --seed 1 --page outputs/kills/KILLS.md

The study is the demo's with little of everything: six real 4-bit QLoRA trainings of the embedded model, a checkpoint
every second step, evaluation and MRI. It runs once undisturbed, which tells how much work each stage is. A moment is
drawn from each twentieth of it, from the first second to the writing of the report; what is counted is the time of the
processors, so that the moments stay where they are on a machine that has other things to do. Then the study runs in
another folder: it is killed when it has got to the first moment, started again, killed at the second, and so on. By
the toss of a coin the kill takes all its processes at once, or the study alone, whose command must then end by itself.
At last it is let to its end. What must agree: all of results.json but times, paths and memory, the files of the
dataset, the bytes of every adapter, and every answer. Exits 1 where something does not. What ran undisturbed is not
run again.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import yaml

METHODS = ("sft", "orpo", "dpo", "reward", "rlhf", "grpo")
DATASET = {
    "name": "kills",
    "sizes": ["4x4"],
    "larger_sizes": ["5x5"],
    "generators": ["depth_first"],
    "splits": {"train": 400, "validation": 16, "test": 40, "test_larger": 20},
}
OVERRIDES = {
    "budget": "tokens=16000",
    "per_device_train_batch_size": 16,
    "warmup_steps": 2,
    "logging_steps": 1,
    "save_steps": 2,
    "eval_steps": 4,
    "eval_limit": 8,
}
STUDY = {
    "base": "tiny",
    "recipes": {name: f"recipes/tiny/{name}.yaml" for name in METHODS},
    "splits": ["test", "test_larger"],
    "mri_limit": 20,
    "overrides": OVERRIDES,
}
# What differs between two runs of the same: what they took, where they lie, and which of their stages were resumed.
# Transformers' `train_loss` and TRL's `num_tokens` are of the steps since the trainer was started, `tokens` of all.
VARIES = re.compile(r"seconds|memory|runtime|per_second|step_time|num_tokens|^(state|note|command|train_loss)$")
POLL = 0.2  # seconds
END = "report"  # what comes after the last stage


class Moment(NamedTuple):
    """When to kill: so many seconds of the processors after a stage has begun; `group`: every process, not one."""

    stage: str
    seconds: float
    group: bool


class Run:
    """The study as a process that leads a group of its own; its output goes to a file."""

    def __init__(self, file: Path, out: Path):
        self.out, self.clock = out, time.time()
        command = [sys.executable, "-m", "ascii_maze", "study", str(file), "--out", str(out)]
        with (out.parent / f"{out.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
            )

    def begun(self, stages: list[str]) -> list[str]:
        """The stages that this process has begun, and `END` once all have finished."""
        records = {name: self.out / "stages" / f"{name}.json" for name in stages}
        found = [name for name, path in records.items() if path.is_file() and path.stat().st_mtime >= self.clock]
        finished = [
            name for name, path in records.items() if path.is_file() and json.loads(path.read_text())["finished"]
        ]
        return [*found, *([END] if len(finished) == len(stages) else [])]

    def spent(self) -> float:
        """Seconds of the processors, of the study and all that it has started."""
        total = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            study = psutil.Process(self.process.pid)
            for process in (study, *study.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += sum(process.cpu_times()[:4])  # its own and those of its ended children
        return total

    def kill(self, group: bool) -> None:
        """SIGKILL, to every process of the group or to the study alone."""
        if group:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def left_alone(file: Path, out: Path, stages: list[str]) -> dict[str, float]:
    """Run the study to its end: stage -> the second at which it began; `END` and the second of the end come last."""
    run, began, spent = Run(file, out), {"start": 0.0}, 0.0
    while run.process.poll() is None:
        spent = max(spent, run.spent())
        for name in run.begun(stages):
            began.setdefault(name, spent)
        time.sleep(POLL)
    if run.process.returncode:
        sys.exit(f"the study itself failed; see {out.parent / out.name}.log")
    return {**began, "": spent}


def draw(timeline: dict[str, float], kills: int, seed: int) -> list[Moment]:
    """A moment at random in each of so many equal parts of the whole time, in order."""
    source, moments = random.Random(seed), []
    for part in range(kills):
        at = timeline[""] * (part + source.random()) / kills
        stage = max((name for name in timeline if timeline[name] <= at), key=timeline.__getitem__)
        moments.append(Moment(stage, at - timeline[stage], source.random() < 0.5))
    return moments


def kill_at(moment: Moment, file: Path, out: Path, stages: list[str]) -> str:
    """Start the study and kill it; what it was then doing, empty where it had come to its end.

    A stage that goes on from its checkpoints may be over sooner than it was; then the kill comes as soon as it is.
    """
    run = Run(file, out)
    order = ["start", *stages, END]
    wanted, reached = order.index(moment.stage), None
    while run.process.poll() is None:
        at, spent = max(map(order.index, ["start", *run.begun(stages)])), run.spent()
        reached = spent if reached is None and at >= wanted else reached
        if reached is not None and (at > wanted or spent - reached >= moment.seconds):
            run.kill(moment.group)
            return f"{order[at]}, {last_line(out / 'stages' / f'{order[at]}.log')}"
        time.sleep(POLL)
    return ""


def last_line(log: Path) -> str:
    """The newest line of a log; empty where there is none."""
    lines = re.split(r"\r|\n|\x1b\[A", log.read_text(errors="replace")) if log.is_file() else []
    return next((line.strip()[:60] for line in reversed(lines) if line.strip()), "")


def figures(out: Path) -> dict:
    """All that must agree, by name; paths under the study's folder as if it were the same."""
    results = json.loads((out / "results.json").read_text().replace(str(out), "OUT"))
    metrics = {
        name: json.loads((out / name / "metrics.json").read_text().replace(str(out), "OUT")) for name in METHODS
    }
    import pyarrow.parquet

    answers = pyarrow.parquet.read_table(out / "evaluation" / "predictions.parquet").to_pylist()
    return {
        "results.json": steady(results),
        "metrics.json": steady(metrics),
        "dataset": json.loads((out / "dataset" / "build.json").read_text())["files"],
        "adapters": {
            name: hashlib.sha256((out / name / "adapter_model.safetensors").read_bytes()).hexdigest()
            for name in METHODS
        },
        "answers": answers,
    }


def steady(value):
    """The same without what `VARIES`."""
    if isinstance(value, dict):
        return {key: steady(inner) for key, inner in value.items() if not VARIES.search(key)}
    return [steady(inner) for inner in value] if isinstance(value, list) else value


def differences(one, other, place: str = "") -> list[str]:
    """Where two values differ, each as a line."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [line for key in one for line in differences(one[key], other[key], f"{place}/{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [line for key, pair in enumerate(zip(one, other)) for line in differences(*pair, f"{place}/{key}")]
    return [] if one == other else [f"{place}: {str(one)[:80]} alone, {str(other)[:80]} killed"]


def count(value) -> int:
    """Numbers in a value."""
    if isinstance(value, dict | list):
        return sum(map(count, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int | float)


def resumed(out: Path) -> set[str]:
    """Trainings whose newest attempt went on from a checkpoint."""
    logs = (out / "stages").glob("train-*.log")
    return {log.stem.removeprefix("train-") for log in logs if "going on from" in log.read_text(errors="replace")}


def render(
    command: str, timeline: dict, killed: list[tuple[Moment, str]], went_on: set[str], whole: dict, wrong: list[str]
) -> str:
    """The page: what was killed when, and what agreed."""
    from importlib.metadata import version

    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "trl", "peft"))
    lines = [
        f"# A study killed at {len(killed)} moments\n",
        f"`{command}`, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {packages}.",
        f"Seconds are the processors'. Left alone it took {timeline['']:.0f}.",
        f"Trainings that went on from a checkpoint: {', '.join(sorted(went_on)) or 'none'}.",
        "Not compared: times, paths, memory, and Transformers' `train_loss` and TRL's `num_tokens` in the logs of the",
        "trainings, which are of the steps since the newest start; our `tokens` are of all steps, and agree.\n",
        *(["Something differs:\n", *(f"- {line}" for line in wrong[:20])] if wrong else [agreed(whole)]),
        "\n| | moment | what was killed | it was at | newest line of its log |\n|---|---|---|---|---|",
    ]
    for number, (moment, doing) in enumerate(killed, 1):
        at, _, line = doing.partition(", ")
        what = "all processes" if moment.group else "the study"
        lines.append(
            f"| {number} | {moment.stage} + {moment.seconds:.1f} s | {what} | {at} | {line.replace('|', ' ')} |"
        )
    return "\n".join([*lines, ""])


def agreed(whole: dict) -> str:
    """What did, in numbers."""
    valid = {name: by_split["test"]["valid"] for name, by_split in whole["results.json"]["models"].items()}
    shown = ", ".join(f"{name} {100 * valid[name]:.1f}" for name in ("base", *METHODS) if name in valid)
    return (
        f"Nothing differs: {count(whole['results.json']):,} numbers of results.json, {count(whole['metrics.json']):,} "
        "of the six metrics.json, the bytes of the six adapters and of the dataset, and "
        f"{len(whole['answers']):,} answers. Valid walks, for one: {shown} per cent, in both."
    )


def main() -> None:
    """Run both, compare, write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Example: python benchmarks/kills.py --kills 5 --page /tmp/kills.md",
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=Path("outputs/kills"), help="folder for both studies")
    parser.add_argument("--page", type=Path, default=Path(__file__).parent / "KILLS.md")
    options = parser.parse_args()
    shutil.rmtree(options.out / "killed", ignore_errors=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "dataset.yaml").write_text(yaml.safe_dump(DATASET))
    file = options.out / "study.yaml"
    file.write_text(yaml.safe_dump({**STUDY, "dataset": str(options.out / "dataset.yaml")}))
    stages = ["build", *(f"train-{name}" for name in METHODS), "evaluate", "mri"]

    known = options.out / "alone.json"
    if not known.is_file():
        shutil.rmtree(options.out / "alone", ignore_errors=True)
        known.write_text(json.dumps(left_alone(file, options.out / "alone", stages)))
    timeline = json.loads(known.read_text())
    stages.sort(key=timeline.__getitem__)  # as the study orders them
    print(", ".join(f"{name} {second:.1f}" for name, second in timeline.items()), flush=True)
    killed, went_on = [], set()
    for moment in draw(timeline, options.kills, options.seed):
        doing = kill_at(moment, file, options.out / "killed", stages)
        print(f"{moment}: {doing or 'was over'}", flush=True)
        killed.append((moment, doing))
        went_on |= resumed(options.out / "killed")
    if Run(file, options.out / "killed").process.wait():
        sys.exit(f"the killed study failed; see {options.out / 'killed'}.log")
    whole = figures(options.out / "alone")
    wrong = differences(whole, figures(options.out / "killed"))
    command = f"python benchmarks/kills.py --kills {options.kills} --seed {options.seed}"
    page = render(command, timeline, killed, went_on, whole, wrong)
    options.page.write_text(page)
    print(page)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
