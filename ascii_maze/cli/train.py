"""`ascii-maze train`: one recipe."""

from typing import Annotated

import typer

from ..errors import UsageError, printable
from ..terminal import resumable

app = typer.Typer()


@app.command(
    epilog="Examples: ascii-maze train recipes/tiny/sft.yaml --learning_rate 2e-3; "
    "ascii-maze train recipes/sft.yaml --on hf-jobs:a10g-large --dataset_name ORG/ascii-maze --hub_model_id ORG/sft",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe; `accelerate launch RECIPE` runs it on several devices.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, print the plan, and stop.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Discard the run in the output folder and train again.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(
            help="hf-jobs:FLAVOR trains on Hugging Face Jobs, such as hf-jobs:a10g-large; default: this machine."
        ),
    ] = None,
    job_timeout: Annotated[str | None, typer.Option(help="Time limit of a job, such as 90m; default: 6h.")] = None,
    job_package: Annotated[
        str | None,
        typer.Option(help="Package that the job installs, as a pip requirement; default: this release of ascii-maze."),
    ] = None,
) -> None:
    """Fine-tune a model with a recipe; `--key value` overrides any of its keys."""
    if on is not None:
        if overwrite:
            raise UsageError("--overwrite is for a folder here; a job starts in an empty one")
        train_elsewhere(recipe, context.args, on, dry_run, timeout=job_timeout, package=job_package)
        return
    if job_timeout or job_package:
        raise UsageError("--job-timeout and --job-package go with --on hf-jobs:FLAVOR")
    from ..launch import train as train_recipe

    with resumable("the same command resumes from the last checkpoint"):
        train_recipe(recipe, context.args, dry_run, overwrite)


def train_elsewhere(recipe: str, overrides: list[str], on: str, dry_run: bool, **options: str | None) -> None:
    """Submit a recipe to Hugging Face Jobs and print the job's log until it ends.

    Raises:
        AsciiMazeError: the recipe cannot be trained there, or the job fails.
    """
    from ..hub import jobs
    from ..launch import silence_libraries
    from ..recipe import check_recipe, load_recipe

    if not on.startswith(jobs.PREFIX):
        raise UsageError(f"--on '{on}': expected hf-jobs:FLAVOR, such as hf-jobs:a10g-large")
    resolved = load_recipe(recipe, overrides)
    given = {name: value for name, value in options.items() if value is not None}
    job = jobs.plan_job(resolved, on.removeprefix(jobs.PREFIX), **given)
    silence_libraries()
    check_recipe(resolved)  # imports TRL: a mistake is found here in ten seconds, not on a rented machine
    if dry_run:
        print(printable(job.to_text()))
        return
    submitted = jobs.submit(job)
    print(printable(f"job {submitted.id}: {submitted.url}; Ctrl-C stops the log and not the job"), flush=True)
    try:
        for line in jobs.follow(submitted):
            print(printable(line), flush=True)
    except KeyboardInterrupt:
        end = f"`hf jobs logs {submitted.id}`, and `hf jobs cancel {submitted.id}` ends it"
        print(printable(f"the job keeps running; {end}"))
        return
    print(printable(f"done: {job.repo}"))
