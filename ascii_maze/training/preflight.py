"""Describes a run before it starts: its recipe, sizes, and one row as the model sees it."""

import math

from ..methods import METHODS
from ..recipe import Recipe
from .data import Lengths


def describe(recipe: Recipe, trainer, lengths: Lengths, eval_rows) -> str:
    """Describe a run as text: resolved recipe, size of model and run, lengths, one example as the model sees it."""
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
        f"run: {len(trainer.train_dataset):,} rows, {planned_steps(trainer, generates)} steps of "
        f"{rows_per_step(args)} {'completions' if generates else 'rows'} on {trainer.accelerator.num_processes} "
        f"process(es), {args.device.type}",
        *recipe.notes,
        f"tokens per row: median {percentiles[0]}, 90 % {percentiles[1]}, 99 % {percentiles[2]}, most {lengths.most}"
        + (f"; limit {limit}" if limit else ""),
        trainer.sharing,
        "evaluation: none"
        if eval_rows is None
        else f"evaluation: {len(eval_rows):,} rows; 0 of their mazes are trained on",
        f"hub: {args.hub_model_id} would take the result" if args.hub_model_id else "hub: no 'hub_model_id'",
        *example_lines(trainer.processing_class, trainer.train_dataset[0]),
    ]
    return "\n".join(lines)


def rows_per_step(args) -> int:
    """Rows, or completions of a method that generates, in one optimizer step over all processes."""
    return args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size


def planned_steps(trainer, generates: bool) -> int:
    """Optimizer steps of the whole run, unless a budget or early stopping ends it."""
    args = trainer.args
    if args.max_steps > 0:
        return args.max_steps
    rows = len(trainer.train_dataset) * (args.num_generations if generates else 1)
    return math.ceil(math.ceil(rows / rows_per_step(args)) * args.num_train_epochs)


def steps_for_tokens(trainer, tokens: int, lengths: Lengths, rows: int) -> int:
    """Steps that use up a budget of tokens, plus 2 %: the count ends the run, its learning rate then at its end.

    Args:
        lengths: of the dataset's rows.
        rows: how many there are; KTO makes two of each.
    """
    per_row = lengths.mean * rows / len(trainer.train_dataset)
    return math.ceil(1.02 * tokens / (per_row * rows_per_step(trainer.args)))


def example_lines(tokenizer, row: dict) -> list[str]:
    """One row as the model sees it, and which part of it the loss is of."""
    if "labels" in row:
        parts = _masked(row["input_ids"], row["labels"])
    elif "chosen_labels" in row:
        prompt, chosen = _masked(row["chosen_input_ids"], row["chosen_labels"])
        parts = [
            prompt,
            ("chosen", chosen[1]),
            ("rejected", _masked(row["rejected_input_ids"], row["rejected_labels"])[1][1]),
        ]
    elif "prompt_ids" in row:
        answers = [(name, row[f"{name}_ids"]) for name in ("completion", "chosen", "rejected") if f"{name}_ids" in row]
        parts = [("no loss on", row["prompt_ids"]), *answers]
        if "label" in row:
            parts[1] = ("desirable" if row["label"] else "undesirable", parts[1][1])
    elif "chosen_ids" in row:
        parts = [("the larger reward for", row["chosen_ids"]), ("the smaller for", row["rejected_ids"])]
    else:
        text = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        return ["example, the model completes:", text]
    lines = [line for name, ids in parts for line in (f"{name}:", tokenizer.decode(ids))]
    return [f"example, {lines[0]}", *lines[1:]]


def _masked(ids: list[int], labels: list[int]) -> list[tuple[str, list[int]]]:
    prompt = [token for token, label in zip(ids, labels) if label == -100]
    return [("no loss on", prompt), ("loss on", [label for label in labels if label != -100])]


def _is_4bit(parameter) -> bool:
    return type(parameter).__name__ == "Params4bit"


def _is_reference(name: str) -> bool:
    return ".ref." in name
