"""Orders the rows of a run, so that a resumed one keeps the order: random rows in every step, sorted by length within
a step if that changes no gradient.

A step of 64 rows of the demo in one batch is 27 % padding; in four accumulated batches of similar length it is 7 %.
The rows of a step stay random, and sorting them leaves the gradient as it is if the loss is a mean over the tokens of
the whole step, not of each batch. transformers' `group_by_length` pads less, but gives a step rows of one length and
runs from long to short again and again, from which the embedded model learns less (benchmarks/TRAINING.md).
"""

from collections.abc import Callable, Iterator

import numpy as np
from transformers import TrainerCallback


class StepSampler:
    """Yields the index of every row, in an order that depends on seed and epoch alone, so a resumed run can skip rows.

    Args:
        lengths: tokens of each row.
        rows_per_step: rows of one optimizer step, over all its batches and all processes.
        seed: of the run, and of its data if that has one of its own.
        epoch: returns the index of the epoch that begins, from 0.
    """

    def __init__(self, lengths: np.ndarray, rows_per_step: int, seed: tuple[int, ...], epoch: Callable[[], int]):
        self.lengths, self.rows_per_step = lengths, rows_per_step
        self.seed, self.epoch = seed, epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((*self.seed, self.epoch())).permutation(len(self))
        for start in range(0, len(self), self.rows_per_step):
            rows = order[start : start + self.rows_per_step]
            yield from rows[np.argsort(self.lengths[rows], kind="stable")].tolist()


class EpochSampler:
    """A sampler of TRL or transformers whose order depends on seed and epoch alone, as a resumed run needs.

    Theirs draw the order of an epoch from a generator whose state depends on all epochs before it, so a run that
    resumes in the second epoch would repeat the first one's order. The first epoch here is the same as theirs.

    Args:
        sampler: yields indices.
        seed: of the run.
        epoch: returns the index of the epoch that begins, from 0.
    """

    def __init__(self, sampler, seed: int, epoch: Callable[[], int]):
        self.sampler, self.seed, self.epoch = sampler, seed, epoch

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        import torch

        epoch = self.epoch()
        seed = int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0]) if epoch else self.seed
        if generator := getattr(self.sampler, "generator", None):
            generator.manual_seed(seed)
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            order = list(self.sampler)
        yield from order


class SaveBetweenRollouts(TrainerCallback):
    """Delays a checkpoint until the current rollouts are used up, since a run that resumes from it makes new ones.

    Nothing is delayed if each step makes its own rollouts, as in the shipped recipes; checkpoints are delayed if
    `steps_per_generation` or `num_iterations` lets several steps use the same ones.

    Args:
        trainer: TRL's, of a method that generates.
    """

    def __init__(self, trainer):
        self.trainer, self.due = trainer, False

    def on_step_end(self, args, state, control, **kwargs):
        """Called by the trainer after every optimizer step."""
        self.due |= control.should_save
        between = self.trainer._step % (args.steps_per_generation * self.trainer.num_iterations) == 0
        control.should_save = self.due and between
        self.due &= not between


def lengths_to_sort_by(rows) -> np.ndarray:
    """Tokens of each row of SFT's tokenised dataset, zeros for every other method: int64, shape (rows,).

    Of TRL's losses only SFT's is a mean over the tokens of the whole step. The others are means of each batch's mean,
    in which rows would weigh more or less by their length.
    """
    import pyarrow.compute

    if "input_ids" not in rows.column_names:
        return np.zeros(len(rows), np.int64)
    return pyarrow.compute.list_value_length(rows.with_format("arrow")[:]["input_ids"]).to_numpy()
