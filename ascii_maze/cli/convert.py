"""`ascii-maze convert`: a maze in another style."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import printable
from .options import Marks, path_option

app = typer.Typer()


@app.command(
    epilog="Examples: ascii-maze convert maze.txt --to cells; ascii-maze convert - --style maze_dataset --to hash; "
    "ascii-maze convert map.txt --marks 'E=G,*=S' --to boxes --out boxes.txt"
)
def convert(
    source: Annotated[str, typer.Argument(help="Text file with a maze, or - for stdin.")],
    to: Annotated[
        str,
        typer.Option(
            help="hash, dots, blocks, spaced, indexed, cells, adjacency, adjacency_shuffled, boxes or lines."
        ),
    ],
    style: Annotated[
        str, typer.Option(help="Style of the file: one of those, maze_dataset, or auto to detect it.")
    ] = "auto",
    marks: Marks = None,
    out: Annotated[Path | None, path_option("File to write; default: print it.")] = None,
) -> None:
    """Write the maze of a file in another style."""
    from ..mazes.convert import convert as convert_maze
    from ..mazes.convert import parse_marks

    text = convert_maze(source, to, style, parse_marks(marks or []))
    if out is None:
        print(printable(text))
    else:
        from ..files import write_new

        write_new(out, text + "\n")
