"""A command killed with SIGKILL at twenty moments must give the same output as an uninterrupted run.

    python benchmarks/kills.py merge                       # adds a section to benchmarks/KILLS.md
    python benchmarks/kills.py train --kills 20 --seed 0   # or any other of `COMMANDS`; `study` takes half an hour

The command first runs once without interruption, which measures its total work. One moment is drawn at random from
each twentieth of that, in CPU time, so that the moments stay in place on a busy machine. Then the command runs in
another folder: it is killed at the first moment, restarted, killed at the second, and so on. If it has saved so much
that it finishes before its moment, it is started from scratch and killed then. At random, a kill takes all processes
at once or only the main one. Finally the command runs to its end. Every output file must agree, except for times,
paths and memory (`VARIES`), and no temporary files may be left. What a command needs (a dataset, an adapter) is made
once, in the same folder. Exits with 1 if there are differences.
"""

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import platform
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
DATASET = {
    "name": "kills",
    "sizes": ["4x4"],
    "larger_sizes": ["5x5"],
    "generators": ["depth_first"],
    "splits": {"train": 120, "validation": 8, "test": 24, "test_larger": 8},
    "steps": {"local depth_first": 1},
}
TRAINING = {
    "budget": "tokens=4000",
    "per_device_train_batch_size": 4,
    "warmup_steps": 2,
    "logging_steps": 1,
    "save_steps": 2,
    "eval_steps": 4,
    "eval_limit": 8,
}
STUDY = {
    "dataset": "dataset.yaml",
    "base": "tiny",
    "recipes": {name: f"recipes/tiny/{name}.yaml" for name in ("sft", "orpo", "dpo", "reward", "rlhf", "grpo")},
    "splits": ["test", "test_larger"],
    "mri_limit": 20,
    "overrides": TRAINING,
}
MAZES, TOKENS = DATASET["splits"]["train"], TRAINING["budget"].removeprefix("tokens=")
SIZES = f"The dataset has {MAZES} training mazes of 4x4; training runs use {TOKENS} tokens."
# A group of eight rollouts a step.
ROLLOUTS = {"budget": "steps=4", "per_device_train_batch_size": 8, "save_steps": 1, "eval_steps": 2, "eval_limit": 2}
ROLLOUTS |= {"max_completion_length": 200}
REPO = "org/ascii-maze"
# What may differ between two runs of a command: times, paths, and which steps were resumed. Transformers' `train_loss`
# and TRL's `num_tokens` cover the steps since the trainer was started, `tokens` covers all; `made` holds the hashes of
# files that contain times.
VARIES = re.compile(
    r"seconds|memory|runtime|per_second|step_time|num_tokens|^(date|state|note|command|train_loss|made|product|key)$"
)
# JSON is compared by content. Pages and logs contain times; what they show is also in the JSON and Parquet files.
SAYS_TIMES = (".html", ".md", ".log", ".jsonl", ".png", ".svg")
POLL = 0.05  # seconds


@dataclass(frozen=True)
class Command:
    """A command that is killed.

    Attributes:
        words: after `ascii-maze`; `{out}` is replaced by the output folder.
        needs: folders of `MADE` that it reads.
        ends_with: output file that marks it as finished, if it refuses to run a second time.
        is_fresh: start a new interpreter each time, since it reads environment variables on import.
    """

    words: tuple[str, ...]
    needs: tuple[str, ...] = ()
    ends_with: str = ""
    is_fresh: bool = False


def train_words(out: str, recipe: str = "sft", **changed: object) -> tuple[str, ...]:
    """Arguments of a short real training run."""
    settings = {"dataset_name": "dataset", "model_name_or_path": "tiny", "seed": 0, "output_dir": out, **TRAINING}
    words = (word for key, value in (settings | changed).items() for word in (f"--{key}", str(value)))
    return ("train", f"recipes/tiny/{recipe}.yaml", *words)


def evaluate_words(*more: str) -> tuple[str, ...]:
    """Arguments of an evaluation of the base and an adapter."""
    words = ("evaluate", "tiny", "sft=adapter", "--dataset", "dataset", "--split", "test", "--out", "{out}")
    return (*words, "--batch-size", "8", *more)


# Prerequisites of other commands, by output folder.
MADE = {
    "dataset": ("build", "dataset.yaml", "--out", "dataset"),
    "adapter": train_words("adapter"),
}
COMMANDS = {
    "build": Command(("build", "dataset.yaml", "--out", "{out}", "--workers", "2")),
    "preferences": Command(
        ("build", "dataset.yaml", "--out", "{out}", "--preferences-from", "adapter", "--samples", "4"),
        ("dataset", "adapter"),
    ),
    "train": Command(train_words("{out}"), ("dataset",)),
    "train-steps": Command(
        train_words("{out}", "grpo_steps", adapter_name_or_path="adapter", **ROLLOUTS), ("dataset", "adapter")
    ),
    "evaluate": Command(evaluate_words(), ("dataset", "adapter")),
    "evaluate-steps": Command(evaluate_words("--stepwise", "local"), ("dataset", "adapter")),
    "merge": Command(
        ("merge", "adapter", "--out", "{out}", "--dataset", "dataset", "--margin", "1"),
        ("dataset", "adapter"),
        ends_with="merge.json",
    ),
    "mri": Command(
        ("mri", "--adapter", "sft=adapter", "--dataset", "dataset", "--limit", "20", "--out", "{out}"),
        ("dataset", "adapter"),
    ),
    "push": Command(("push", "dataset", "dataset", "--repo", REPO), ("dataset",), is_fresh=True),
    "study": Command(("study", "study.yaml", "--out", "{out}")),
}


class Moment(NamedTuple):
    """When to kill: `seconds` of CPU time after the start. `group`: every process, not only the main one."""

    seconds: float
    group: bool


class Run:
    """A command as a process in its own process group; its output goes to a file.

    It is forked from this process, which has already imported the slow packages, so that kills hit the actual work.
    """

    def __init__(
        self, words: tuple[str, ...], folder: Path, out: str, variables: dict[str, str], is_fresh: bool = False
    ):
        words = tuple(word.replace("{out}", out) for word in words)
        context = multiprocessing.get_context("spawn" if is_fresh else "fork")
        self.process = context.Process(target=run_command, args=(words, folder, folder / f"{out}.log", variables))
        self.process.start()
        self.words, self.total = words, 0.0

    def spent(self) -> float:
        """CPU seconds of the command and all its child processes."""
        total = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.process.pid)
            for process in (first, *first.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += sum(process.cpu_times()[:4])  # its own and those of finished children
        self.total = max(self.total, total)
        return self.total

    def kill_at(self, moment: Moment) -> float | None:
        """Wait for a moment and kill; returns the CPU seconds spent, or None if the command had already finished."""
        while self.process.is_alive():
            if self.spent() >= moment.seconds:
                if moment.group and os.getpgid(self.process.pid) == self.process.pid:
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.kill()
                self.process.join()
                return self.total
            time.sleep(POLL)
        return None

    def end(self) -> float:
        """Wait for the end; returns the CPU seconds spent.

        Raises:
            SystemExit: the command failed.
        """
        while self.process.is_alive():
            self.spent()
            time.sleep(POLL)
        if self.process.exitcode:
            sys.exit(f"ascii-maze {' '.join(self.words)} failed with {self.process.exitcode}; see its log")
        return self.total


def run_command(words: tuple[str, ...], folder: Path, log: Path, variables: dict[str, str]) -> None:
    """Run `ascii-maze WORDS` in a folder, in the forked process."""
    os.setsid()
    os.chdir(folder)
    with log.open("ab", buffering=0) as sink:
        for stream in (1, 2):
            os.dup2(sink.fileno(), stream)
    sys.stdin.close()
    os.environ.update(variables)
    tempfile.tempdir = None  # tempfile caches its first lookup
    sys.argv = ["ascii-maze", *words]
    from ascii_maze.cli import main

    main()


def import_all() -> None:
    """Import what the commands import, which would otherwise take most of their time."""
    os.environ |= {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    sys.path.insert(0, str(ROOT))
    import bitsandbytes  # noqa: F401
    import datasets  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import transformers.models.llama.modeling_llama  # noqa: F401
    import trl.trainer.sft_trainer  # noqa: F401

    from ascii_maze.launch import prepare_process
    from ascii_maze.training import run  # noqa: F401

    prepare_process()


def draw(seconds: float, kills: int, seed: int) -> list[Moment]:
    """One random moment in each of `kills` equal parts of the total time, in order."""
    source = random.Random(seed)
    return [Moment(seconds * (part + source.random()) / kills, source.random() < 0.5) for part in range(kills)]


def contents(folder: Path) -> dict[str, object]:
    """Everything that must agree, by path: the content of JSON and YAML, the hash of other files."""
    found: dict[str, object] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json":
            found[name] = steady(json.loads(path.read_text().replace(folder.name, "OUT")))
        elif path.suffix in SAYS_TIMES or path.name in (".ascii-maze", "lock"):
            found[name] = "is there"
        elif path.suffix == ".yaml":
            found[name] = path.read_text().replace(folder.name, "OUT")
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def steady(value):
    """The value without keys in `VARIES`, such as times and the hashes of files that contain times."""
    if isinstance(value, dict):
        return {key: steady(inner) for key, inner in value.items() if not VARIES.search(key)}
    return [steady(inner) for inner in value] if isinstance(value, list) else value


def differences(one, other, place: str = "") -> list[str]:
    """Differences between two values, one per line."""
    if isinstance(one, dict) and isinstance(other, dict):
        missing = [f"{place}/{key}: in only one of the two" for key in sorted(one.keys() ^ other.keys())]
        return missing + [
            line for key in one if key in other for line in differences(one[key], other[key], f"{place}/{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [line for key, pair in enumerate(zip(one, other)) for line in differences(*pair, f"{place}/{key}")]
    return [] if one == other else [f"{place}: {str(one)[:80]} uninterrupted, {str(other)[:80]} killed"]


def count(value) -> int:
    """Count the numbers in a value."""
    if isinstance(value, dict | list):
        return sum(map(count, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int | float)


class Place(NamedTuple):
    """Where a command writes: environment variables, its current contents, and how to start from scratch."""

    variables: dict[str, str]
    made: Callable[[], dict[str, object]]
    clear: Callable[[], object]


@contextlib.contextmanager
def place(name: str, folder: Path, out: str) -> Iterator[Place]:
    """The output folder of a command; for a push, its own Hub server."""
    if name != "push":
        temporary = folder / f"{out}-temporary"
        temporary.mkdir()

        def made() -> dict[str, object]:
            """Contents of the folder, and files left next to it or in the temporary directory."""
            left = [*folder.glob(f".{out}*"), *temporary.iterdir()]
            return {**contents(folder / out), **{f"left over: {path.name}": "is there" for path in left}}

        yield Place({"TMPDIR": str(temporary)}, made, lambda: shutil.rmtree(folder / out, ignore_errors=True))
        return
    sys.path.insert(0, str(ROOT))
    from tests.hub.server import HubServer
    from tests.hub.store import User

    (folder / out).mkdir()
    token = "hf_" + "W" * 34
    with HubServer(folder / out) as hub:
        hub.store.users[token] = User("ann", "write", ("org",))

        def published() -> dict[str, object]:
            """Files of the latest commit, and the number of commits."""
            repo = hub.store.repos.get(("dataset", REPO))
            history = repo.history("main") if repo else []
            files = {path: file.sha256 or file.oid for path, file in history[0].files.items()} if history else {}
            return {**files, "commits": len(history)}

        variables = {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        yield Place({**variables, "HF_HOME": str(folder / "hf-home")}, published, hub.store.repos.clear)


def killed(command: Command, name: str, folder: Path, moments: list[Moment]) -> tuple[dict[str, object], list[str]]:
    """Kill the command at all moments, then let it finish; returns its output and a table row per kill."""
    lines = []
    end = folder / "killed" / command.ends_with

    def ended() -> bool:
        return bool(command.ends_with) and end.is_file()

    with place(name, folder, "killed") as where:
        for number, moment in enumerate(moments, 1):
            begun = "resumed"
            if ended() or not Run(command.words, folder, "killed", where.variables, command.is_fresh).kill_at(moment):
                where.clear()  # it had saved so much that it finished
                begun = "from scratch"
                Run(command.words, folder, "killed", where.variables, command.is_fresh).kill_at(moment)
            what = "all processes" if moment.group else "main process"
            line = last_line(folder / "killed.log")
            lines.append(f"| {number} | {moment.seconds:.1f} s | {begun if number > 1 else ''} | {what} | {line} |")
            print(lines[-1], flush=True)
        if not ended():
            Run(command.words, folder, "killed", where.variables, command.is_fresh).end()
        return where.made(), lines


def last_line(log: Path) -> str:
    """The last line of a log; empty if there is none."""
    lines = re.split(r"\r|\n|\x1b\[A", log.read_text(errors="replace")) if log.is_file() else []
    return next((line.strip()[:60].replace("|", " ") for line in reversed(lines) if line.strip()), "")


def section(name: str, options, seconds: float, whole: dict, wrong: list[str], lines: list[str]) -> str:
    """A section of the page: what was killed when, and whether the outputs agree."""
    from importlib.metadata import version

    packages = ", ".join(f"{package} {version(package)}" for package in ("torch", "transformers", "trl", "peft"))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    agreed = f"No differences: {len(whole)} files, with {count(whole):,} numbers in JSON, and no leftover files."
    return "\n".join(
        [
            f"\n## {name}, killed at {len(lines)} moments\n",
            f"`python benchmarks/kills.py {name} --kills {options.kills} --seed {options.seed}`; {machine},",
            f"{packages}.",
            f"An uninterrupted run took {seconds:.1f} CPU seconds. {SIZES}\n",
            *(["Differences:\n", *(f"- {line}" for line in wrong[:20])] if wrong else [agreed]),
            "\n| | after | started | killed | last line of output |\n|---|---|---|---|---|",
            *lines,
            "",
        ]
    )


def main() -> None:
    """Run the command uninterrupted and killed, compare, and add a section to the page."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Example: python benchmarks/kills.py merge --kills 5 --page /tmp/kills.md",
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=Path("outputs/kills"), help="folder for everything")
    parser.add_argument("--page", type=Path, default=Path(__file__).parent / "KILLS.md")
    options = parser.parse_args()
    command, folder = COMMANDS[options.command], (options.out / options.command).resolve()
    if folder.exists():
        sys.exit(f"kills.py: {folder} exists; remove it, or give another --out")
    folder.mkdir(parents=True)
    import_all()
    (folder / "dataset.yaml").write_text(yaml.safe_dump(DATASET))
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    for needed in command.needs:
        Run(MADE[needed], folder, needed, {}).end()
    with place(options.command, folder, "alone") as where:
        seconds = Run(command.words, folder, "alone", where.variables, command.is_fresh).end()
        whole = where.made()
    print(f"uninterrupted: {seconds:.1f} CPU seconds", flush=True)
    then, lines = killed(command, options.command, folder, draw(seconds, options.kills, options.seed))
    wrong = differences(whole, then)
    text = section(options.command, options, seconds, whole, wrong, lines)
    with options.page.open("a") as page:
        page.write(text)
    print(text)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
