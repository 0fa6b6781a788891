"""`ascii-maze prompts`: what a model would read, for others to answer."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError, printable
from .options import ChatTemplate, Json, Limit, Thinking, ThinkingTokens, chat_of, path_option

app = typer.Typer()


@app.command(
    epilog="Examples: ascii-maze prompts ascii-maze --model Qwen/Qwen3-0.6B --out prompts.jsonl; "
    "ascii-maze prompts ascii-maze --messages --out messages.jsonl, then ascii-maze evaluate api=answers.jsonl"
)
def prompts(
    dataset: Annotated[str, typer.Argument(help="Folder that `build` made, or Hub id.")],
    out: Annotated[Path, path_option("File to write, of JSON lines.")],
    model: Annotated[
        str | None, typer.Option(help="Model whose tokenizer renders them: folder, Hub id or adapter.")
    ] = None,
    messages: Annotated[
        bool, typer.Option("--messages", help="Write chat messages, as APIs take them, in place of rendered text.")
    ] = False,
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "test",
    limit: Limit = None,
    chat_template: ChatTemplate = None,
    thinking: Thinking = None,
    thinking_tokens: ThinkingTokens = None,
    as_json: Json = False,
) -> None:
    """Write the prompts of a split, to be answered elsewhere; `evaluate NAME=FILE` scores the answers."""
    if messages == (model is not None):
        raise UsageError("give --model, whose tokenizer renders the prompts, or --messages")
    from ..evaluation.prompts import write_prompts

    written = write_prompts(dataset, split, limit, out, model, chat_of(chat_template, thinking, thinking_tokens))
    if as_json:
        print(json.dumps(written))
        return
    ends = f"; an answer ends with {' or '.join(written['ends'])}" if written["ends"] else ""
    room = f", after at most {written['max_new_tokens']:,} tokens" if written["max_new_tokens"] else ""
    print(printable(f"{out}: {written['prompts']:,} prompts{ends}{room}"))
    same = f"--dataset {dataset} --split {split}" + (f" --limit {limit}" if limit else "")
    print(printable(f"add a 'completion' to each line, then: ascii-maze evaluate NAME={out} {same}"))
