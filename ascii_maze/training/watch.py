"""Extends any of TRL's trainers: tokens and seconds counted in the same way for all methods, an order of rows that a
resumed run keeps, a measure of our own at every evaluation, and an error with the batch if the loss is not finite.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import AsciiMazeError
from ..models.shared_prefix import SharedPrefix
from .batches import EpochSampler, SaveBetweenRollouts, StepSampler, lengths_to_sort_by
from .preflight import rows_per_step

if TYPE_CHECKING:
    from transformers import Trainer as _Trainer
else:
    _Trainer = object

# Keys in log lines, and in a checkpoint's trainer_state.json among the state of callbacks.
COMPUTED = "tokens_computed"


class LossError(AsciiMazeError):
    """The loss is not a finite number.

    Attributes:
        step: the optimizer step, from 1.
        texts: its batch, decoded.
    """

    def __init__(self, step: int, loss: float, texts: list[str]):
        super().__init__(f"the loss at step {step} is {loss}")
        self.step, self.texts = step, texts


def watched(trainer_class: type) -> type:
    """Extend a trainer class; its new argument `measure` is a function (trainer) -> figures by name, or None.

    Every log line gets `tokens` (that the trained model read in training: prompts and completions, both sides of a
    pair, generated ones too) and `seconds`, of training without the evaluations in between; where rows share prefixes
    also `tokens_computed`, those left after reading what rows share once. A resumed run continues all counts.

    Raises:
        LossError: by the trainer, in a step whose loss is not a number.
    """
    return type(trainer_class.__name__, (_Watched, trainer_class), {})


class _Watched(_Trainer):
    """The methods with which `watched` overrides a trainer's."""

    def __init__(self, *args, measure: Callable | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.measure = measure
        self.began: float | None = None
        if hasattr(self.args, "steps_per_generation"):
            self.add_callback(SaveBetweenRollouts(self))
        self.shared: SharedPrefix | None = None  # set by `sharing`
        self.computed = 0

    def _run_epoch(self, *args, **kwargs):
        # transformers trains one more step when it resumes from a checkpoint of the last one.
        if self.control.should_training_stop or self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
        else:
            super()._run_epoch(*args, **kwargs)

    def _get_train_sampler(self, dataset=None):
        def epoch() -> int:
            return int(self.state.epoch or 0)

        # Methods that generate repeat each prompt for its group of completions, by a sampler of their own.
        if self.args.train_sampling_strategy != "random" or hasattr(self.args, "num_generations"):
            sampler = super()._get_train_sampler(dataset)
            return sampler if hasattr(sampler, "set_epoch") else EpochSampler(sampler, self.args.seed, epoch)
        lengths = lengths_to_sort_by(self.train_dataset if dataset is None else dataset)
        seed = (self.args.seed,) if self.args.data_seed is None else (self.args.seed, self.args.data_seed)
        return StepSampler(lengths, rows_per_step(self.args), seed, epoch)

    def training_step(self, model, inputs, num_items_in_batch=None):
        if self.began is None:
            self.began = time.monotonic() - last_logged(self.state, "seconds")
        before = self.shared.tokens if self.shared else 0
        loss = super().training_step(model, inputs, num_items_in_batch)
        if not loss.isfinite():
            raise LossError(self.state.global_step + 1, loss.item(), _texts(self.processing_class, inputs))
        if isinstance(inputs, dict):  # trainers that generate pass a list of rows, and count for themselves
            self.state.num_input_tokens_seen += over_processes(self.accelerator, count_tokens(inputs))
        if self.shared:
            self.computed += over_processes(self.accelerator, self.shared.tokens - before)
        return loss

    def _load_callback_state(self):
        self.computed = self.state.stateful_callbacks.pop(COMPUTED, {"tokens": 0})["tokens"]
        super()._load_callback_state()

    def _save_checkpoint(self, *args, **kwargs):
        self.state.stateful_callbacks[COMPUTED] = {"tokens": self.computed}
        super()._save_checkpoint(*args, **kwargs)

    def evaluation_loop(self, *args, **kwargs):
        import torch

        began = time.monotonic()
        devices = [self.args.device] if self.args.device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # GRPO samples, and would draw other rollouts in training for it
            output = super().evaluation_loop(*args, **kwargs)
            if self.measure:
                output.metrics.update({f"eval_{name}": value for name, value in self.measure(self).items()})
        if self.began is not None:  # methods differ in what their evaluation computes, not in what is bought with it
            self.began += time.monotonic() - began
        return output

    def elapsed(self) -> float:
        """Seconds of training since the first step."""
        return 0.0 if self.began is None else time.monotonic() - self.began

    def slowest_elapsed(self) -> float:
        import torch

        seconds = torch.tensor([self.elapsed()], device=self.accelerator.device)
        return float(self.accelerator.gather(seconds).max())

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        logs |= {"tokens": self.state.num_input_tokens_seen, "seconds": round(self.elapsed(), 3)}
        if self.shared:
            logs[COMPUTED] = self.computed
        super().log(logs, start_time)


def last_logged(state, key: str) -> float:
    """The newest value of a figure in the trainer's history; 0 if there is none."""
    return next((line[key] for line in reversed(state.log_history) if key in line), 0.0)


def count_tokens(inputs: dict) -> int:
    """Tokens of a batch without padding; a pair's prompt is read twice and counts twice."""
    masks = [
        inputs[key] for key in ("attention_mask", "chosen_attention_mask", "rejected_attention_mask") if key in inputs
    ]
    return int(sum(mask.sum() for mask in masks)) if masks else inputs["input_ids"].numel()


def over_processes(accelerator, number: int) -> int:
    """The sum of a number over all processes."""
    if accelerator.num_processes == 1:
        return number
    import torch

    return int(accelerator.reduce(torch.tensor(number, device=accelerator.device)))


def _texts(tokenizer, inputs) -> list[str]:
    if isinstance(inputs, list):
        return [row["prompt"][-1]["content"] for row in inputs]
    key = next(key for key in ("input_ids", "chosen_input_ids") if key in inputs)
    return tokenizer.batch_decode(inputs[key], skip_special_tokens=True)
