"""Data-parallel training on a CPU: several processes of one thread each share the rows of every step.

On a CPU that is shared with other work this is several times as fast as threads, which wait for one another in every
operation. Runs with the same number of processes are bit-identical.
"""

import os
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import distributed

from .corpus import Batch


def call_together(processes: int, work: Callable[[], None]) -> None:
    """Call `work` in this process, with rank 0, and in others that end with it.

    Args:
        work: a picklable function.
    """
    with TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"  # the rendezvous file
        others = [
            get_context("spawn").Process(target=_join, args=(rank, processes, meeting, work), daemon=True)
            for rank in range(1, processes)
        ]
        for other in others:
            other.start()
        _join(0, processes, meeting, work)
        for other in others:
            other.join()


def _join(rank: int, processes: int, meeting: Path, work: Callable[[], None]) -> None:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=processes)
    try:
        work()
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """The rank of this process; rank 0 writes checkpoints and logs."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def processes() -> int:
    """The number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share_of(batch: Batch) -> Batch:
    """The rows of a batch that this process takes."""
    rows = np.s_[rank() :: processes()]
    return Batch(batch.tokens[rows], batch.labels[rows], batch.attends, batch.positions)


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes."""
    if not distributed.is_initialized():
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= processes()
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(part.view_as(gradient))
