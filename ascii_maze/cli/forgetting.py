"""`ascii-maze forgetting`: what a fine-tune has lost."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError, printable
from ..terminal import print_tables, progress, resumable
from .options import Dataset, Json, name_models, path_option

app = typer.Typer()


@app.command(
    epilog="Example: ascii-maze forgetting base=tiny sft=outputs/tiny/sft grpo=outputs/tiny/grpo --start grpo=sft "
    "--dataset hard --out forgetting"
)
def forgetting(
    models: Annotated[
        list[str], typer.Argument(help="MODEL or NAME=MODEL, the base first: a folder, a Hub id, or `tiny`.")
    ],
    dataset: Dataset = "ascii-maze",
    split: Annotated[
        list[str] | None, typer.Option(help="Split whose hard mazes are used; repeatable; default: test.")
    ] = None,
    start: Annotated[
        list[str] | None, typer.Option(help="NAME=NAME: what a model started from, if not the base; repeatable.")
    ] = None,
    out: Annotated[Path, path_option("Output folder: forgetting.json and every answer.")] = Path("forgetting"),
    limit: Annotated[int, typer.Option(min=1, help="Number of hard mazes; a quarter as many have loops.")] = 100,
    samples: Annotated[int, typer.Option(min=1, help="Answers sampled per maze.")] = 64,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Answers generated per batch.")] = 64,
    as_json: Json = False,
) -> None:
    """Measure what fine-tunes have lost: variety, closeness to their start, and what the base could do.

    Each model gives SAMPLES answers to each of LIMIT hard mazes and a quarter as many with loops: 8,000 by default.
    """
    from ..launch import prepare_process

    named = name_models(models)
    starts = dict(pair_of(word) for word in start or ())
    with resumable():
        prepare_process()
        from ..evaluation.forgetting.run import Options, measure_forgetting
        from ..evaluation.forgetting.tables import HEADER, WORDS, cells

        options = Options(limit, samples, seed, batch_size)
        with progress(quiet=as_json) as on_progress:
            results = measure_forgetting(named, starts, dataset, split or ["test"], out, options, on_progress)
    if as_json:
        print(json.dumps(results))
        return
    title = f"{results['settings']['hard_mazes']} hard mazes, {samples} answers each"
    print_tables([(title, cells(name, found), {}) for name, found in results["models"].items()], HEADER)
    print(printable(WORDS))
    print(printable(f"{out / 'forgetting.json'}; every answer is in the same folder"))


def pair_of(word: str) -> tuple[str, str]:
    """`grpo=sft` -> its two names.

    Raises:
        UsageError: it is not of that form.
    """
    name, _, other = word.partition("=")
    if not name or not other:
        raise UsageError(f"--start {word}: expected NAME=NAME")
    return name, other
