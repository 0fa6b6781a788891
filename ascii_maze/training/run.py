"""Runs one training, in reading order: data, model, trainer, preflight, train, save.

The output folder holds `start.json` and `recipe.yaml` (resolved), written first, `log.jsonl`, checkpoints while it
trains, then the adapter, the tokenizer, the card, the learning curve, and `metrics.json`, written last: a folder
without it is not a finished run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from dataset_builder.load import first_rows

from ..errors import AsciiMazeError, printable, reason
from ..files import output_folder, write_text
from ..models.chat import Chat, how_read
from ..models.loading import load_tokenizer_to_train
from ..models.templates import read_template
from ..recipe import Arguments, Recipe, RunArguments
from ..recipe.methods import METHODS
from ..recipe.run_metrics import OwnAnswers, read_metrics
from .callbacks import JsonLog
from .chain import check_predecessors
from .checkpoints import checkpoints, newest_intact, remove_checkpoints, trim_log
from .data import (
    Lengths,
    check_lengths,
    identify_rows,
    load_rows,
    maze_texts,
    measure_lengths,
    thought_room,
)
from .folder import (
    RunStart,
    check_finished,
    check_place,
    check_resumed,
    check_start,
    clear_run,
    is_finished,
    nothing_made,
    what_is_read,
)
from .outcome import check_disk, collect_metrics, gather_weights, save
from .preflight import describe, prove_round_trip, rows_per_step, try_optimizer
from .publish import Destination, check_destination, publish, take_destination
from .trainer import make_trainer
from .watch import LossError

HOLDS_FINISHED = "{out} holds this run, finished; --overwrite trains it again"
PLANNED = 64  # rows that a trainer is given to make a plan


def run(recipe: Recipe, arguments: Arguments, dry_run: bool = False, overwrite: bool = False) -> Path:
    """Train what the recipe says and return the output folder.

    A finished run of the same recipe is left as it is; an interrupted one resumes from its newest whole checkpoint.
    A dry run refuses the output folder where the run would.

    Raises:
        AsciiMazeError: data or model cannot be used, the output folder holds a run of another recipe, the disk is
            full, or the loss is not a number. Or the run is finished and could not be pushed.
    """
    training, method = arguments.training, METHODS[recipe.method]
    out = check_place(training.output_dir)
    first_process = training.process_index == 0
    check_predecessors(arguments.run, arguments.model.model_name_or_path)
    if arguments.run.own_answers:
        from .own_answers import check_own_answers  # imports the dataset's kernels

        check_own_answers(recipe.method, arguments.run.own_answers)
    destination = take_destination(arguments)
    if first_process and destination:
        check_destination(destination)
    with training.main_process_first(desc="look at the output folder and the dataset"):
        finished = not overwrite and is_finished(out, recipe)
        train_rows, eval_rows = load_rows(arguments, method.columns)
    anew = dry_run and (overwrite or not (out / "start.json").is_file())  # the plan of a new run compares no rows
    identified = {} if anew else identify_rows(arguments.script, train_rows, arguments.run.dataset_mix)
    start = RunStart(identified, rows_per_step(training), training.world_size)
    if finished:
        check_finished(out, read_metrics(out).get("dataset"), start.dataset, arguments)
    if finished and not dry_run:
        if first_process:
            keep_finished(out, destination)
        return out
    tokenizer = load_tokenizer_to_train(arguments.model, arguments.run.adapter_name_or_path, chat_of(arguments.run))
    if ends := getattr(training, "eos_token", None):  # TRL sets it too, but not always on the tokenizer that is saved
        tokenizer.eos_token = ends
    own: OwnAnswers | None = None
    answered: dict[str, str] = {}
    if arguments.run.own_answers and not dry_run:
        train_rows, answered["own_answers"], own = answer_rows(recipe, arguments, train_rows, tokenizer, out)
    lengths, proven = check_rows(recipe, arguments, train_rows, tokenizer)
    # TRL tokenises every row that it is given, which would take most of the time of a plan.
    given = first_rows(train_rows, PLANNED) if dry_run else train_rows
    with refusals(recipe), nothing_made(out):
        trainer = make_trainer(recipe, arguments, given, eval_rows, tokenizer, lengths, own)
        try_optimizer(trainer)
    check_disk(out, trained_bytes(trainer.model), training.save_total_limit or 3)
    if first_process:
        rows = len(trainer.train_dataset) * len(train_rows) // len(given)  # KTO makes two of each
        print(printable(describe(recipe, trainer, rows, lengths, eval_rows, proven)), flush=True)
    if dry_run:
        if not anew and not finished:
            check_resumed(out, start._replace(reads=what_is_read(arguments, tokenizer)), planned=True)
        if first_process and not anew:
            print(printable(HOLDS_FINISHED.format(out=out) if finished else f"{out} holds this run, interrupted"))
        return out
    with output_folder(out, kind="training run") if first_process else nullcontext():
        if first_process:
            if overwrite:
                clear_run(out)
            elif is_finished(out, recipe):
                raise AsciiMazeError(f"another process has finished this run in {out} meanwhile")
            check_start(out, start._replace(reads={**what_is_read(arguments, tokenizer), **answered}))
        trainer.accelerator.wait_for_everyone()
        with refusals(recipe):  # sampling, say, reads some of its settings at the first rollout
            train(trainer, recipe, out, train_rows)
        finish(trainer, recipe, out, tokenizer, start, own)
        trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()
    if first_process and destination:
        publish(out, destination)
    return out


def keep_finished(out: Path, destination: Destination | None) -> None:
    """Leave a finished run as it is, except for removing its checkpoints and pushing it, if that was not done."""
    print(printable(HOLDS_FINISHED.format(out=out)))
    if checkpoints(out):  # it was killed before it removed them
        with output_folder(out):
            remove_checkpoints(out)
    if destination:
        publish(out, destination)


def answer_rows(recipe: Recipe, arguments: Arguments, rows, tokenizer, out: Path):
    """Rows made of the model's own answers, their digest, and what sampling them took; see `own_answers.own_rows`."""
    from .own_answers import own_rows

    with output_folder(out, kind="training run") if arguments.training.process_index == 0 else nullcontext():
        read = what_is_read(arguments, tokenizer)
        return own_rows(recipe.method, arguments, rows, tokenizer, read, out)


def check_rows(recipe: Recipe, arguments: Arguments, rows, tokenizer) -> tuple[Lengths, int]:
    """Check that the rows fit and can be read back from their tokens; make room for reasoning before an answer.

    Returns:
        Their lengths, and how many conversations were read back, for the plan.

    Raises:
        AsciiMazeError: a row is too long, or cannot be read back.
    """
    training, method = arguments.training, METHODS[recipe.method]
    lengths = measure_lengths(rows, tokenizer)
    check_lengths(rows, lengths, tokenizer, training, method.generates)
    with refusals(recipe):
        proven = prove_round_trip(recipe.method, training, tokenizer, rows, training.seed)
    if method.generates:  # the recipe's length is for the answer; reasoning has room of its own
        training.max_completion_length += how_read(tokenizer).thinking_tokens + thought_room(rows, tokenizer)
    return lengths, proven


def trained_bytes(model) -> int:
    """The size of the weights that are trained."""
    return sum(weight.numel() * weight.element_size() for weight in model.parameters() if weight.requires_grad)


def finish(trainer, recipe: Recipe, out: Path, tokenizer, start: RunStart, own: OwnAnswers | None) -> None:
    """Save a trained run, metrics.json last, and remove its checkpoints; every process takes part in the gathering."""
    metrics = collect_metrics(recipe, trainer, start.dataset, own)
    weights = gather_weights(trainer)
    if not trainer.is_world_process_zero():
        return
    with full_disk_in_one_line(out):
        save(out, trainer, weights, tokenizer, recipe, metrics)
    remove_checkpoints(out)
    spent = f"{metrics['steps']} steps, {metrics['tokens']:,} tokens in {metrics['seconds']:.0f} s"
    print(printable(f"{out}: {spent}"))


def chat_of(run: RunArguments) -> Chat:
    """The `Chat` that a recipe describes.

    Raises:
        UsageError: its `chat_template` is not a file.
    """
    template = None if run.chat_template is None else read_template(run.chat_template)
    return Chat(template, run.thinking, run.thinking_tokens)


@contextmanager
def refusals(recipe: Recipe) -> Iterator[None]:
    """Turn what PEFT, TRL or Transformers raise on an untrusted recipe into one line; `--debug` shows where.

    Raises:
        AsciiMazeError: in place of any exception of the block.
    """
    try:
        yield
    except AsciiMazeError:
        raise
    except Exception as error:
        raise AsciiMazeError(f"{recipe.path.name} cannot be trained: {reason(error)}") from error


def train(trainer, recipe: Recipe, out: Path, train_rows) -> None:
    """Train, resuming from the newest whole checkpoint; evaluate at the end if the recipe evaluates at all.

    Raises:
        AsciiMazeError: the disk is full, or the loss is not a number.
    """
    checkpoint = newest_intact(out)
    if trainer.is_world_process_zero():
        print(printable(f"resuming from {checkpoint}" if checkpoint else f"training into {out}"), flush=True)
        write_text(out / "recipe.yaml", recipe.to_yaml())
        trim_log(out / "log.jsonl", int(checkpoint.name.split("-")[-1]) if checkpoint else 0)
    trainer.add_callback(JsonLog(out / "log.jsonl"))
    try:
        with full_disk_in_one_line(out):
            trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
            history, step = trainer.state.log_history, trainer.state.global_step
            evaluated = any(line["step"] == step and "eval_runtime" in line for line in history)
            if trainer.args.eval_strategy != "no" and not evaluated:
                trainer.evaluate()
    except LossError as error:
        path = out / f"bad-batch-{error.step}.json"
        write_text(
            path,
            json.dumps({"step": error.step, "ids": ids_of(error.texts, train_rows), "texts": error.texts}, indent=2),
        )
        raise AsciiMazeError(f"{error}; its batch is in {path}. Try a smaller --learning_rate") from error


@contextmanager
def full_disk_in_one_line(out: Path) -> Iterator[None]:
    """Say what to do if the disk is full; torch and safetensors have no exception of their own for that.

    Raises:
        AsciiMazeError: it is full.
    """
    try:
        yield
    except Exception as error:
        if not any(words in str(error) for words in ("No space left", "os error 28", "PytorchStreamWriter failed")):
            raise
        raise AsciiMazeError(
            f"no space left for the run in {out}; make room, and the same command resumes it from its last checkpoint"
        ) from error


def ids_of(texts: list[str], rows) -> list[str | None]:
    """The `id` of the row whose maze is in each text; None if no row's is."""
    if "id" not in rows.column_names:
        return [None] * len(texts)
    by_maze = dict(zip(maze_texts(rows), rows["id"]))
    return [next((row for maze, row in by_maze.items() if maze in text), None) for text in texts]
