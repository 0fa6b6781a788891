"""Callbacks of the trainer: log to a file, stop when the budget is used up, stop when nothing improves."""

import json
from pathlib import Path

from transformers import EarlyStoppingCallback, TrainerCallback

from ..recipe import Budget


class JsonLog(TrainerCallback):
    """Appends every log of the trainer to a file: one JSON object per line, with its step."""

    def __init__(self, path: Path):
        self.path = path

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Called by the trainer in every process; the first one writes."""
        if state.is_world_process_zero:
            with self.path.open("a", encoding="utf-8") as log:
                log.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


class StopAtBudget(TrainerCallback):
    """Ends the run when its budget is used up; the step that exceeds it is the last."""

    def __init__(self, budget: Budget, trainer):
        self.budget, self.trainer = budget, trainer

    def on_epoch_begin(self, args, state, control, **kwargs):
        """Called by the trainer; a resumed run may have used up its budget already."""
        self.on_step_end(args, state, control)

    def on_step_end(self, args, state, control, **kwargs):
        """Called by the trainer after every optimizer step."""
        used = {"tokens": state.num_input_tokens_seen, "steps": state.global_step}
        if self.budget.unit == "seconds":  # clocks of processes differ, and all must stop at the same step
            used["seconds"] = self.trainer.slowest_elapsed()
        if used[self.budget.unit] >= self.budget.amount:
            control.should_training_stop = True


class EarlyStopping(EarlyStoppingCallback):
    """Ends the run after a number of evaluations without a better `eval_valid`; a resumed run keeps the count."""

    def on_epoch_begin(self, args, state, control, **kwargs):
        """Called by the trainer; a resumed run may have used up its budget already."""
        if self.early_stopping_patience_counter >= self.early_stopping_patience:
            control.should_training_stop = True
