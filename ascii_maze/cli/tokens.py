"""`ascii-maze tokens`: how a model's tokenizer reads a maze."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError, printable
from .options import ChatTemplate, Json, Thinking, chat_of, path_option

app = typer.Typer()


@app.command(
    epilog="Examples: ascii-maze tokens HuggingFaceTB/SmolLM2-135M-Instruct; "
    "ascii-maze tokens Qwen/Qwen3-0.6B --dataset ascii-maze; ascii-maze tokens gpt2 --chat-template plain; "
    "ascii-maze tokens Qwen/Qwen3-0.6B --save tokenizer, then lm-eval run --model_args "
    "pretrained=Qwen/Qwen3-0.6B,tokenizer=tokenizer --apply_chat_template ..."
)
def tokens(
    model: Annotated[str, typer.Argument(help="Folder, Hub id, adapter, GGUF file or `tiny`.")],
    dataset: Annotated[str | None, typer.Option(help="Dataset whose first maze is shown.")] = None,
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "test",
    maze: Annotated[
        Path | None,
        path_option("Text file with a maze to show; default: one of 4x4."),
    ] = None,
    chat_template: ChatTemplate = None,
    thinking: Thinking = None,
    save: Annotated[
        Path | None,
        path_option("Folder to save the tokenizer in, so that other programs prompt a model as `evaluate` does."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how a model's tokenizer cuts a maze, what its chat template adds, and whether an answer is read back."""
    if dataset and maze:
        raise UsageError("give --dataset or --maze, and not both")
    chat = chat_of(chat_template, thinking)
    from ..launch import prepare_process

    prepare_process()
    from ..training.tokens.facts import look_at

    facts = look_at(model, chat, dataset, split, maze, save)
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    from ..training.tokens.view import show as show_tokens

    show_tokens(facts)
    if save:
        print(printable(f"{save}: the tokenizer as `evaluate` reads it; name it as `tokenizer` to other programs"))
