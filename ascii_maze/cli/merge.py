"""`ascii-maze merge`: an adapter into its base."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import printable
from ..terminal import progress
from .options import ChatTemplate, Dataset, Json, Limit, MovedBase, chat_of, float_option, path_option

app = typer.Typer()


@app.command(epilog="Example: ascii-maze merge outputs/sft --out outputs/sft-merged")
def merge(
    adapter: Annotated[str, typer.Argument(help="Folder or Hub id of an adapter.")],
    out: Annotated[Path, path_option("Output folder of the merged model.")],
    dataset: Dataset = "ascii-maze",
    split: Annotated[str, typer.Option(help="Split whose mazes the two are compared on.")] = "validation",
    limit: Limit = 200,
    margin: Annotated[
        float, float_option("Largest acceptable loss in the share of valid paths, 0-1.", min=0, max=1)
    ] = 0.02,
    base: MovedBase = None,
    chat_template: ChatTemplate = None,
    as_json: Json = False,
) -> None:
    """Merge an adapter into its base; the result is saved only if it scores as well as before."""
    from ..launch import prepare_process

    chat = chat_of(chat_template)
    prepare_process()
    from ..training.merge import HeldOut, merge_adapter

    with progress(quiet=as_json) as on_progress:
        held_out = HeldOut(dataset, split, limit)
        figures = merge_adapter(adapter, out, held_out, margin, on_progress, base=base, chat=chat)
    if as_json:
        print(json.dumps(figures))
        return
    written = f"{out}: {100 * figures['before']:.1f} % valid before merging, {100 * figures['after']:.1f} % after"
    print(printable(written))
