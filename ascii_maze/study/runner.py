"""Run the stages of a study that have not been run, each as a process of its own, and remember what came of them.

A stage is known by the hash of what its outcome depends on: its command, its inputs, the stages that it rests on, and
the source that it runs; not where the study lies. `stages/NAME.json` under the study's folder holds that hash,
`stages/NAME.log` what the command printed. A stage that stands as hashed is kept; one that was cut goes on where it
was, since every command does; one whose hash has changed is made anew, and so is a training that was cut in a folder
that has another name now. The commands inherit the lock, so what outlives a killed study keeps the next one waiting.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import AsciiMazeError, UsageError, printable
from ..files import write_text
from .plan import Stage
from .source import source_digest

# In the environment of a command, the process of the study that started it: it ends when that does.
FOLLOW = "ASCII_MAZE_FOLLOW_PARENT"
TICK = 0.5  # seconds
TAIL = 8192  # bytes of a log
# What moves the cursor of a terminal; and lines that are of the past: a bar at its end, the figures of a step.
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
) -> list[Progress]:
    """Run every stage that has to be run; a failed one costs those that need it, and no other.

    Args:
        only: the name of the one stage to run; what it needs must be there.
        on_progress: called with all stages whenever something changes, and twice a second while a command runs.

    Raises:
        UsageError: there is no stage `only`, or one that it needs has not been run.
        AsciiMazeError: the folder cannot be written.
    """
    on_progress = on_progress or (lambda progress: None)
    names = [stage.name for stage in stages]
    if only is not None and only not in names:
        raise UsageError(f"no stage '{only}'; expected one of {', '.join(names)}")
    progress = {stage.name: Progress(stage) for stage in stages}
    keys: dict[str, str] = {}
    with locked(out / "stages"):
        for stage in stages:
            mine = progress[stage.name]
            finished = {name for name, other in progress.items() if other.finished}
            missing = stage.missing(finished)
            keys[stage.name] = key_of(stage, finished, keys)
            record = read_record(out, stage)
            known = record.get("key") == keys[stage.name]
            stands = known and record.get("finished") and (out / stage.product).is_file()
            cut = known and not record.get("finished")
            mine.seconds = record.get("seconds", 0.0) if stands or cut else 0.0
            if stands and not missing:
                mine.state = "kept"
            elif only is not None and stage.name != only:
                mine.note = "not asked for"
            elif missing:
                if only is not None:
                    raise UsageError(f"'{only}' needs {', '.join(missing)}, which has not been run; run that first")
                mine.state, mine.note = "left out", f"needs {', '.join(missing)}"
            else:
                run_stage(mine, keys[stage.name], finished, out, lambda: on_progress(list(progress.values())))
            on_progress(list(progress.values()))
    return list(progress.values())


def run_stage(mine: Progress, key: str, finished: set[str], out: Path, tick: Callable[[], None]) -> None:
    """Run one command to its end; what an earlier one has made is removed before, where it is of no use."""
    stage, product = mine.stage, out / mine.stage.product
    useless = why_anew(stage, read_record(out, stage), key, product)
    if useless:
        shutil.rmtree(product.parent, ignore_errors=True)
    log = out / "stages" / f"{stage.name}.log"
    before, began = mine.seconds, time.monotonic()

    def remember(done: bool) -> None:
        mine.seconds = before + time.monotonic() - began
        values = {"key": key, "finished": done, "seconds": round(mine.seconds, 3)}
        values |= {"command": stage.shell(finished), "product": str(product)}
        write_text(out / "stages" / f"{stage.name}.json", json.dumps(values, indent=2))

    mine.state = "running"
    remember(False)
    with log.open("wb", buffering=0) as sink:
        sink.write(f"{useless}\n".encode() if useless else b"")
        with started(stage, finished, sink) as process:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(TICK)
                    break
                mine.seconds, mine.note = before + time.monotonic() - began, last_line(log)
                tick()
    failed = process.returncode != 0 or not product.is_file()
    mine.state, mine.note = "failed" if failed else "done", why_failed(process.returncode, log) if failed else ""
    remember(not failed)


def why_anew(stage: Stage, record: dict, key: str, product: Path) -> str:
    """Why a stage cannot go on from what an earlier attempt has made; empty where it can, or where there was none."""
    if record and record.get("key") != key:
        return "made anew: what it depends on has changed"
    if record and stage.keeps_names and record.get("product") != str(product):
        return f"made anew: it was begun as {Path(record.get('product', '?')).parent}, and cut there"
    return ""


@contextlib.contextmanager
def started(stage: Stage, finished: set[str], sink) -> Iterator[subprocess.Popen]:
    """The stage's command as a process, which is ended if the block is left early.

    Raises:
        AsciiMazeError: there is no such program.
    """
    words = [*([] if stage.launcher else [sys.executable, "-m", "ascii_maze"]), *stage.words(finished)]
    environment = {**os.environ, FOLLOW: str(os.getpid()), "PYTHONUNBUFFERED": "1", "COLUMNS": "100"}
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=environment, close_fds=False
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


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the study's folder alone, waiting for what an earlier study has left running; no lock where there is none.

    Raises:
        AsciiMazeError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / "lock").open("w")
    except OSError as error:
        raise AsciiMazeError(f"cannot write {folder}: {error.strerror}") from error
    with handle:
        try:
            import fcntl
        except ImportError:
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"another study is at work in {folder.parent}; waiting for it to end", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        os.set_inheritable(handle.fileno(), True)
        yield


def key_of(stage: Stage, finished: set[str], keys: dict[str, str]) -> str:
    """Hash of what the outcome of a stage depends on.

    Args:
        finished: the stages whose outcome is there.
        keys: of the stages before this one.
    """
    rests_on = [keys[name] for name in (*stage.needs, *stage.uses) if name in finished]
    # Where a launcher starts the recipe itself, the first word is none of our commands, and none of them is run.
    source = source_digest(stage.command[0], stage.modules)
    parts = [stage.planned(finished), stage.inputs, rests_on, source]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_record(out: Path, stage: Stage) -> dict:
    """What `stages/NAME.json` says of the last attempt; empty where there was none."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads((out / "stages" / f"{stage.name}.json").read_text(encoding="utf-8"))
    return {}


def why_failed(code: int, log: Path) -> str:
    """What ended a command: a signal, as when memory has run out, or else what it said last."""
    return f"ended by signal {-code}, {signal.strsignal(-code)}" if code < 0 else last_line(log)


def last_line(log: Path) -> str:
    """The newest line of a log that says what a command is at, without what would steer a terminal."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        text = STEERING.sub("", file.read().decode("utf-8", "replace"))
        lines = [printable(line.strip()) for line in re.split(r"[\r\n]+", text)]
        return next((line for line in reversed(lines) if line and not OVER.search(line)), "")
    return ""
