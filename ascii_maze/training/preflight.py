"""Checks that the rows survive tokenisation, and describes a run: recipe, sizes, one row as the model sees it."""

import math
import random

from ..errors import UsageError
from ..models.chat import how_read, render_prompt
from ..models.round_trip import find_problem
from ..recipe import Recipe
from ..recipe.methods import METHODS
from .data import Lengths, by_characters
from .machine import processes_in_words
from .tokenised import Part, parts_of, taught_by

PROVEN = 7  # random rows whose round trip is checked before a run


def describe(recipe: Recipe, trainer, rows: int, lengths: Lengths, eval_rows, proven: int) -> str:
    """Describe a run as text: resolved recipe, size of model and run, lengths, one example as the model sees it.

    Args:
        rows: how many the run trains on; the trainer of a plan has fewer.
        proven: from `prove_round_trip`.
    """
    args, generates = trainer.args, METHODS[recipe.method].generates
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    total = sum(
        p.numel() * (2 if _is_4bit(p) else 1)
        for name, p in trainer.model.named_parameters()
        if not _is_reference(name)
    )
    percentiles = [lengths.sample[math.ceil(share * (len(lengths.sample) - 1))] for share in (0.5, 0.9, 0.99)]
    limit = getattr(args, "max_length", None)
    lines = [
        *recipe.to_yaml().rstrip().splitlines(),
        "",
        f"parameters: {total:,}, of which {trained:,} are trained",
        f"run: {rows:,} rows, {planned_steps(trainer.args, rows, generates)} steps of "
        f"{rows_per_step(args)} {'completions' if generates else 'rows'} on "
        f"{processes_in_words(trainer.accelerator.num_processes)}, {args.device.type}",
        *recipe.notes,
        f"tokens per row: median {percentiles[0]}, 90 % {percentiles[1]}, 99 % {percentiles[2]}, most {lengths.most}"
        + (f"; limit {limit}" if limit else ""),
        trainer.sharing,
        "evaluation: none"
        if eval_rows is None
        else f"evaluation: {len(eval_rows):,} rows; 0 of their mazes are trained on",
        f"hub: {args.hub_model_id} would take the result" if args.hub_model_id else "hub: no 'hub_model_id'",
        chat_line(trainer.processing_class),
        f"round trip: {proven} conversations rendered, tokenised, masked, decoded and parsed teach what they hold",
        *example_lines(trainer.processing_class, trainer.train_dataset[0]),
    ]
    return "\n".join(lines)


def chat_line(tokenizer) -> str:
    """How conversations are written, in a line."""
    reading = how_read(tokenizer)
    whose = {"own": "the model's own", "plain": "plain text", "given": "the file's"}[reading.template]
    thought = f"a thought of up to {reading.thinking_tokens:,} tokens" if reading.thinking else "no thought"
    date = f"; it writes the date, which is always {reading.pinned_date}" if reading.pinned_date else ""
    return f"chat template: {whose}; {thought} before an answer{date}"


def rows_per_step(args) -> int:
    """Rows, or completions of a method that generates, in one optimizer step over all processes."""
    return args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size


def planned_steps(args, rows: int, generates: bool) -> int:
    """Optimizer steps of the whole run, unless a budget or early stopping ends it."""
    if args.max_steps > 0:
        return args.max_steps
    read = rows * (args.num_generations if generates else 1)
    return math.ceil(math.ceil(read / rows_per_step(args)) * args.num_train_epochs)


def steps_for_tokens(trainer, tokens: int, lengths: Lengths, rows: int, generates: bool) -> int:
    """Steps that use up a budget of tokens, plus 2 %: the count of tokens ends the run, near the end of its schedule.

    The last step of an epoch reads fewer rows than the others if the rows do not divide by a step's.

    Args:
        lengths: of the dataset's rows.
        rows: how many there are; KTO makes two of each.
        generates: the method makes its completions, and so fills every step.
    """
    args, in_epoch = trainer.args, len(trainer.train_dataset)
    each, needed = rows_per_step(args), 1.02 * tokens * in_epoch / (lengths.mean * rows)
    if generates or args.dataloader_drop_last:
        return math.ceil(needed / each)
    epochs, rest = divmod(needed, in_epoch)
    return int(epochs) * math.ceil(in_epoch / each) + math.ceil(rest / each)


def try_optimizer(trainer) -> None:
    """Make the optimizer of a run and its schedule for a single number; they raise what they would in the run, whose
    own are made only when it begins.
    """
    import torch
    from transformers import Trainer, get_scheduler

    args, number = trainer.args, torch.nn.Parameter(torch.zeros(1))
    kind, options = torch.optim.SGD, {}
    if "layerwise" not in str(args.optim):  # these are tied to the model's weights as soon as they are made
        kind, options = Trainer.get_optimizer_cls_and_kwargs(args, trainer.model)
    plain = isinstance(kind, type) and not {"params", "model", "optimizer_dict"} & options.keys()
    optimizer = kind([number], **options) if plain else torch.optim.SGD([number])
    get_scheduler(args.lr_scheduler_type, optimizer, 1, 10, scheduler_specific_kwargs=args.lr_scheduler_kwargs)


def prove_round_trip(method: str, args, tokenizer, rows, seed: int = 0) -> int:
    """Check that rows survive the round trip: rendered, tokenised, masked, decoded and parsed, they are unchanged.

    Args:
        args: TRL's config of the method.
        rows: to train on, with all columns; the longest and some random ones are checked.
        seed: of the choice.

    Returns:
        The number of conversations that were checked.

    Raises:
        UsageError: one changed; the message says what the chat template did.
    """
    some = random.Random(seed).sample(range(len(rows)), min(PROVEN, len(rows)))
    chosen = sorted({by_characters(rows)[-1], *some})
    taught = taught_by(method, args, tokenizer, rows.select(chosen))
    for one in taught:
        if problem := find_problem(tokenizer, one):
            raise UsageError(f"{problem}; give --chat-template plain, or the path of a Jinja file that does not")
    return len(taught)


def example_lines(tokenizer, row: dict) -> list[str]:
    """One row as the model sees it, and which part of it the loss is of."""
    parts = parts_of(row)
    if not parts:
        return ["example, the model completes:", render_prompt(tokenizer, row["prompt"])]
    if parts[0].prompt_ids is None:
        named = [("the larger reward for", parts[0].answer_ids), ("the smaller for", parts[1].answer_ids)]
    elif parts[0].side == "completion" and "label" not in row:
        named = _turns_named(parts)
    else:
        name = ("desirable" if row["label"] else "undesirable") if "label" in row else parts[0].side
        named = [("no loss on", parts[0].prompt_ids), (name, parts[0].answer_ids)]
        named += [(part.side, part.answer_ids) for part in parts[1:]]
    lines = [line for name, ids in named for line in (f"{name}:", tokenizer.decode(ids))]
    return [f"example, {lines[0]}", *lines[1:]]


def _turns_named(parts: list[Part]) -> list[tuple[str, list[int]]]:
    """What the model reads and what it is trained to answer, turn by turn."""
    named, read = [], 0
    for part in parts:
        assert part.prompt_ids is not None
        named += [("no loss on", part.prompt_ids[read:]), ("loss on", part.answer_ids)]
        read = len(part.prompt_ids) + len(part.answer_ids)
    return named


def _is_4bit(parameter) -> bool:
    return type(parameter).__name__ == "Params4bit"


def _is_reference(name: str) -> bool:
    return ".ref." in name
