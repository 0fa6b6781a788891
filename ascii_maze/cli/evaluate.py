"""`ascii-maze evaluate`: models on splits of a dataset."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import printable
from ..terminal import progress, resumable
from .options import (
    ChatTemplate,
    Dataset,
    Json,
    Limit,
    MovedBase,
    Thinking,
    ThinkingTokens,
    chat_of,
    float_option,
    name_models,
    path_option,
)

app = typer.Typer()
Models = Annotated[
    list[str],
    typer.Argument(
        help="Folders, Hub ids (ORG/NAME or ORG/NAME@REVISION), adapters, `tiny`, or files of answers made "
        "elsewhere (.jsonl, .json or .parquet with `id` or `maze`, and `completion`), each as MODEL or NAME=MODEL."
    ),
]
Out = Annotated[
    Path, path_option("Output folder: gallery.html, results.json, predictions.parquet, report.md, figures.")
]
Samples = Annotated[int, typer.Option(min=1, help="Answers per maze; more than one gives pass@k and majority vote.")]
Temperature = Annotated[
    float | None,
    float_option("Sampling temperature; 0 is greedy. Default: 0, or 1.0 with several samples.", min=0),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Maximum answer length in tokens; default: one move per open position of the map; with --stepwise at "
        "most 16 moves a turn, unless the whole map is in view.",
    ),
]
Stepwise = Annotated[
    str | None,
    typer.Option(
        help="Walk step by step with this view: full, window, window:RADIUS, local or none; all but full accept "
        "+goal, which adds the offset of the goal.",
    ),
]
MaxMoves = Annotated[
    int | None,
    typer.Option(min=1, help="With --stepwise: maximum number of moves; default: twice the number of open positions."),
]
UnquantisedBase = Annotated[
    bool,
    typer.Option(
        "--unquantised-base",
        help="Add a row for the base in full precision; its own row has the precision the adapters trained in.",
    ),
]


@app.command(
    epilog="Examples: ascii-maze evaluate tiny sft=outputs/tiny/sft --dataset ascii-maze --out outputs/evaluation; "
    "ascii-maze evaluate ORG/ascii-maze-sft@v1 --samples 16; ascii-maze evaluate gpt=answers.jsonl --split "
    "test_larger; ascii-maze evaluate tiny --stepwise window:2 --out outputs/steps"
)
def evaluate(
    models: Models,
    dataset: Dataset = "ascii-maze",
    split: Annotated[list[str], typer.Option(help="Split to evaluate; repeatable.")] = ["test"],  # noqa: B006
    limit: Limit = None,
    out: Out = Path("outputs/evaluation"),
    samples: Samples = 1,
    temperature: Temperature = None,
    seed: Annotated[int, typer.Option(help="Sampling seed.")] = 0,
    max_new_tokens: MaxNewTokens = None,
    chat_template: ChatTemplate = None,
    thinking: Thinking = None,
    thinking_tokens: ThinkingTokens = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Answers generated per batch.")] = 64,
    stepwise: Stepwise = None,
    max_moves: MaxMoves = None,
    base: MovedBase = None,
    unquantised_base: UnquantisedBase = False,
    as_json: Json = False,
) -> None:
    """Score the paths of models on splits of a dataset, next to baselines. Run it again to resume."""
    from ..launch import prepare_process

    named, chat = name_models(models), chat_of(chat_template, thinking, thinking_tokens)
    prepare_process()
    from ..evaluation.options import Options
    from ..evaluation.run import evaluate as evaluate_models

    options = Options(
        limit=limit,
        batch_size=batch_size,
        samples=samples,
        temperature=temperature,
        seed=seed,
        max_new_tokens=max_new_tokens,
        pages=True,
        base=base,
        unquantised_base=unquantised_base,
        chat=chat,
        stepwise=stepwise,
        max_moves=max_moves,
    )
    with progress(quiet=as_json) as on_progress, resumable():
        results = evaluate_models(named, dataset, split, out, options, on_progress)
    if as_json:
        print(json.dumps(results))
        return
    from ..evaluation.view import print_results

    print_results(results)
    others = "results.json, predictions.parquet, report.md and figures are in the same folder"
    print(printable(f"{out / 'gallery.html'}; {others}"))
