"""Runs one training, in reading order: data, model, trainer, preflight, train, save.

The output folder holds `start.json` and `recipe.yaml` (resolved), written first, `log.jsonl`, checkpoints while it
trains, then the adapter, the tokenizer, the card, the learning curve, and `metrics.json`, written last: a folder
without it is not a finished run.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from dataset_builder.load import first_rows

from ..errors import AsciiMazeError, UsageError, printable, reason
from ..files import output_folder, write_text
from ..models.chat import Chat, how_read, turn_ends
from ..models.loading import check_vocabulary, load_model_to_train, load_tokenizer_to_train
from ..models.quantisation import restore_weights, trained_weights
from ..models.shared_prefix import without_adapter
from ..models.templates import read_template
from ..recipe import Arguments, Budget, Recipe, RunArguments
from ..recipe.methods import METHODS, Method, methods_that
from ..recipe.run_metrics import OwnAnswers, read_metrics
from . import method_module
from .callbacks import EarlyStopping, JsonLog, StopAtBudget
from .chain import check_predecessors
from .checkpoints import checkpoints, newest_intact, remove_checkpoints, trim_log
from .data import (
    Lengths,
    check_lengths,
    check_positions,
    identify_rows,
    load_rows,
    maze_texts,
    measure_lengths,
    thought_room,
)
from .folder import (
    RunStart,
    check_place,
    check_same_rows,
    check_start,
    clear_run,
    is_finished,
    nothing_made,
    what_is_read,
)
from .heads import project_labelled_alone
from .outcome import check_disk, collect_metrics, gather_weights, save
from .preflight import describe, prove_round_trip, rows_per_step, steps_for_tokens
from .publish import check_destination, publish, take_destination
from .sharing import share_prefixes
from .tokenised import columns_of
from .validity import measure_validity
from .watch import LossError

PLANNED = 64  # rows that a trainer is given to make a plan


def run(recipe: Recipe, arguments: Arguments, dry_run: bool = False, overwrite: bool = False) -> Path:
    """Train what the recipe says and return the output folder.

    A finished run of the same recipe is left as it is; an interrupted one resumes from its newest whole checkpoint.

    Raises:
        AsciiMazeError: data or model cannot be used, the output folder holds a run of another recipe, the disk is
            full, or the loss is not a number. Or the run is finished and could not be pushed.
    """
    training, method = arguments.training, METHODS[recipe.method]
    out = check_place(training.output_dir)
    first_process = training.process_index == 0
    check_predecessors(arguments.run, arguments.model.model_name_or_path)
    if arguments.run.own_answers:
        from .own_answers import check_own_answers  # brings the dataset's kernels along

        check_own_answers(recipe.method, arguments.run.own_answers)
    destination = take_destination(arguments)
    if first_process and destination:
        check_destination(destination)
    with training.main_process_first(desc="look at the output folder and the dataset"):
        finished = not overwrite and not dry_run and is_finished(out, recipe)
        train_rows, eval_rows = load_rows(arguments, method.columns)
    identified = {} if dry_run else identify_rows(arguments.script, train_rows, arguments.run.dataset_mix)
    start = RunStart(identified, rows_per_step(training), training.world_size)
    if finished:
        check_same_rows(out, read_metrics(out).get("dataset"), start.dataset)
        if first_process:
            print(printable(f"{out} holds this run, finished; --overwrite trains it again"))
            if checkpoints(out):  # it was killed before it removed them
                with output_folder(out):
                    remove_checkpoints(out)
            if destination:
                publish(out, destination)
        return out
    tokenizer = load_tokenizer_to_train(arguments.model, arguments.run.adapter_name_or_path, chat_of(arguments.run))
    own: OwnAnswers | None = None
    answered: dict[str, str] = {}
    if arguments.run.own_answers and not dry_run:
        from .own_answers import own_rows

        with output_folder(out) if first_process else nullcontext():
            read = what_is_read(arguments, tokenizer)
            train_rows, digest, own = own_rows(recipe.method, arguments, train_rows, tokenizer, read, out)
        answered["own_answers"] = digest
    lengths = measure_lengths(train_rows, tokenizer)
    check_lengths(train_rows, lengths, tokenizer, training, method.generates)
    with refusals(recipe):
        proven = prove_round_trip(recipe.method, training, tokenizer, train_rows, training.seed)
    if method.generates:  # the recipe's is for the answer; a thought has room of its own
        training.max_completion_length += how_read(tokenizer).thinking_tokens + thought_room(train_rows, tokenizer)
    # TRL tokenises every row that it is given, which for a plan would be most of the time.
    given = first_rows(train_rows, PLANNED) if dry_run else train_rows
    with refusals(recipe), nothing_made(out):
        trainer = make_trainer(recipe, arguments, given, eval_rows, tokenizer, lengths, own)
    trained = sum(p.numel() * p.element_size() for p in trainer.model.parameters() if p.requires_grad)
    check_disk(out, trained, training.save_total_limit or 3)
    if first_process:
        rows = len(trainer.train_dataset) * len(train_rows) // len(given)  # KTO makes two of each
        print(printable(describe(recipe, trainer, rows, lengths, eval_rows, proven)), flush=True)
    if dry_run:
        return out
    with output_folder(out) if first_process else nullcontext():
        if first_process:
            if overwrite:
                clear_run(out)
            check_start(out, start._replace(reads={**what_is_read(arguments, tokenizer), **answered}))
        trainer.accelerator.wait_for_everyone()
        train(trainer, recipe, out, train_rows)
        metrics = collect_metrics(recipe, trainer, start.dataset, own)
        weights = gather_weights(trainer)
        if first_process:
            with full_disk_in_one_line(out):
                save(out, trainer, weights, tokenizer, recipe, metrics)
            remove_checkpoints(out)
            spent = f"{metrics['steps']} steps, {metrics['tokens']:,} tokens in {metrics['seconds']:.0f} s"
            print(printable(f"{out}: {spent}"))
        trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()
    if first_process and destination:
        publish(out, destination)
    return out


def chat_of(run: RunArguments) -> Chat:
    """How a recipe has conversations written.

    Raises:
        UsageError: its `chat_template` is not a file.
    """
    template = None if run.chat_template is None else read_template(run.chat_template)
    return Chat(template, run.thinking, run.thinking_tokens)


@contextmanager
def refusals(recipe: Recipe) -> Iterator[None]:
    """What PEFT, TRL or Transformers raise on an untrusted recipe, as one line; `--debug` shows where.

    Raises:
        AsciiMazeError: in the place of whatever the block raises.
    """
    try:
        yield
    except AsciiMazeError:
        raise
    except Exception as error:
        raise AsciiMazeError(f"{recipe.path.name} cannot be trained: {reason(error)}") from error


def make_trainer(
    recipe: Recipe,
    arguments: Arguments,
    train_rows,
    eval_rows,
    tokenizer,
    lengths: Lengths,
    own: OwnAnswers | None = None,
):
    """Make the trainer of the recipe's method, with its model, rows and callbacks.

    Args:
        own: what the model has answered before, where the rows are made of that.

    Raises:
        UsageError: the recipe asks for walks step by step or a random reward, which its method does not know; or
            sampling has used up the budget.
    """
    training, extra, method = arguments.training, arguments.run, METHODS[recipe.method]
    check_method(method, extra)
    training.logging_nan_inf_filter = False  # it would write the last good loss into the log; a bad one ends the run
    budget = what_is_left(Budget.parse(extra.budget), own) if extra.budget else None
    if budget and budget.unit == "steps":
        cap_steps(training, budget.amount)
    if extra.early_stopping_patience is not None:
        training.metric_for_best_model, training.greater_is_better = "eval_valid", True
        training.restore_callback_states_from_checkpoint = True  # how many evaluations were no better
    model = load_model_to_train(arguments.model, extra.adapter_name_or_path, training.seed)
    check_vocabulary(model, tokenizer, extra.adapter_name_or_path or arguments.model.model_name_or_path)
    if not method.scores:
        end_at_turns(model, tokenizer, training)
    rollout = training.max_completion_length if method.generates else 0
    longest = min(lengths.most, getattr(training, "max_length", None) or lengths.most)
    check_positions(model, longest, rollout)
    weights = trained_weights(model)
    columns = columns_of(recipe.method, train_rows)
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
        measure=tasks and (lambda trainer: measure_walks(trainer, tasks, extra)),
    )
    restore_weights(trainer.model, weights)
    project_labelled_alone(without_adapter(trainer.model))
    trainer.sharing = share_prefixes(trainer, extra.shared_prefix, longest + rollout)
    if budget and budget.unit == "tokens":
        cap_steps(training, steps_for_tokens(trainer, budget.amount, lengths, len(train_rows)))
    if budget:
        trainer.add_callback(StopAtBudget(budget, trainer))
    if extra.early_stopping_patience is not None:
        trainer.add_callback(EarlyStopping(extra.early_stopping_patience))
    return trainer


def check_method(method: Method, run: RunArguments) -> None:
    """Check that a method knows what a recipe asks of it.

    Raises:
        UsageError: it does not.
    """
    if run.random_reward and not method.verifiable:
        raise UsageError(f"'random_reward' is for {methods_that(lambda one: one.verifiable)}; leave it out")
    if (run.stepwise or run.max_moves) and not method.stepwise:
        those = methods_that(lambda one: one.stepwise)
        raise UsageError(f"'stepwise' and 'max_moves' are for {those}; leave them out")
    if run.stepwise and run.random_reward:
        raise UsageError("'random_reward' is for walks written as a whole; leave it or 'stepwise' out")


def measure_walks(trainer, tasks: list, run: RunArguments) -> dict[str, float]:
    """How often held-out mazes are walked from S to G: by one answer, or step by step where the recipe says so."""
    if run.stepwise is None:
        return measure_validity(trainer, tasks)
    from .steps import measure_steps

    return measure_steps(trainer, [maze for _, maze in tasks], run)


def end_at_turns(model, tokenizer, training) -> None:
    """Let a rollout end with the token that the template writes after an answer, which need not be the eos."""
    ends = turn_ends(tokenizer, model)
    model.generation_config.eos_token_id = ends  # it is saved with a whole model, too
    if getattr(training, "use_vllm", False):
        training.generation_kwargs = {"stop_token_ids": ends, **(training.generation_kwargs or {})}


def what_is_left(budget: Budget, own: OwnAnswers | None) -> Budget:
    """What of a budget is left for training once the model's own answers are sampled.

    Raises:
        UsageError: nothing.
    """
    if own is None or budget.unit == "steps":
        return budget
    used = own["tokens"] if budget.unit == "tokens" else math.ceil(own["seconds"])
    if used >= budget.amount:
        raise UsageError(
            f"sampling {own['answers']:,} own answers took {used:,} of the budget of {budget.amount:,} {budget.unit} "
            "and leaves nothing to train with; lower train_limit or own_answers, or raise the budget"
        )
    return Budget(budget.unit, budget.amount - used)


def cap_steps(training, steps: int) -> None:
    """End the run and its learning rate schedule after `steps`, or after `max_steps` if that is less."""
    training.max_steps = min(steps, training.max_steps) if training.max_steps > 0 else steps


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
