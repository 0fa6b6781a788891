"""`ascii-maze train`: one recipe."""

from typing import Annotated

import typer

from ..terminal import resumable

app = typer.Typer()


@app.command(
    epilog="Example: ascii-maze train recipes/tiny/sft.yaml --learning_rate 2e-3",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe; `accelerate launch RECIPE` runs it on several devices.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, print the plan, and stop.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Discard the run in the output folder and train again.")
    ] = False,
) -> None:
    """Fine-tune a model by a recipe; `--key value` overrides any of its keys."""
    from ..launch import train as train_recipe

    with resumable("the same command resumes from the last checkpoint"):
        train_recipe(recipe, context.args, dry_run, overwrite)
