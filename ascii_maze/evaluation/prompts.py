r"""Writes a model's prompts, one per line, so that answers can be generated elsewhere.

    {"id": "...", "prompt": "<|im_start|>system\nYou walk through ..."}

A line with its `completion` added is what `evaluate NAME=FILE` takes. With messages it is `messages` in place of
`prompt`, as the APIs of hosted models take them.
"""

import json
from pathlib import Path
from typing import Any, TypedDict

from dataset_builder.load import load_mazes

from ..errors import UsageError
from ..files import write_new
from ..models.budgets import budget_for
from ..models.chat import AS_IT_IS, Chat, render_prompt, turn_ends


class Written(TypedDict):
    """What was written, and how to complete it.

    Attributes:
        prompts: how many.
        ends: tokens that end an answer, as text; none with messages.
        max_new_tokens: that a completion may take in `evaluate`; None with messages.
    """

    out: str
    prompts: int
    ends: list[str]
    max_new_tokens: int | None


def write_prompts(
    dataset: str, split: str, limit: int | None, out: Path, model: str | None, chat: Chat = AS_IT_IS
) -> Written:
    """Write the prompts of a split.

    Args:
        dataset: folder or Hub id of a dataset with a config `prompts`.
        limit: most mazes; see `dataset_builder.load.limited_places`.
        out: file of JSON lines; one of other content, such as answers, is not replaced.
        model: whose tokenizer renders them, as `load_model` takes it; None for messages.
        chat: how it reads conversations; by default as its tokenizer says.

    Raises:
        UsageError: the tokenizer has no chat template, the file is of another kind, or there is one.
        AsciiMazeError: the dataset or the tokenizer cannot be loaded.
    """
    from ..models.loading import load_tokenizer_of
    from ..models.sources import find_model, settle_name

    if out.suffix != ".jsonl":
        raise UsageError(f"{out}: prompts are written as JSON lines; give a name that ends in .jsonl")
    rows = load_mazes(dataset, split, limit)
    if model is None:
        _write(out, [{"id": row["id"], "messages": row["prompt"]} for row in rows])
        return {"out": str(out), "prompts": len(rows), "ends": [], "max_new_tokens": None}
    tokenizer = load_tokenizer_of(find_model(settle_name(model), chat=chat))
    _write(out, [{"id": row["id"], "prompt": render_prompt(tokenizer, row["prompt"])} for row in rows])
    return {
        "out": str(out),
        "prompts": len(rows),
        "ends": tokenizer.convert_ids_to_tokens(turn_ends(tokenizer)),
        "max_new_tokens": budget_for(tokenizer, (row["maze"] for row in rows), (row["prompt"] for row in rows)),
    }


def _write(out: Path, lines: list[dict[str, Any]]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    write_new(out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
