"""`ascii-maze mri`: what fine-tuning changed inside a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import printable
from ..terminal import progress, resumable
from .options import ChatTemplate, Dataset, Json, Limit, chat_of, name_models, path_option

if TYPE_CHECKING:
    from ..mri.schema import Results

app = typer.Typer()


@app.command(
    epilog="Example: ascii-maze mri --base tiny --adapter sft=outputs/tiny/sft --adapter orpo=outputs/tiny/orpo "
    "--dataset ascii-maze --split test --out mri"
)
def mri(
    adapter: Annotated[
        list[str],
        typer.Option(
            help="NAME=FOLDER or NAME=HUB_ID of a fine-tune of the base; repeatable. Several seeds of one method have "
            "one NAME, or NAME@SEED: then the report tests whether methods differ by more than their seeds."
        ),
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
    patch_layers: Annotated[
        str,
        typer.Option(
            help="Layers after which a fine-tune's states are patched into the base: `auto`, `all`, or a list such as "
            "0,4-8 (0: embedding), to which the last is added. `auto` takes all of a model of up to 12 layers; of a "
            "deeper one 5 at even distances, then the middle of the gap over which validity changes most, while it "
            "changes by more than 10 points there, up to 9: elsewhere the curve is flat within its intervals."
        ),
    ] = "auto",
    patch_mazes: Annotated[
        int,
        typer.Option(
            min=1,
            help="Number of mazes that patched models answer, once per fine-tune and layer: more of them take longer "
            "and narrow the interval on the layer by which half of the gain is recovered.",
        ),
    ] = 100,
    cause_mazes: Annotated[
        int,
        typer.Option(
            min=0,
            help="Number of mazes for patching layers, heads and MLPs into a fine-tune's starting point, mixing "
            "adapters and steering: more of them take longer and narrow the intervals; 0 leaves it out.",
        ),
    ] = 16,
    maze: Annotated[
        str | None,
        typer.Option(help="Id of the maze to show in detail; default: one on which the models differ."),
    ] = None,
    language: Annotated[str, typer.Option(help="Language of report.html: en or pt.")] = "en",
    chat_template: ChatTemplate = None,
    as_json: Json = False,
) -> None:
    """Show what fine-tuning changed inside the model: base against each fine-tune, layer by layer."""
    from ..launch import prepare_process
    from ..templating.language import check_language

    check_language(language)
    named, chat = name_models(number_seeds(adapter)), chat_of(chat_template)
    with resumable("run the same command again; a report starts from the beginning"):
        prepare_process()
        from ..mri.options import Options
        from ..mri.run import write_report

        options = Options(
            limit=limit,
            seed=seed,
            chat=chat,
            layers=patch_layers,
            patch_mazes=patch_mazes,
            cause_mazes=cause_mazes,
            maze=maze,
            language=language,
        )
        with progress(quiet=as_json) as on_progress:
            results = write_report(base, named, dataset, split, out, options, on_progress)
    if as_json:
        print(printable((out / "mri.json").read_text(encoding="utf-8")))
        return
    print_summary(results, out)


def print_summary(results: "Results", out: Path) -> None:
    """Print where each fine-tune drifts most, what the report lacks, and where it is."""
    for name in results["models"][1:]:
        drift = results["drift"][name]
        drifts = f"layer {drift.index(max(drift))} drifts most, {max(drift):.2f} of the base's norm"
        print(printable(f"{name}: {drifts}"))
    for section, reason in results["missing"].items():
        print(printable(f"not in the report: {section}: {reason}"))
    print(printable(f"{out / 'report.html'}; figures, tables and mri.json are in the same folder"))


def number_seeds(words: Sequence[str]) -> list[str]:
    """`sft=A`, `sft=B` -> `sft@0=A`, `sft@1=B`; a name that occurs once, has a seed or is part of a path stays."""
    parts = [word.partition("=") for word in words]
    names = [name for name, _, _ in parts]
    seen: dict[str, int] = {}
    found = []
    for word, (name, equals, location) in zip(words, parts):
        if not equals or names.count(name) == 1 or set(name) & set("@/\\"):
            found.append(word)
            continue
        found.append(f"{name}@{seen.setdefault(name, 0)}={location}")
        seen[name] += 1
    return found
