"""The processes of a build."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice

import numpy as np

from .choose import FINGERPRINT, INDEX, Chosen, by_kind, candidates
from .config import BuildConfig
from .rows import tables


@contextmanager
def process_map(workers: int, config: BuildConfig) -> Iterator[Callable]:
    """An ordered, lazy `map` over `workers` processes; the built-in one for a single worker."""
    if workers == 1:
        yield map
        return
    # Forking is faster than spawning, but safe only on Linux.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(config,))
    for _ in range(workers):
        pool.submit(int)  # starts the processes now, so that they are ready when needed

    def ordered(function, items):
        items = iter(items)
        waiting = deque(pool.submit(function, item) for item in islice(items, 2 * workers))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(items, 1))
            yield result

    try:
        yield ordered
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(config: BuildConfig) -> None:
    """Leave Ctrl-C to the parent process, and exit when it is gone, since a killed parent cannot stop its workers.

    Making two rows loads the kernels while the parent still plans.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=(multiprocessing.parent_process(),), daemon=True).start()
    import pyarrow.parquet  # noqa: F401

    kind = next(iter(by_kind(config)))
    found = candidates(config, kind, 0, 2)
    two = Chosen(found[FINGERPRINT], np.zeros(2, np.uint16), found[INDEX])
    list(tables(config, [kind], two))


def _end_after(parent) -> None:
    parent.join()
    os._exit(1)
