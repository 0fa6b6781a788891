"""What a run is going to do, told before it starts."""

from ..errors import UsageError
from ..recipe import Recipe


def check_lengths(rows, tokenizer, max_length: int | None, sample: int = 64) -> None:
    """Refuse a token limit that would cut a maze; looks at the rows with the most characters.

    Raises:
        UsageError: the longest row has more tokens than `max_length`.
    """
    if max_length is None:
        return
    characters = [sum(len(message["content"]) for message in row["prompt"] + row["completion"]) for row in rows]
    longest = sorted(range(len(characters)), key=characters.__getitem__)[-sample:]
    most = max(len(_token_ids(tokenizer, rows[index])) for index in longest)
    if most > max_length:
        raise UsageError(
            f"max_length is {max_length} and the longest row has {most} tokens; a cut maze teaches nothing: "
            f"set --max_length {most}"
        )


def _token_ids(tokenizer, row: dict) -> list[int]:
    return tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=True, return_dict=False)


def describe(recipe: Recipe, trainer) -> str:
    """The resolved recipe, the size of model, adapter and run, and one example as the model sees it, as text."""
    args, tokenizer = trainer.args, trainer.processing_class
    parameters = sum(p.numel() * (2 if _is_4bit(p) else 1) for p in trainer.model.parameters())
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * trainer.accelerator.num_processes
    steps = args.max_steps if args.max_steps > 0 else -(-len(trainer.train_dataset) // batch) * args.num_train_epochs
    example = trainer.train_dataset[0]
    lines = [
        *recipe.to_yaml().rstrip().splitlines(),
        "",
        f"parameters: {parameters:,}, of which {trained:,} are trained",
        f"run: {len(trainer.train_dataset):,} rows, {steps:.0f} steps of {batch} rows "
        f"on {trainer.accelerator.num_processes} process(es), {args.device.type}",
        *_example_with_mask(tokenizer, example),
    ]
    return "\n".join(lines)


def _is_4bit(parameter) -> bool:
    return type(parameter).__name__ == "Params4bit"


def _example_with_mask(tokenizer, example: dict) -> list[str]:
    if "input_ids" not in example or "labels" not in example:
        return []
    prompt = [token for token, label in zip(example["input_ids"], example["labels"]) if label == -100]
    answer = [label for label in example["labels"] if label != -100]
    return ["example, no loss on:", tokenizer.decode(prompt), "loss on:", tokenizer.decode(answer)]
