"""Run the stages of a study that have not been run, each as a process of its own, and record what came of them.

A stage is identified by the hash of what its outcome depends on: its command, what it reads, the versions of the
packages, the stages that it rests on, and the source that it runs; not where the study lies. `stages/NAME.json` under
the study's folder holds that hash and those of the files that the stage made, `stages/NAME.log` what the command
printed. A finished stage whose hashes are unchanged is kept. An interrupted one resumes, since every command does. One
whose key or whose files have changed is run again from nothing (`anew`), and so is a training that was interrupted in
a folder that has another name now. The commands inherit the lock, so the next study waits for what a killed one left
running.
"""

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from ..errors import AsciiMazeError, UsageError, one_line, printable
from ..files import is_ours, output_folder, write_text
from ..models.devices import JOBS
from .anew import clear_stage
from .inputs import digest_of, environment, handed_on, made_in, spoiled
from .plan import Stage
from .schema import StageRecord
from .source import source_digest

# In the environment of a command, the process of the study that started it: it ends when that does.
FOLLOW = "ASCII_MAZE_FOLLOW_PARENT"
# What an older version left out of a record.
NO_RECORD = StageRecord(key="", finished=False, seconds=0.0, command="", product="", made={})
# What a study writes into its folder at the end.
WRITTEN = ("results.json", "report.md", "report.html", "study.yaml")
TICK = 0.5  # seconds
TAIL = 8192  # bytes of a log
# What moves the cursor of a terminal; and lines that are over: a finished progress bar, the metrics of a step.
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
OVER = re.compile(r"100%\||^\{")


@dataclass
class Progress:
    """How far a stage is.

    Attributes:
        state: `waiting`, `running`, `done`, `kept` (it stood already), `failed`, `left out` (something that it needs
            has failed).
        seconds: that it has taken, all attempts together.
        note: the last line of its log, or why it has not run.
    """

    stage: Stage
    state: str = "waiting"
    seconds: float = 0.0
    note: str = ""

    @property
    def finished(self) -> bool:
        """Whether what the stage makes is there."""
        return self.state in ("done", "kept")


def run_stages(
    stages: list[Stage],
    out: Path,
    only: str | None = None,
    on_progress: Callable[[list[Progress]], None] | None = None,
    jobs: int = 1,
) -> list[Progress]:
    """Run every stage that has to be run; a failed one costs those that need it, and no other.

    Args:
        only: the name of the one stage to run; what it needs must be there.
        jobs: how many run at once, each as soon as what it needs or makes use of is settled.
        on_progress: called with all stages whenever something changes, and twice a second while commands run.

    Raises:
        UsageError: there is no stage `only`, one that it needs has not been run, the folder has a page of someone
            else, or no job is allowed.
        AsciiMazeError: the folder cannot be written.
    """
    on_progress = on_progress or (lambda progress: None)
    names = [stage.name for stage in stages]
    if only is not None and only not in names:
        raise UsageError(f"no stage '{only}'; expected one of {', '.join(names)}")
    if jobs < 1:
        raise UsageError(f"--jobs is {jobs}; expected 1 or more")
    progress = {stage.name: Progress(stage) for stage in stages}
    unsettled, running = dict.fromkeys(names), dict[str, Generator[None, None, None]]()
    with output_folder(out, wait=True, kind="study") as lock:
        os.set_inheritable(lock.fileno(), True)
        check_nothing_of_others(out)
        settle = partial(
            _settled, progress=progress, outcomes={}, digest=cache(digest_of), out=out, only=only, jobs=jobs
        )
        try:
            while unsettled:
                for stage in stages:
                    free = stage.name in unsettled and stage.name not in running
                    if free and len(running) < jobs and unsettled.keys().isdisjoint((*stage.needs, *stage.uses)):
                        running[stage.name] = settle(stage)
                for name in list(running):
                    if next(running[name], "settled"):
                        del running[name], unsettled[name]
                    on_progress(list(progress.values()))
        finally:
            for commands in running.values():
                commands.close()
    return list(progress.values())


def _settled(
    stage: Stage,
    progress: dict[str, Progress],
    outcomes: dict[str, str],
    digest: Callable[[str], str],
    out: Path,
    only: str | None,
    jobs: int,
) -> Generator[None, None, None]:
    """Keep a stage, leave it out, or run it: a step each time that its command is looked at; closed, it ends that."""
    mine = progress[stage.name]
    finished = {name for name, other in progress.items() if other.finished}
    missing = stage.missing(finished)
    key = key_of(stage, finished, outcomes, digest)
    record = read_record(out, stage)
    changed = why_again(stage, record, key, out)
    mine.seconds = record["seconds"] if record and not changed else 0.0
    if record and record["finished"] and not changed and not missing:
        mine.state = "kept"
    elif only is not None and stage.name != only:
        mine.note = "not asked for"
    elif missing:
        if only is not None:
            raise UsageError(f"'{only}' needs {', '.join(missing)}, which has not been run; run that first")
        mine.state, mine.note = "left out", f"needs {', '.join(missing)}"
    else:
        yield from run_stage(mine, key, changed, record["made"] if record else {}, finished, out, jobs)
    outcomes[stage.name] = outcome_of(key, read_record(out, stage))


def check_nothing_of_others(out: Path) -> None:
    """Check that what a study writes into its folder beside its stages replaces nothing that someone else wrote.

    Raises:
        UsageError: with the file.
    """
    found = [name for name in WRITTEN if (out / name).exists()]
    if found and not is_ours(out) and not (out / "stages").is_dir():
        raise UsageError(f"{out / found[0]} exists and was not written by a study; give another --out")


def run_stage(
    mine: Progress, key: str, changed: str, made: dict[str, str], finished: set[str], out: Path, jobs: int = 1
) -> Iterator[None]:
    """Run one command to its end; a step each time that it is looked at, twice a second with all others.

    Args:
        changed: why what an earlier attempt made is removed first; empty where it is resumed.
        made: what that was; see `anew.clear_stage`.
        jobs: how many commands run at once.
    """
    stage, product, kept = mine.stage, out / mine.stage.product, None
    if changed:
        try:
            kept = clear_stage(product.parent, made, out, stage.name)
        except AsciiMazeError as error:
            mine.state, mine.note = "failed", one_line(error)
            return
    aside = f"; files that may be yours were moved to {kept}" if kept else ""
    log = out / "stages" / f"{stage.name}.log"
    before, began = mine.seconds, time.monotonic()

    def remember(done: bool) -> None:
        mine.seconds = before + time.monotonic() - began
        record = StageRecord(
            key=key,
            finished=done,
            seconds=round(mine.seconds, 3),
            command=stage.shell(finished),
            product=str(product),
            made=made_in(product.parent) if done else {},
        )
        write_text(out / "stages" / f"{stage.name}.json", json.dumps(record, indent=2))

    mine.state = "running"
    remember(False)
    with log.open("wb", buffering=0) as sink:
        sink.write(f"run again: {changed}{aside}\n".encode() if changed else b"")
        with started(stage, finished, sink, jobs) as process:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(TICK / jobs)
                    break
                mine.seconds, mine.note = before + time.monotonic() - began, last_line(log)
                yield
    failed = process.returncode != 0 or not product.is_file()
    mine.state, mine.note = (
        "failed" if failed else "done",
        why_failed(process.returncode, log) if failed else aside[2:],
    )
    remember(not failed)


def why_again(stage: Stage, record: StageRecord | None, key: str, out: Path) -> str:
    """Why what an earlier attempt made is of no use; empty where it stands, can be resumed, or there was none."""
    product = out / stage.product
    if not record:
        return ""
    if record["key"] != key:
        return "what it depends on has changed"
    if record["finished"]:
        return spoiled(product.parent, {stage.product.name: "", **record["made"]})
    if stage.keeps_names and record["product"] != str(product):
        return f"it was begun as {Path(record['product']).parent}, and interrupted there"
    return ""


@contextlib.contextmanager
def started(stage: Stage, finished: set[str], sink, jobs: int) -> Iterator[subprocess.Popen]:
    """The stage's command as a process, which is ended if the block is left early.

    Raises:
        AsciiMazeError: there is no such program.
    """
    words = [*([] if stage.launcher else [sys.executable, "-m", "ascii_maze"]), *stage.words(finished)]
    followed = {FOLLOW: str(os.getpid())} if stage.follows else {}
    variables = {**os.environ, **followed, JOBS: str(jobs), "PYTHONUNBUFFERED": "1", "COLUMNS": "100"}
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=variables, close_fds=False
        )
    except OSError as error:
        raise AsciiMazeError(f"cannot start '{words[0]}' for {stage.name}: {error.strerror}") from error
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def follow_parent() -> None:
    """End this process when the study that started it is gone: killed, it could not end it itself."""
    study = os.environ.pop(FOLLOW, "")
    if not study or sys.platform == "win32":  # there a process keeps the number of a parent that is gone
        return

    def watch() -> None:
        while os.getppid() == int(study):
            time.sleep(TICK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def key_of(
    stage: Stage, finished: set[str], outcomes: dict[str, str], digest: Callable[[str], str] = digest_of
) -> str:
    """Hash of what the outcome of a stage depends on.

    Args:
        finished: the stages whose outcome is there.
        outcomes: of the stages before this one; see `outcome_of`.
        digest: of what the stage reads.
    """
    rests_on = [outcomes[name] for name in (*stage.needs, *stage.uses) if name in finished]
    # Where a launcher runs the recipe's file, the first word is none of our commands, and none of them is run.
    source = source_digest(stage.command[0], stage.modules)
    read = [digest(name) for name in stage.reads]
    parts = [stage.planned(finished), stage.inputs, read, rests_on, source, environment()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def outcome_of(key: str, record: StageRecord | None) -> str:
    """What a later stage depends on: what this one was made from, and the content of what it hands on."""
    return json.dumps([key, handed_on(record["made"]) if record else {}])


def read_record(out: Path, stage: Stage) -> StageRecord | None:
    """What `stages/NAME.json` says of the last attempt; None where there was none."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return StageRecord(**{**NO_RECORD, **json.loads((out / "stages" / f"{stage.name}.json").read_bytes())})
    return None


def why_failed(code: int, log: Path) -> str:
    """What ended a command: a signal, as when memory has run out, or else its last error, or its last line."""
    if code < 0:
        return f"ended by signal {-code}, {signal.strsignal(-code)}"
    errors = [
        line for line in lines_of(log) if line.startswith("ascii-maze")
    ]  # a launcher adds a traceback of its own
    return errors[-1] if errors else last_line(log)


def last_line(log: Path) -> str:
    """The newest line of a log that says what a command is doing."""
    return next((line for line in reversed(lines_of(log)) if not OVER.search(line)), "")


def lines_of(log: Path) -> list[str]:
    """The last lines of a log, without what would steer a terminal; none where there is no log."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        text = STEERING.sub("", file.read().decode("utf-8", "replace"))
        return [printable(line.strip()) for line in re.split(r"[\r\n]+", text) if line.strip()]
    return []
