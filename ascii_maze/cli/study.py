"""`ascii-maze study`: the whole experiment."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import AsciiMazeError, printable
from ..terminal import print_tables, resumable, waiting
from .options import Json, named_path, path_option

if TYPE_CHECKING:
    from ..study.plan import Stage
    from ..study.schema import StudyResults
    from ..study.settings import Study

app = typer.Typer()


@app.command(
    epilog="Examples: ascii-maze study --dry-run; ascii-maze study my.yaml --out outputs/my; "
    "ascii-maze study my.yaml --out outputs/my --stage train-dpo"
)
def study(
    file: Annotated[
        Path | None, typer.Argument(parser=named_path, help="Study file; default: the demo on the embedded model.")
    ] = None,
    out: Annotated[Path, path_option("Output folder.")] = Path("outputs/demo"),
    workers: Annotated[int, typer.Option(help="Number of processes that build the dataset.")] = 2,
    stage: Annotated[str | None, typer.Option(help="Run only this stage, as from a cluster's scheduler.")] = None,
    jobs: Annotated[int, typer.Option(help="Number of stages that run at once; they share the cores.")] = 1,
    allow_launcher: Annotated[
        bool,
        typer.Option(
            "--allow-launcher", help="Allow any program as the study's `launcher`; its commands are printed first."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the stages as shell commands, and stop.")] = False,
    power: Annotated[
        bool,
        typer.Option(
            "--plan-power",
            help="Print the smallest difference that a number of seeds and mazes can detect, and stop. It uses the "
            "variances of the study in --out, if one of several seeds has been run there.",
        ),
    ] = False,
    language: Annotated[
        str,
        typer.Option(
            help="Language of report.html and the MRI's page: en or pt. For a finished study, only these two are "
            "written again."
        ),
    ] = "en",
    as_json: Json = False,
) -> None:
    """Run the whole experiment: dataset, every method, evaluation, MRI, one report.

    Finished stages are kept while nothing they depend on changes. Run it again to resume.
    """
    from ..files import check_folder_kind
    from ..launch import silence_libraries
    from ..study.plan import check_recipes, plan
    from ..study.settings import load_study
    from ..templating.language import check_language

    check_language(language)
    chosen = load_study(file)
    if power:
        print_power(chosen, out, as_json)
        return
    stages = plan(chosen, out, workers, allow_launcher, language)
    silence_libraries()
    with waiting("checking the recipes"):
        check_recipes(chosen)
    if dry_run:
        check_folder_kind(out, "study")
        print_stages(stages, as_json)
        return
    if allow_launcher:
        print_launched(stages)
    from ..study.report import write_report
    from ..study.results import gather
    from ..study.runner import run_stages
    from ..study.view import live_view

    with resumable(), live_view() as on_progress:
        progress = run_stages(stages, out, stage, on_progress, jobs)
    results = gather(chosen, progress, out)
    write_report(results, chosen, out, language)
    failed = [mine.stage.name for mine in progress if mine.state == "failed"]
    if as_json:
        print(json.dumps(results))
    else:
        print_study(results, out)
    if failed:
        logs = ", ".join(str(out / "stages" / f"{name}.log") for name in failed)
        raise AsciiMazeError(f"{', '.join(failed)} failed; the other stages are kept. For the errors see {logs}")


def print_power(study: "Study", out: Path, as_json: bool) -> None:
    """Print which effects numbers of seeds and mazes can detect."""
    from ..study.power import plan_power, power_lines

    foreseen = plan_power(study, out)
    print(json.dumps(foreseen) if as_json else printable("\n".join(power_lines(foreseen))))


def print_stages(stages: list["Stage"], as_json: bool) -> None:
    """Print the stages as shell commands."""
    from ..study.view import plan_lines

    everything = {one.name for one in stages}
    commands = {one.name: one.shell(everything) for one in stages}
    print(json.dumps(commands) if as_json else printable("\n".join(plan_lines(stages))))


def print_launched(stages: list["Stage"]) -> None:
    """Print the commands that a study's launcher runs, on stderr."""
    everything = {one.name for one in stages}
    for one in stages:
        if one.launcher:
            print(printable(f"{one.name} runs: {one.shell(everything)}"), file=sys.stderr)


def print_study(results: "StudyResults", out: Path) -> None:
    """Print the table of a study, one part per split, and where its files are."""
    from ..evaluation.view import table_title
    from ..study.report import HEADER, table_of

    shown = [HEADER.index(name) for name in ("model", "shortest", "95 %", "valid", "against its start", "time")]
    print_tables(
        [
            (
                table_title(row["split"]),
                [row["cells"][place] for place in shown],
                {"style": "dim" if row["baseline"] else None},
            )
            for row in table_of(results)
        ],
        [HEADER[place] for place in shown],
    )
    for sentence in results["findings"]:
        print(printable(sentence))
    written = f"report: {out / 'report.html'}; as text: {out / 'report.md'}; as data: {out / 'results.json'}"
    print(printable(written))
