"""`ascii-maze`: the commands. Thin, and nothing heavy is imported before a command needs it."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from .errors import AsciiMazeError, Interrupted, UsageError, printable
from .metrics.path_validity.maze import MazeError

app = typer.Typer(
    help="What does each way of fine-tuning teach a language model that walks through an ASCII maze?\n\n"
    "Start with: ascii-maze study",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def main() -> None:
    """Run the command line: exit code 2 on bad usage, 1 on failure, one line and no traceback unless `--debug`."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        app()
    except (AsciiMazeError, MazeError) as error:
        if debug:
            raise
        print(f"ascii-maze: {printable(str(error))}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 2))


@contextmanager
def progress(quiet: bool = False):
    """A progress bar on stderr, as a function (what, done, total)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield report


@app.command(
    epilog="Examples: ascii-maze build demo --out ascii-maze --workers 2; "
    "ascii-maze build --push ORG/ascii-maze; ascii-maze build demo --out pairs --preferences-from outputs/tiny/sft"
)
def build(
    config: Annotated[str, typer.Argument(help="A name from dataset_builder/configs, or a YAML file.")] = "ascii-maze",
    out: Annotated[Path, typer.Option(help="Folder to make; load_dataset reads it.")] = Path("ascii-maze"),
    seed: Annotated[int | None, typer.Option(help="Instead of the config's.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; the result does not depend on it.")] = 1,
    limit: Annotated[int | None, typer.Option(help="At most so many rows in each split.")] = None,
    preferences_from: Annotated[
        str | None, typer.Option(help="A model whose own answers make the pairs of config `preference`.")
    ] = None,
    samples: Annotated[int, typer.Option(min=2, help="Answers of that model per maze.")] = 8,
    push: Annotated[str | None, typer.Option(help="Publish it on the Hub afterwards, as ORG/NAME.")] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push: for all to see.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be built and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Build the dataset: mazes in splits that share none, as parquet with a card."""
    from dataset_builder.config import load_config, quotas

    chosen = load_config(config, seed, limit)
    if dry_run:
        plan = [{**quota._asdict(), "kind": quota.kind._asdict()} for quota in quotas(chosen)]
        lines = [f"{quota.split:<12} {quota.count:>9,}  {quota}" for quota in quotas(chosen)]
        print(json.dumps(plan) if as_json else "\n".join([f"{chosen.name}, seed {chosen.seed}, into {out}:", *lines]))
        return
    from dataset_builder.build import build as build_dataset

    from .hub import check_target, plan_push

    if push:
        check_target("dataset", push, public)  # a missing login shows now, not after the build
    with progress(quiet=as_json) as report, resumable():
        record = build_dataset(chosen, out, workers, report)
        if preferences_from:
            from .launch import prepare_process

            prepare_process()
            from dataset_builder.on_policy import replace_preferences

            record = replace_preferences(chosen, out, preferences_from, samples, report)
    pushed = push_plan(plan_push("dataset", out, push, public=public), as_json) if push else None
    if as_json:
        print(json.dumps({**record, **({"pushed": pushed} if push else {})}))
        return
    for name, rows in record["rows"].items():
        print(f"{name:<24} {rows:>9,} rows")
    print(f"{sum(record['shared_between_splits'].values())} shared between splits; load_dataset({str(out)!r})")
    if pushed:
        print(pushed_lines(pushed))


@contextmanager
def resumable():
    """Turn Ctrl-C into one line that says how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted("interrupted; the same command goes on from here") from stop


@app.command(
    epilog="Example: ascii-maze train recipes/tiny/sft.yaml --learning_rate 2e-3",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe; `accelerate launch RECIPE` does the same on many devices.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, show the plan, do not train.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Train anew into a folder of another run.")] = False,
) -> None:
    """Fine-tune a model as a recipe says; `--key value` overrides any key of it."""
    from .launch import train as train_recipe

    train_recipe(recipe, context.args, dry_run, overwrite)


@app.command(epilog="Example: ascii-maze merge outputs/sft --out outputs/sft-merged")
def merge(
    adapter: Annotated[str, typer.Argument(help="Folder or Hub id of an adapter.")],
    out: Annotated[Path, typer.Option(help="Folder to make, a model of its own.")],
    dataset: Annotated[str, typer.Option(help="A folder that `build` made, or a Hub id.")] = "ascii-maze",
    split: Annotated[str, typer.Option(help="Mazes to compare on.")] = "validation",
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many mazes of the split.")] = 200,
    margin: Annotated[float, typer.Option(min=0, max=1, help="Share of valid walks that may be lost.")] = 0.02,
    as_json: Json = False,
) -> None:
    """Merge an adapter into its base, and save it only if it walks as well as before."""
    from .launch import prepare_process

    prepare_process()
    from .training.merge import merge_adapter

    with progress(quiet=as_json) as report:
        figures = merge_adapter(adapter, out, dataset, split, limit, margin, report)
    if as_json:
        print(json.dumps(figures))
        return
    print(f"{out}: {100 * figures['before']:.1f} % valid before merging, {100 * figures['after']:.1f} % after")


@app.command(
    epilog="Example: ascii-maze evaluate tiny sft=outputs/tiny/sft --dataset ascii-maze --out outputs/evaluation"
)
def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="Folders, Hub ids, adapters or `tiny`, each as MODEL or NAME=MODEL.")
    ],
    dataset: Annotated[str, typer.Option(help="A folder that `build` made, or a Hub id.")] = "ascii-maze",
    split: Annotated[list[str], typer.Option(help="May be given several times.")] = ["test"],  # noqa: B006
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many mazes of each split.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for results.json, predictions.parquet, report.md.")] = Path(
        "outputs/evaluation"
    ),
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts generated at once.")] = 64,
    as_json: Json = False,
) -> None:
    """Let models walk a split greedily and score every path, beside trivial policies."""
    from .launch import prepare_process

    named = name_models(models)
    prepare_process()
    from .evaluation import evaluate as evaluate_models
    from .figures import draw_validity

    with progress(quiet=as_json) as report:
        results = evaluate_models(named, dataset, split, out, limit, batch_size, report=report)
    draw_validity(results, out / "figures")
    if as_json:
        print(json.dumps(results))
        return
    print_table(results)
    print(f"results.json, predictions.parquet, report.md and figures are in {out}")


def name_models(models: list[str]) -> dict[str, str]:
    """`MODEL` or `NAME=MODEL` -> name -> model.

    Raises:
        UsageError: two of one name, or a name that is a baseline's.
    """
    from .policies import POLICIES

    named: dict[str, str] = {}
    for word in models:
        name, equals, location = word.partition("=")
        if name in named or name in POLICIES:
            raise UsageError(f"the name '{name}' is taken; give this model another: NAME={location or word}")
        named[name] = location if equals else word
    return named


def print_table(results: dict) -> None:
    """The table of results in the terminal, one part per split."""
    from itertools import groupby

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from .evaluation import TABLE_HEADER, table_rows

    for split, rows in groupby(table_rows(results), key=lambda row: row[0]):
        title = f"split {split}, rates in per cent"
        table = Table(*TABLE_HEADER[1:], title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
        for row in rows:
            table.add_row(*row[1:], end_section=row[2] == "shortest_path")
        Console().print(table)


@app.command(epilog="Example: ascii-maze study --out outputs/demo")
def study(
    file: Annotated[
        Path | None, typer.Argument(help="A study file; the demo on the embedded model without one.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for everything.")] = Path("outputs/demo"),
    workers: Annotated[int, typer.Option(help="Processes that build the dataset.")] = 2,
) -> None:
    """Build the dataset, fine-tune, evaluate base against fine-tune, and draw what they do."""
    from .study import load_study, run_study

    chosen = load_study(file)
    from .launch import prepare_process
    from .show import draw, from_predictions

    prepare_process()
    results = run_study(chosen, out, workers, train_in_new_process, progress)
    print_table(results)
    for group in from_predictions(out / "evaluation" / "predictions.parquet", ["base", *chosen.recipes], count=3):
        draw(group)
    print(f"report: {out / 'report.html'}")
    print(f"results, predictions: {out / 'evaluation'}")
    print(f"adapters: {', '.join(str(out / name) for name in chosen.recipes)}")


def train_in_new_process(words: list[str]) -> None:
    """`ascii-maze train` with these arguments.

    Raises:
        AsciiMazeError: it failed; what went wrong stands above.
    """
    import subprocess

    done = subprocess.run([sys.executable, "-m", "ascii_maze", "train", *words], check=False)
    if done.returncode:
        raise AsciiMazeError(f"training {words[0]} ended with exit code {done.returncode}")


@app.command(
    epilog="Examples: ascii-maze show ascii-maze --split test --n 8; ascii-maze show maze.txt --answer 'R R D D'; "
    "ascii-maze show predictions.parquet --html mazes.html"
)
def show(
    source: Annotated[
        str,
        typer.Argument(
            help="A dataset (folder or Hub id), a predictions.parquet, a text file with a maze, - for stdin."
        ),
    ] = "ascii-maze",
    split: Annotated[str, typer.Option(help="Of a dataset.")] = "train",
    n: Annotated[int, typer.Option("--n", min=1, help="How many mazes.")] = 4,
    answer: Annotated[str | None, typer.Option(help="A path through the maze of a file; else its solution.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with drawings instead.")] = None,
) -> None:
    """Draw mazes with paths through them, in the terminal or on a page."""
    from . import show as shown

    if source.endswith(".parquet"):
        groups = list(shown.from_predictions(Path(source), None, n))
    elif source == "-" or Path(source).is_file() or Path(source).suffix:
        groups = [shown.from_text(source, answer)]
    else:
        groups = [shown.from_dataset(source, split, n)]
    if html:
        shown.write_page(html, f"Mazes of {source}", [walk for group in groups for walk in group])
        print(f"{html}: {sum(map(len, groups))} mazes")
        return
    for group in groups:
        shown.draw(group)


@app.command(epilog="Example: ascii-maze push dataset ascii-maze --repo ORG/ascii-maze")
def push(
    kind: Annotated[str, typer.Argument(help="dataset, adapter, metric or report.")],
    path: Annotated[Path, typer.Argument(help="The folder that a command made.")],
    repo: Annotated[str, typer.Option(help="Where to, as ORG/NAME; made if it is not there.")],
    public: Annotated[bool, typer.Option("--public", help="For all to see; private without it.")] = False,
    revision: Annotated[str, typer.Option(help="The branch; made if it is not there.")] = "main",
    tag: Annotated[str | None, typer.Option(help="Name the commit, as for a release.")] = None,
    base_model: Annotated[str | None, typer.Option(help="Hub id of an adapter's base that was local.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, without a network.")] = False,
    as_json: Json = False,
) -> None:
    """Publish on the Hub, in one commit that holds all or nothing; what is there already is not sent again."""
    from .hub import plan_push

    plan = plan_push(kind, path, repo, public=public, revision=revision, tag=tag, base_model=base_model)
    if dry_run:
        print(json.dumps(plan.to_dict()) if as_json else plan.to_text())
        return
    pushed = push_plan(plan, as_json)
    print(json.dumps(pushed) if as_json else pushed_lines(pushed))


def push_plan(plan, quiet: bool) -> dict:
    """Push what `ascii_maze.hub.plan_push` has planned, with a progress bar; plan and outcome as JSON."""
    from dataclasses import asdict

    from .hub import push

    with progress(quiet) as report:
        return {**plan.to_dict(), **asdict(push(plan, report=report))}


def pushed_lines(pushed: dict) -> str:
    """What became of a push, for a person."""
    done = f"{len(pushed['sent'])} files sent, {len(pushed['deleted'])} deleted"
    changed = pushed["sent"] or pushed["deleted"]
    visibility = "private" if pushed["private"] else "public"
    return (
        f"{done if changed else 'everything is there already; no commit made'}\n"
        f"{pushed['url']} ({visibility}), commit {pushed['commit']}"
    )


@app.command(epilog="Example: ascii-maze doctor")
def doctor(as_json: Json = False) -> None:
    """See what of Python, packages, GPU, Hub and disk is in order, and the command for what is not."""
    from rich.console import Console

    from .doctor import examine, in_order, to_table

    with Console(stderr=True).status("a 4-bit layer is tried in a new process") as status:
        checks = examine()
        status.stop()
    if as_json:
        print(json.dumps({"in_order": in_order(checks), "checks": [check._asdict() for check in checks]}))
    else:
        Console().print(to_table(checks))
        for check in checks:
            if check.fix:
                print(f"{check.name}: {check.fix}")
    if not in_order(checks):
        raise AsciiMazeError(
            f"{', '.join(check.name for check in checks if check.required and check.state != 'ok')} must be mended "
            "before anything runs"
        )
