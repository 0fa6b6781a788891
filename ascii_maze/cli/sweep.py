"""`ascii-maze sweep`: settings of a recipe, chosen on validation."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import printable
from ..terminal import print_tables, resumable
from .options import Json, named_path, path_option

app = typer.Typer()


@app.command(
    epilog="Example: ascii-maze sweep recipes/tiny/dpo.yaml --out outputs/sweep-dpo --trials 12 "
    "--dataset_name outputs/demo/dataset --adapter_name_or_path outputs/demo/seed-0/sft",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def sweep(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe; `--key value` overrides a key of it in all trials.")],
    out: Annotated[Path, path_option("Output folder.")],
    trials: Annotated[int, typer.Option(help="Number of trials; the first is the recipe as it stands.")] = 12,
    budget: Annotated[
        str | None, typer.Option(help="Budget of each trial, such as tokens=200000; default: the recipe's.")
    ] = None,
    space: Annotated[
        Path | None, typer.Option(parser=named_path, help="Search space; default: spaces.yaml beside the recipe.")
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(help="Metric to maximise, as training logs it after eval_; default: optimal."),
    ] = None,
    search_seed: Annotated[int, typer.Option(help="Seed of the search; trials train with the recipe's own.")] = 0,
    jobs: Annotated[int, typer.Option(help="Number of trials that run at once; they share the cores.")] = 1,
    as_json: Json = False,
) -> None:
    """Search a recipe's settings on the validation split, with as many trials for every method.

    Every trial is kept in sweep.json and sweep.svg. Run it again to resume, or with more trials to continue.
    """
    from ..errors import UsageError
    from ..launch import silence_libraries
    from ..recipe import find_recipe, load_recipe
    from ..study.sweep.report import command_of
    from ..study.sweep.search import Sweep, outcome_of, search
    from ..study.sweep.spaces import find_spaces, read_space
    from ..study.view import live_view

    resolved = load_recipe(recipe, context.args)
    budget = budget or resolved.values.get("budget")
    if not budget:
        raise UsageError("trials must cost the same: set --budget, as tokens=200000")
    file = find_recipe(recipe)
    allowed = read_space(space or find_spaces(file), resolved.method, file.stem)
    asked = Sweep(
        recipe=recipe,
        words=tuple(context.args),
        space=allowed,
        trials=trials,
        budget=budget,
        outcome=outcome or outcome_of(resolved.method),
        seed=search_seed,
        jobs=jobs,
    )
    silence_libraries()
    with resumable(), live_view() as on_progress:
        record = search(asked, out, on_progress)
    if as_json:
        print(json.dumps(record))
        return
    rows = []
    for trial in record["trials"]:
        figure = trial["note"] if trial["outcome"] is None else f"{100 * trial['outcome']:.1f}"
        settings = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in trial["settings"].values()]
        style = {"style": "bold" if trial["number"] == record["best"] else None}
        rows.append((f"{record['method']}, on {record['split']}", [str(trial["number"]), *settings, figure], style))
    print_tables(rows, ["trial", *record["space"], record["outcome"]])
    print(printable(f"all trials: {out / 'sweep.json'}; as a figure: {out / 'sweep.svg'}"))
    print(printable(f"the best, with this seed: {command_of(record)}"))
