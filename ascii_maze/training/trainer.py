"""The trainer of a recipe: model, rows, budget and callbacks around that of its method."""

import math

from ..errors import UsageError
from ..models.chat import turn_ends
from ..models.loading import check_vocabulary, load_model_to_train
from ..models.quantisation import restore_weights, trained_weights
from ..models.shared_prefix import without_adapter
from ..recipe import Arguments, Budget, Recipe, RunArguments
from ..recipe.methods import METHODS, Method, methods_that
from ..recipe.run_metrics import OwnAnswers
from . import method_module
from .callbacks import EarlyStopping, StopAtBudget
from .data import Lengths, check_positions, maze_texts
from .heads import project_labelled_alone
from .preflight import steps_for_tokens
from .sharing import share_prefixes
from .tokenised import columns_of
from .validity import measure_validity


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
        own: the cost of sampling the model's own answers, if the rows are made of these.

    Raises:
        UsageError: the recipe asks for step-by-step walks or a random reward, which its method does not support; or
            sampling has used up the budget.
    """
    training, extra, method = arguments.training, arguments.run, METHODS[recipe.method]
    check_method(method, extra)
    training.logging_nan_inf_filter = (
        False  # it would log the last finite loss; a loss that is not finite ends the run
    )
    budget = what_is_left(Budget.parse(extra.budget), own) if extra.budget else None
    if budget and budget.unit == "steps":
        cap_steps(training, budget.amount)
    if extra.early_stopping_patience is not None:
        training.metric_for_best_model, training.greater_is_better = "eval_valid", True
        training.restore_callback_states_from_checkpoint = True  # the count of evaluations without improvement
    model = load_model_to_train(arguments.model, extra.adapter_name_or_path, training.seed)
    check_vocabulary(model, tokenizer, extra.adapter_name_or_path or arguments.model.model_name_or_path)
    if not method.scores:
        end_at_turns(model, tokenizer, training)
    rollout = training.max_completion_length if method.generates else 0
    longest = min(lengths.most, getattr(training, "max_length", None) or lengths.most)
    check_positions(model, longest, rollout)
    weights = trained_weights(model)
    columns = columns_of(recipe.method, train_rows)
    tasks = eval_rows and tasks_of(eval_rows)
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
        cap_steps(training, steps_for_tokens(trainer, budget.amount, lengths, len(train_rows), method.generates))
    if budget:
        trainer.add_callback(StopAtBudget(budget, trainer))
    if extra.early_stopping_patience is not None:
        trainer.add_callback(EarlyStopping(extra.early_stopping_patience))
    return trainer


def tasks_of(rows) -> list[tuple[list[dict], str]]:
    """Prompt and maze of every distinct maze of some rows."""
    return list({maze: (prompt, maze) for prompt, maze in zip(rows["prompt"], maze_texts(rows))}.values())


def check_method(method: Method, run: RunArguments) -> None:
    """Check that a method supports what a recipe asks for.

    Raises:
        UsageError: it does not.
    """
    if run.random_reward and not method.verifiable:
        raise UsageError(f"'random_reward' is for {methods_that(lambda one: one.verifiable)}; leave it out")
    if (run.stepwise or run.max_moves) and not method.stepwise:
        those = methods_that(lambda one: one.stepwise)
        raise UsageError(f"'stepwise' and 'max_moves' are for {those}; leave them out")
    if run.max_moves and not run.stepwise:
        raise UsageError("'max_moves' is for walks step by step; set 'stepwise', or leave it out")
    if run.stepwise and run.random_reward:
        raise UsageError("'random_reward' is for walks written as a whole; leave it or 'stepwise' out")


def measure_walks(trainer, tasks: list, run: RunArguments) -> dict[str, float]:
    """The share of held-out mazes walked from S to G: by one answer, or step by step if the recipe says so."""
    if run.stepwise is None:
        return measure_validity(trainer, tasks)
    from .steps import measure_steps

    return measure_steps(trainer, [maze for _, maze in tasks], run)


def end_at_turns(model, tokenizer, training) -> None:
    """Let a rollout end with the token that the template writes after an answer, which may differ from the eos."""
    ends = turn_ends(tokenizer, model)
    model.generation_config.eos_token_id = ends  # it is saved with a whole model, too
    if getattr(training, "use_vllm", False):
        training.generation_kwargs = {"stop_token_ids": ends, **(training.generation_kwargs or {})}


def what_is_left(budget: Budget, own: OwnAnswers | None) -> Budget:
    """What is left of a budget of seconds after the model's own answers are sampled; others are of training alone.

    Raises:
        UsageError: nothing is left.
    """
    if own is None or budget.unit != "seconds":
        return budget
    used = math.ceil(own["seconds"])
    if used >= budget.amount:
        raise UsageError(
            f"sampling {own['answers']:,} own answers took {used:,} of the budget of {budget.amount:,} seconds and "
            "leaves nothing to train with; lower train_limit or own_answers, or raise the budget"
        )
    return Budget(budget.unit, budget.amount - used)


def cap_steps(training, steps: int) -> None:
    """End the run and its learning rate schedule after `steps`, or after `max_steps` if that is less."""
    training.max_steps = min(steps, training.max_steps) if training.max_steps > 0 else steps
