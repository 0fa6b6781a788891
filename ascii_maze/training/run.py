"""One training run, in reading order: data, model, trainer, preflight, train, save.

The output folder holds `start.json` and `recipe.yaml` (resolved), written first, `log.jsonl`, checkpoints while it
trains, then the adapter, the tokenizer, the card, the learning curve, and `metrics.json`, written last: a folder
without it is not a finished run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from transformers import EarlyStoppingCallback, TrainerCallback

from ..errors import AsciiMazeError, UsageError, printable, reason
from ..files import output_folder, write_text
from ..methods import METHODS
from ..models.loading import load_model_to_train, load_tokenizer
from ..models.quantisation import restore_weights, trained_weights
from ..recipe import Arguments, Budget, Recipe
from . import method_module
from .chain import check_predecessors
from .checkpoints import cut_log, newest_intact, remove_checkpoints
from .data import Lengths, check_lengths, check_positions, identify_rows, load_rows, maze_texts, measure_lengths
from .outcome import check_disk, collect_metrics, gather_weights, save
from .preflight import describe, rows_per_step, steps_for_tokens
from .publish import check_destination, publish, take_destination
from .validity import walk_mazes
from .watch import LossError

# What a run writes over, and removes when it is done.
WRITTEN = ("checkpoint-*", "README.md", "*.safetensors", "adapter_config.json", "metrics.json", "log.jsonl")


class JsonLog(TrainerCallback):
    """Appends every log of the trainer to a file, a JSON object a line with its step."""

    def __init__(self, path: Path):
        self.path = path

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Called by the trainer in every process; the first one writes."""
        if state.is_world_process_zero:
            with self.path.open("a", encoding="utf-8") as log:
                log.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


class StopAtBudget(TrainerCallback):
    """Ends the run when its tokens or seconds are used up; the step that goes over is the last."""

    def __init__(self, budget: Budget, trainer):
        self.budget, self.trainer = budget, trainer

    def on_step_end(self, args, state, control, **kwargs):
        """Called by the trainer after every optimizer step."""
        used = {"tokens": state.num_input_tokens_seen, "steps": state.global_step}
        if self.budget.unit == "seconds":  # each process has its own clock, and all must stop at the same step
            used["seconds"] = self.trainer.slowest_elapsed()
        if used[self.budget.unit] >= self.budget.amount:
            control.should_training_stop = True


def run(recipe: Recipe, arguments: Arguments, dry_run: bool = False, overwrite: bool = False) -> Path:
    """Train what the recipe says and return the output folder.

    A finished run of the same recipe is left as it is; an unfinished one goes on from its newest whole checkpoint.

    Raises:
        AsciiMazeError: data or model cannot be used, the output folder holds a run of another recipe, the disk is
            full, or the loss is not a number. Or the run is done, and could not be pushed.
    """
    training, method = arguments.training, METHODS[recipe.method]
    out = Path(training.output_dir)
    first_process = training.process_index == 0
    check_predecessors(arguments.run)
    destination = take_destination(arguments)
    if first_process and destination:
        check_destination(destination)
    with training.main_process_first(desc="look at the output folder and the dataset"):
        finished = not overwrite and not dry_run and is_finished(out, recipe)
        train_rows, eval_rows = load_rows(arguments, method.columns)
    start = RunStart(identify_rows(arguments.script, train_rows), rows_per_step(training), training.world_size)
    if finished:
        check_same_rows(out, json.loads((out / "metrics.json").read_bytes()).get("dataset"), start.dataset)
        if first_process:
            print(printable(f"{out} holds this run, finished; --overwrite trains it anew"))
        if first_process and destination:
            publish(out, destination)
        return out
    tokenizer = load_tokenizer(arguments.model.model_name_or_path or "", arguments.model.model_revision)
    lengths = measure_lengths(train_rows, tokenizer)
    check_lengths(train_rows, lengths, tokenizer, training)
    existed = out.exists()
    with refusals(recipe):
        trainer = make_trainer(recipe, arguments, train_rows, eval_rows, tokenizer, lengths)
    trained = sum(p.numel() * p.element_size() for p in trainer.model.parameters() if p.requires_grad)
    check_disk(out, trained, training.save_total_limit or 3)
    if first_process:
        print(describe(recipe, trainer, lengths, eval_rows), flush=True)
    if dry_run:
        if first_process and not existed:
            out.rmdir()  # the trainer has made it
        return out
    with output_folder(out) if first_process else nullcontext():
        if first_process:
            if overwrite:
                clear_run(out)
            check_start(out, start)
        trainer.accelerator.wait_for_everyone()
        train(trainer, recipe, out, train_rows)
        metrics = collect_metrics(recipe, trainer, start.dataset)
        weights = gather_weights(trainer)
        if first_process:
            save(out, trainer, weights, tokenizer, recipe, metrics)
            remove_checkpoints(out)
            spent = f"{metrics['steps']} steps, {metrics['tokens']:,} tokens in {metrics['seconds']:.0f} s"
            print(printable(f"{out}: {spent}"))
        trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()
    if first_process and destination:
        publish(out, destination)
    return out


class RunStart(NamedTuple):
    """What start.json in the output folder holds: what a resumed run must share with the one that was interrupted.

    Attributes:
        dataset: from `data.identify_rows`.
        rows_per_step: of an optimizer step, over all processes.
        processes: how many.
    """

    dataset: dict
    rows_per_step: int
    processes: int


def check_start(out: Path, start: RunStart) -> None:
    """See that a run may resume here, and write down what it starts from where it is new.

    Raises:
        UsageError: the rows have changed since, or a step would hold another number of them.
    """
    if newest_intact(out) is None or not (out / "start.json").is_file():
        return write_text(out / "start.json", json.dumps(start._asdict(), indent=2))
    before = RunStart(**json.loads((out / "start.json").read_bytes()))
    check_same_rows(out, before.dataset, start.dataset)
    if before.rows_per_step != start.rows_per_step:
        raise UsageError(
            f"the run in {out} read {before.rows_per_step} rows a step on {before.processes} process(es), and "
            f"{start.processes} would read {start.rows_per_step}: resume it with --num_processes {before.processes}, "
            "or --overwrite"
        )
    return None


def check_same_rows(out: Path, before: dict | None, now: dict) -> None:
    """See that a run's rows are still those that it was started with; `before` is None for runs that did not say.

    Raises:
        UsageError: they are others.
    """
    if before and before["sha256"] != now["sha256"]:
        raise UsageError(
            f"the run in {out} was started on other rows: '{now['name']}' has changed since; give another "
            "--output_dir, or --overwrite"
        )


def is_finished(out: Path, recipe: Recipe) -> bool:
    """Whether the folder holds this very run, finished.

    Raises:
        UsageError: it holds a run of another recipe, or something else that a run would write over or remove.
    """
    if not (out / "recipe.yaml").exists():
        if other := next((path for pattern in WRITTEN for path in out.glob(pattern)), None):
            raise UsageError(f"{other} is there, and {out} holds no run; give another --output_dir, or --overwrite")
        return False
    if (out / "recipe.yaml").read_text(encoding="utf-8") != recipe.to_yaml():
        raise UsageError(f"{out} holds a run of another recipe; give another --output_dir, or --overwrite")
    return (out / "metrics.json").exists()


def clear_run(out: Path) -> None:
    """Remove what says that a folder holds a run, and what a run would go on from; nothing else."""
    for name in ("metrics.json", "recipe.yaml", "start.json", "log.jsonl"):
        (out / name).unlink(missing_ok=True)
    remove_checkpoints(out)


@contextmanager
def refusals(recipe: Recipe) -> Iterator[None]:
    """What PEFT, TRL or Transformers refuse of a stranger's recipe, as one line; `--debug` shows where.

    Raises:
        AsciiMazeError: in the place of whatever the block raises.
    """
    try:
        yield
    except AsciiMazeError:
        raise
    except Exception as error:
        raise AsciiMazeError(f"{recipe.path.name} cannot be trained: {reason(error)}") from error


def make_trainer(recipe: Recipe, arguments: Arguments, train_rows, eval_rows, tokenizer, lengths: Lengths):
    """The trainer of the recipe's method, with its model, its rows and what is to happen on the way."""
    training, extra, method = arguments.training, arguments.run, METHODS[recipe.method]
    training.logging_nan_inf_filter = False  # it would write the last good loss into the log; a bad one ends the run
    budget = Budget.parse(extra.budget) if extra.budget else None
    if budget and budget.unit == "steps":
        cap_steps(training, budget.amount)
    if extra.early_stopping_patience is not None:
        training.metric_for_best_model, training.greater_is_better = "eval_valid", True
    model = load_model_to_train(arguments.model, extra.adapter_name_or_path, training.seed)
    check_positions(model, lengths, training)
    weights = trained_weights(model)
    columns = list(method.columns)
    tasks = eval_rows and list(
        {maze: (prompt, maze) for prompt, maze in zip(eval_rows["prompt"], maze_texts(eval_rows))}.values()
    )
    trainer = method_module(recipe.method).make_trainer(
        method.trainer_class(),
        extra,
        model=model,
        args=training,
        train_dataset=train_rows.select_columns(columns),
        eval_dataset=eval_rows and eval_rows.select_columns(columns),
        processing_class=tokenizer,
        measure=tasks and (lambda trainer: walk_mazes(trainer, tasks)),
    )
    restore_weights(trainer.model, weights)
    if budget and budget.unit == "tokens":
        cap_steps(training, steps_for_tokens(trainer, budget.amount, lengths, len(train_rows)))
    if budget:
        trainer.add_callback(StopAtBudget(budget, trainer))
    if extra.early_stopping_patience is not None:
        trainer.add_callback(EarlyStoppingCallback(extra.early_stopping_patience))
    return trainer


def cap_steps(training, steps: int) -> None:
    """Let the run and its learning rate end after so many steps, or after `max_steps` where that is less."""
    training.max_steps = min(steps, training.max_steps) if training.max_steps > 0 else steps


def train(trainer, recipe: Recipe, out: Path, train_rows) -> None:
    """Train, going on from the newest whole checkpoint; evaluate at the end where the recipe evaluates at all.

    Raises:
        AsciiMazeError: the disk is full, or the loss is not a number.
    """
    checkpoint = newest_intact(out)
    if trainer.is_world_process_zero():
        print(printable(f"going on from {checkpoint}" if checkpoint else f"training into {out}"), flush=True)
        write_text(out / "recipe.yaml", recipe.to_yaml())
        cut_log(out / "log.jsonl", int(checkpoint.name.split("-")[-1]) if checkpoint else 0)
    trainer.add_callback(JsonLog(out / "log.jsonl"))
    try:
        trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
        evaluated = any(
            line["step"] == trainer.state.global_step and "eval_runtime" in line for line in trainer.state.log_history
        )
        if trainer.args.eval_strategy != "no" and not evaluated:
            trainer.evaluate()
    except LossError as error:
        path = out / f"bad-batch-{error.step}.json"
        write_text(
            path,
            json.dumps({"step": error.step, "ids": ids_of(error.texts, train_rows), "texts": error.texts}, indent=2),
        )
        raise AsciiMazeError(f"{error}; its batch is in {path}. Try a smaller --learning_rate") from error
    except (OSError, RuntimeError) as error:  # torch and safetensors have no type of their own for a full disk
        if not any(words in str(error) for words in ("No space left", "os error 28", "PytorchStreamWriter failed")):
            raise
        raise AsciiMazeError(
            f"no space left for the run in {out}; make room, and the same command goes on from its last checkpoint"
        ) from error


def ids_of(texts: list[str], rows) -> list[str | None]:
    """The `id` of the row whose maze stands in each text, None where it cannot be told."""
    if "id" not in rows.column_names:
        return [None] * len(texts)
    by_maze = dict(zip(maze_texts(rows), rows["id"]))
    return [next((row for maze, row in by_maze.items() if maze in text), None) for text in texts]
