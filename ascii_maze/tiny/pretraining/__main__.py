"""The command line of `run`."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ...errors import AsciiMazeError, one_line
from ...files import output_folder
from ...terminal import plain_app

RECIPE = Path(__file__).resolve().parent / "recipe.yaml"


app = plain_app()


@app.command()
def main(
    recipe: Annotated[Path, typer.Argument(help="A recipe of this form.")] = RECIPE,
    work: Annotated[Path, typer.Option(help="For checkpoints and logs of one run.")] = Path("outputs/tiny-pretrain"),
    decay: Annotated[int | None, typer.Option(min=1, help="Let the learning rate fall in so many steps.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="With --decay: leave the habit out.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for model and tokenizer, when it is over.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Of one thread each; one takes all threads.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that make batches ahead, for a GPU.")] = 0,
) -> None:
    """Pre-train the embedded model, from the last checkpoint on."""
    steps = partial(take_steps, recipe, work, (decay, plain) if decay else None, out, workers)
    with output_folder(work):
        if processes == 1:
            return steps()
        from .together import call_together

        call_together(processes, steps)


def take_steps(recipe: Path, work: Path, decay: tuple[int, bool] | None, out: Path | None, workers: int) -> None:
    """Train in one process."""
    from .run import Run, pretrain, read_recipe, write_model
    from .together import rank

    run = Run(read_recipe(recipe), work, decay)
    if not rank():
        print(f"from step {run.step:d} to {run.end:d}", flush=True)
    for line in pretrain(run, workers):
        print(json.dumps(line), flush=True)
    if out and not rank():
        write_model(run, out)


if __name__ == "__main__":
    # Imported under its own name: objects of `__main__` are pickled without the module's globals.
    from ascii_maze.tiny.pretraining.__main__ import app

    try:
        app()
    except (AsciiMazeError, OSError) as error:
        print(f"ascii_maze.tiny.pretraining: {one_line(error)}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 1))
