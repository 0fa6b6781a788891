"""Build on many processes or machines with datatrove: the same stages, the same bytes.

    pip install 'ascii-maze[distributed]'
    python -m dataset_builder.distributed ascii-maze --out ascii-maze --tasks 8
    python -m dataset_builder.distributed big.yaml --out /shared/big --executor slurm --tasks 500 \
        --option time=02:00:00 --option partition=cpu
    python -m dataset_builder.distributed big.yaml --out /data/big --executor jobs --tasks 64 --machines 8 \
        --bucket ORG/mazes --flavor cpu-upgrade

Every rank takes every `tasks`-th job of a stage. Stages wait for one another through datatrove's records in the log
folder. All ranks must see `--out` and the logs: one file system, or for Hugging Face Jobs a bucket mounted at /data.

benchmarks/BUILD.md has the cost of a billion rows.
"""

import shlex
import sys
import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep

from ascii_maze.errors import AsciiMazeError, UsageError, one_line, printable
from ascii_maze.files import output_folder, write_text
from ascii_maze.terminal import plain_app

from .build import begin, finish, hash_jobs, hash_mazes, plan, write_part
from .choose import check_mazes, parts
from .config import BuildConfig, load_config
from .schema import RECORD
from .staging import complete_record, record_of, staging_folder

MOUNT = "/data"


def plan_rank(config: BuildConfig, out: Path, rank: int, world_size: int) -> None:
    """Stage 1, one rank."""
    with output_folder(out, wait=True):
        if not begin(config, out):
            plan(config, out)


def hash_rank(config: BuildConfig, out: Path, rank: int, world_size: int) -> None:
    """This rank's share of stage 2."""
    with output_folder(out, shared=True):
        for job in hash_jobs(plan(config, out))[rank::world_size]:
            hash_mazes((config, out, *job))


def write_rank(config: BuildConfig, out: Path, rank: int, world_size: int) -> None:
    """This rank's share of stage 3."""
    with output_folder(out, shared=True):
        hashed = plan(config, out)
        for part in parts(config)[rank::world_size]:
            write_part((config, out, hashed, part))


def finish_rank(config: BuildConfig, out: Path, rank: int, world_size: int) -> None:
    """Stage 4, one rank."""
    with output_folder(out, wait=True):
        if not begin(config, out):
            finish(config, out)


STAGES = (("plan", plan_rank), ("hash", hash_rank), ("write", write_rank), ("finish", finish_rank))


class Stage(PipelineStep):
    """One stage of the build as a step of datatrove; no documents pass through it."""

    type = "MAZES"

    def __init__(self, name: str, work: Callable, config: BuildConfig, out: Path) -> None:
        self.name = name  # labels the stage's statistics
        super().__init__()
        self.work, self.config, self.out = work, config, out

    def run(self, data=None, rank: int = 0, world_size: int = 1):
        """Do this rank's share, unless the dataset is already complete."""
        if not record_of(self.config, self.out):
            with self.track_time():
                self.work(self.config, self.out, rank, world_size)
        yield from data or ()


def chain(
    config: BuildConfig, out: Path, logs: Path, tasks: int, executor: type, options: dict, local: range | None = None
):
    """The executors of all stages, each depending on the one before; returns the last.

    Args:
        logs: datatrove's folder; each attempt at a build has its own subfolder for each number of tasks.
        tasks: ranks of the hash and write stages; the others have one.
        options: additional arguments of `executor`.
        local: the ranks that this machine runs, where several run `LocalPipelineExecutor` on a shared folder.
    """
    key = f"{attempt_of(config, out)}-{tasks}"
    last = None
    for name, work in STAGES:
        ranks = tasks if name in ("hash", "write") else 1
        mine = options
        if local is not None:
            runs = local if ranks > 1 else range(1 if local.start == 0 else 0)
            mine = {**options, "local_rank_offset": runs.start, "local_tasks": len(runs)}
        if executor is SlurmPipelineExecutor:
            mine = {"job_name": f"{config.name}-{name}", **mine}
        last = executor(
            pipeline=[Stage(name, work, config, out)],
            tasks=ranks,
            logging_dir=str(logs / key / name),
            depends=last,
            **mine,
        )
    return last


def attempt_of(config: BuildConfig, out: Path) -> str:
    """The name of the attempt at this build that is under way in `out`, or of a new one; all machines get the same.

    It is lost with the unfinished build, so datatrove never takes stages for done whose files are gone.
    """
    path = staging_folder(config, out) / "attempt"
    if not path.is_file():
        with output_folder(out, wait=True):
            if not path.is_file():
                write_text(path, uuid.uuid4().hex[:12])
    return path.read_text(encoding="utf-8")


def launch_jobs(words: list[str], machines: int, tasks: int, bucket: str, flavor: str, image: str) -> list[str]:
    """Start Hugging Face Jobs that share a bucket, each running some of the ranks; returns their URLs.

    Args:
        words: the command-line arguments of this module, except those that choose where to run.
        image: a Docker image with `ascii-maze[distributed]`.
    """
    from huggingface_hub import Volume, run_job

    bounds = [tasks * machine // machines for machine in range(machines + 1)]
    addresses = []
    for first, end in pairwise(bounds):
        command = ["python", "-m", "dataset_builder.distributed", *words, "--tasks", str(tasks)]
        command += ["--first", str(first), "--end", str(end)]
        job = run_job(
            image=image,
            command=command,
            flavor=flavor,
            volumes=[Volume(type="bucket", source=bucket, mount_path=MOUNT)],
        )
        addresses.append(job.url)
    return addresses


app = plain_app()


@app.command()
def main(
    config: Annotated[str, typer.Argument(help="A name from dataset_builder/configs, or a YAML file.")],
    out: Annotated[Path, typer.Option(help="Folder to make, seen by every rank.")],
    tasks: Annotated[int, typer.Option(min=1, help="Ranks that share the work.")] = 2,
    executor: Annotated[str, typer.Option(help="local, slurm, ray or jobs (Hugging Face Jobs).")] = "local",
    logs: Annotated[Path | None, typer.Option(help="datatrove's folder; OUT-logs by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the config's.")] = None,
    limit: Annotated[int | None, typer.Option(help="Maximum number of rows in each split.")] = None,
    first: Annotated[int, typer.Option(help="local: the first rank of this machine.")] = 0,
    end: Annotated[int | None, typer.Option(help="local: the rank after this machine's last.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="KEY=VALUE for datatrove's executor.")] = None,
    machines: Annotated[int, typer.Option(min=1, help="jobs: how many.")] = 1,
    bucket: Annotated[str | None, typer.Option(help=f"jobs: ORG/NAME, mounted at {MOUNT}.")] = None,
    flavor: Annotated[str, typer.Option(help="jobs: hardware.")] = "cpu-upgrade",
    image: Annotated[str, typer.Option(help="jobs: with ascii-maze[distributed] in it.")] = "ascii-maze",
) -> None:
    """Build a dataset on many processes or machines; the same bytes as `ascii-maze build`."""
    chosen = load_config(config, seed, limit)
    # A problem with the folder is reported here, not in the logs of a rank.
    if record_of(chosen, out):
        if not complete_record(chosen, out):
            raise UsageError(f"{out} lacks a file of its dataset; `ascii-maze build {config}` makes it again")
        print(printable(f"{shlex.quote(str(out))}: built"))
        return
    if machines > tasks:
        raise UsageError(f"--machines is {machines}, and there are {tasks} tasks for them; raise --tasks")
    logs = logs or out.with_name(f"{out.name}-logs")
    options = dict(_option(word) for word in option or [])
    if executor == "jobs":
        if not bucket or not out.is_relative_to(MOUNT):
            raise UsageError(f"--executor jobs needs --bucket ORG/NAME, and an --out under {MOUNT}")
        words = [config, "--out", str(out), "--logs", str(logs)]
        words += ["--seed", str(chosen.seed)] + (["--limit", str(limit)] if limit else [])
        for address in launch_jobs(words, machines, tasks, bucket, flavor, image):
            print(printable(address))
        return
    kinds = {"local": LocalPipelineExecutor, "slurm": SlurmPipelineExecutor, "ray": RayPipelineExecutor}
    if executor not in kinds:
        raise UsageError(f"unknown executor '{executor}'; expected one of {', '.join([*kinds, 'jobs'])}")
    local = range(first, tasks if end is None else end) if executor == "local" else None
    if local is not None:
        check_mazes(chosen, 1)
    chain(chosen, out, logs, tasks, kinds[executor], options, local).run()
    built = (out / RECORD).is_file()
    if local == range(tasks) and not built:
        raise AsciiMazeError(f"{out} is not complete; see {logs}")
    print(printable(f"{shlex.quote(str(out))}: {'built' if built else f'under way; see {logs}'}"))


def _option(word: str) -> tuple[str, str | int]:
    key, equals, value = word.partition("=")
    if not equals:
        raise UsageError(f"--option {word}: expected KEY=VALUE")
    return key, int(value) if value.isdecimal() else value


if __name__ == "__main__":
    # Imported under its own name: objects of `__main__` are pickled without the module's globals.
    from dataset_builder.distributed import app

    try:
        app()
    except (AsciiMazeError, OSError) as error:
        print(f"dataset_builder.distributed: {one_line(error)}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 1))
