"""The entry point of `accelerate launch recipes/x.yaml` and `ascii-maze train recipes/x.yaml`."""

import ctypes
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from .errors import AsciiMazeError, complain, is_first_here


def main(recipe: str | Path, words: list[str] | None = None) -> None:
    """Train a recipe; the arguments after it override its keys. Exits 2 on bad usage and 1 on failure.

    Args:
        recipe: the YAML file.
        words: overrides, `--dry-run`, `--overwrite` and `--debug`; from the command line by default.
    """
    words = list(sys.argv[1:] if words is None else words)
    flags = {flag for flag in ("--dry-run", "--overwrite", "--debug") if flag in words}
    overrides = [word for word in words if word not in flags]
    try:
        train(recipe, overrides, dry_run="--dry-run" in flags, overwrite="--overwrite" in flags)
    except (AsciiMazeError, OSError) as error:
        if "--debug" in flags:
            raise
        complain("ascii-maze train", error)
        sys.exit(getattr(error, "exit_code", 1))
    except KeyboardInterrupt:
        if is_first_here():
            print(
                "ascii-maze train: interrupted; run the same command again to resume from the last checkpoint",
                file=sys.stderr,
            )
        sys.exit(130)


def train(recipe: str | Path, overrides: list[str], dry_run: bool = False, overwrite: bool = False) -> Path:
    """Train a recipe in this process and return its output folder.

    Raises:
        AsciiMazeError: the recipe, its data or its model cannot be used.
    """
    from .recipe import load_recipe, parse_recipe, with_values

    resolved = load_recipe(recipe, overrides)  # before the heavy imports, since most mistakes are found here
    for name, value in resolved.env.items():
        os.environ.setdefault(name, value)  # torch and the trackers read them at import
    if is_first_here():  # what follows takes seconds
        print("loading torch and TRL", file=sys.stderr, flush=True)
    prepare_process()
    from .models.devices import this_device
    from .training.machine import settle

    resolved = settle(resolved, this_device())
    with nothing_compiled() if dry_run else nullcontext():
        arguments = parse_recipe(resolved)
    from .training.run import run

    return run(with_values(resolved, arguments), arguments, dry_run, overwrite)


@contextmanager
def nothing_compiled() -> Iterator[None]:
    """Context for importing TRL without torch's compiler, which bitsandbytes would load for functions that a plan
    never calls; this saves a second.
    """
    name = "TORCHDYNAMO_DISABLE"
    if name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


def prepare_process() -> None:
    """Environment variables and threads that must be set before torch and accelerate are used.

    The cores are divided among the processes of a run and among the commands that run at once.
    Without `ACCELERATE_USE_CPU` two processes on a CPU would train separately, each as the only one; and
    `accelerate launch` gives a CPU process one thread, half the speed of two cores.
    """
    silence_libraries()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Waiting threads spin briefly, then sleep. Sleeping at once makes a small model a third slower to generate;
    # spinning for long makes it five times slower where another process needs the core.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    import torch

    from .models.devices import JOBS, this_device

    if this_device().kind != "cpu":
        return
    os.environ.setdefault("ACCELERATE_USE_CPU", "true")
    keep_freed_memory()
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) * int(os.environ.get(JOBS, "1"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(max(1, cores // processes))


def silence_libraries() -> None:
    """Turn off the messages of TRL, bitsandbytes and transformers at every start, before they are imported."""
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # ORPO; TRL is pinned to a minor version for it
    # It warns that an optional kernel package is missing, which affects only speed.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # It warns of batches longer than the model's context, and counts their padding (models/turns.py).
    logging.getLogger("transformers.generation.stopping_criteria").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def keep_freed_memory() -> None:
    """Make glibc, if it is used, keep freed memory for the next step.

    By default it returns every large tensor to the system, and the next step waits for the same pages to be zeroed
    again: a tenth of its time.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(-3, 2**30)  # M_MMAP_THRESHOLD, bytes
    mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD, bytes
