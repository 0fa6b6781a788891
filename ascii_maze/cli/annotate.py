"""`ascii-maze annotate`: people say which of two answers is better."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError, printable
from ..terminal import print_tables, progress
from .options import Json, float_option, path_option

app = typer.Typer()
Source = Annotated[
    str | None,
    typer.Argument(
        help="Dataset with config `preference` (folder or Hub id), or predictions.parquet; left out to resume --out."
    ),
]
Gold = Annotated[float | None, float_option("Share of questions with a known answer; default: 0.05.", min=0, max=0.5)]
Repeat = Annotated[float | None, float_option("Share of questions asked twice; default: 0.05.", min=0, max=0.5)]


@app.command(
    epilog="Examples: ascii-maze annotate ascii-maze --out preferences; "
    "ascii-maze annotate outputs/evaluation --split test --rate; ascii-maze annotate --plan; "
    "ascii-maze annotate --out preferences --withdraw ana"
)
def annotate(
    source: Source = None,
    out: Annotated[Path, path_option("Folder of the answers, which load_dataset reads.")] = Path("preferences"),
    split: Annotated[str, typer.Option(help="Split of the dataset or the predictions.")] = "train",
    limit: Annotated[
        int, typer.Option(min=1, help="Number of questions; the most informative ones are chosen.")
    ] = 500,
    per_item: Annotated[int | None, typer.Option(min=1, help="People asked the same question; default: 2.")] = None,
    gold: Gold = None,
    repeat: Repeat = None,
    rate: Annotated[bool, typer.Option("--rate", help="Ask for a rating of single answers, 1-5.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the order, the sides and the repetitions; default: 0.")
    ] = None,
    guideline: Annotated[
        Path | None, path_option("Markdown file that tells annotators what counts as better; default: ours.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to serve on; only 127.0.0.1 is out of others' reach.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 7860,
    share: Annotated[bool, typer.Option("--share", help="Open a public link through a tunnel of Gradio's.")] = False,
    simulate: Annotated[
        int | None, typer.Option(min=1, help="Serve no page: let this many simulated annotators answer, for tests.")
    ] = None,
    bias: Annotated[float, float_option("With --simulate: bias towards the left side, in points out of 4.")] = 0.0,
    careless: Annotated[int, typer.Option(min=0, help="With --simulate: how many of them answer at random.")] = 0,
    withdraw: Annotated[str | None, typer.Option(help="Remove the answers of this annotator, and stop.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print how many pairs and people it takes to tell a preference from chance.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Collect people's preferences between answers on a local page; run it again to resume."""
    if plan:
        return print_plan(as_json)
    if careless and careless > (simulate or 0):
        raise UsageError(f"--careless {careless} is more than --simulate makes")
    from ..launch import silence_libraries
    from ..preferences import annotate as job
    from ..preferences.collection import Mode
    from ..preferences.opening import Wishes

    silence_libraries()
    if withdraw is not None:
        count = job.withdraw(out, withdraw)
        print(json.dumps({"withdrawn": count}) if as_json else printable(f"{out}: {count} answers removed"))
        return None
    mode: Mode | None = "rate" if rate else None
    wishes = Wishes(source, split, limit, mode, per_item, gold, repeat, seed, guideline)
    if simulate is not None:
        with progress(quiet=as_json) as on_progress:
            given = job.annotate_simulated(out, wishes, simulate, bias, careless, on_progress)
        print(json.dumps({"answers": given}) if as_json else printable(f"{out}: {given:,} simulated answers"))
        return None
    warn(host, share)

    def tell(opened, serving) -> None:
        for path in opened.torn:
            print(printable(f"{path}: the last line was incomplete and is dropped"), file=sys.stderr)
        asked = opened.collector.collection
        told = {"url": serving.url, "share_url": serving.share_url, "questions": len(asked.questions), "out": str(out)}
        where = f"{serving.url}" + (f" and {serving.share_url}" if serving.share_url else "")
        line = f"{where}: {len(asked.questions):,} questions, answers go to {out}; Ctrl-C ends it"
        print(json.dumps(told) if as_json else printable(line), flush=True)

    job.annotate(out, wishes, job.Where(host, port, share), tell)
    if not as_json:
        print(printable(f"{out}: saved; `ascii-maze agreement {out}` evaluates the answers"))
    return None


def warn(host: str, share: bool) -> None:
    """Say who else can open a page."""
    if share:
        print("anybody who knows the link can open the page, and answer under any name", file=sys.stderr)
    elif host not in ("127.0.0.1", "localhost", "::1"):
        print(printable(f"anybody who reaches {host} can open the page, and answer under any name"), file=sys.stderr)


def print_plan(as_json: bool) -> None:
    """Print what each preference needs."""
    from ..preferences.planning import POWER, plan

    plans = plan()
    if as_json:
        print(json.dumps(plans))
        return
    title = f"to tell a preference from chance (two-sided, 5 %) in {100 * POWER:.0f} % of studies"
    header = ("preferred by", "people a pair", "pairs", "answers", "hours in all")
    rows: list[tuple[str, tuple[str, ...], dict]] = [
        (
            title,
            (
                f"{100 * row['preference']:.0f} %",
                str(row["annotators"]),
                f"{row['pairs']:,}",
                f"{row['answers']:,}",
                f"{row['hours']:.1f}",
            ),
            {},
        )
        for row in plans
    ]
    print_tables(rows, header)
    print("8 s an answer; answers of two people to the same pair correlate with 0.4, as people who mostly agree")
