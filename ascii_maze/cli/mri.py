"""`ascii-maze mri`: what fine-tuning changed inside a model."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import printable
from ..terminal import progress, resumable
from .options import ChatTemplate, Dataset, Json, Limit, chat_of, name_models, path_option

app = typer.Typer()


@app.command(
    epilog="Example: ascii-maze mri --base tiny --adapter sft=outputs/tiny/sft --adapter orpo=outputs/tiny/orpo "
    "--dataset ascii-maze --split test --out mri"
)
def mri(
    adapter: Annotated[
        list[str], typer.Option(help="NAME=FOLDER or NAME=HUB_ID of a fine-tune of the base; repeatable.")
    ] = [],  # noqa: B006
    base: Annotated[str, typer.Option(help="Folder, Hub id or `tiny`, as the adapters were trained on it.")] = "tiny",
    dataset: Dataset = "ascii-maze",
    split: Annotated[str, typer.Option(help="Split whose mazes every model reads.")] = "test",
    limit: Limit = 1_000,
    out: Annotated[
        Path,
        path_option("Output folder: report.html, figures, tables, mri.json."),
    ] = Path("mri"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    chat_template: ChatTemplate = None,
    as_json: Json = False,
) -> None:
    """Show what fine-tuning changed inside the model: base against each fine-tune, layer by layer."""
    from ..launch import prepare_process

    named, chat = name_models(adapter), chat_of(chat_template)
    with resumable("run the same command again; a report starts from the beginning"):
        prepare_process()
        from ..mri.run import write_report

        with progress(quiet=as_json) as on_progress:
            results = write_report(base, named, dataset, split, out, limit, seed, on_progress, chat)
    if as_json:
        print(printable((out / "mri.json").read_text(encoding="utf-8")))
        return
    for name in results["models"][1:]:
        drift = results["drift"][name]
        drifts = f"layer {drift.index(max(drift))} drifts most, {max(drift):.2f} of the base's norm"
        print(printable(f"{name}: {drifts}"))
    for section, reason in results["missing"].items():
        print(printable(f"not in the report: {section}: {reason}"))
    print(printable(f"{out / 'report.html'}; figures, tables and mri.json are in the same folder"))
