"""`ascii-maze show`: mazes with paths through them."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import printable
from .options import Marks, path_option

app = typer.Typer()


@app.command(
    epilog="Examples: ascii-maze show ascii-maze --split test --n 8; ascii-maze show maze.txt --answer 'R R D D'; "
    "ascii-maze show predictions.parquet --html mazes.html"
)
def show(
    source: Annotated[
        str,
        typer.Argument(help="Dataset (folder or Hub id), predictions.parquet, text file with a maze, or - for stdin."),
    ] = "ascii-maze",
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "train",
    n: Annotated[int, typer.Option("--n", min=1, help="Number of mazes.")] = 4,
    answer: Annotated[
        str | None, typer.Option(help="Path to draw through the maze of a file; default: its solution.")
    ] = None,
    marks: Marks = None,
    style: Annotated[str, typer.Option(help="Maze style of the file; auto detects it.")] = "auto",
    html: Annotated[
        Path | None,
        path_option("Write the drawings to an HTML page instead."),
    ] = None,
) -> None:
    """Draw mazes with paths through them, in the terminal or on a page."""
    from ..evaluation import show as shown

    groups = shown.find_drawings(source, split, n, answer, marks or [], style)
    if html:
        shown.write_page(html, f"Mazes of {source}", [drawing for group in groups for drawing in group])
        print(printable(f"{html}: {sum(map(len, groups))} mazes"))
        return
    for group in groups:
        shown.draw(group)
