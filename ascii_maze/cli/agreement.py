"""`ascii-maze agreement`: how well people agree, and whom they prefer."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import printable
from ..terminal import print_tables
from .options import Json, named_path, path_option

app = typer.Typer()


@app.command(epilog="Example: ascii-maze agreement preferences")
def agreement(
    preferences: Annotated[Path, typer.Argument(parser=named_path, help="Folder that `annotate` made.")] = Path(
        "preferences"
    ),
    out: Annotated[
        Path | None, path_option("Folder for agreement.html and agreement.json; default: agreement/ inside it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Report how well people agree, with each other and with the truth, and whose answers they prefer."""
    from ..preferences.card import lines_of
    from ..preferences.extra import STATISTICS, require
    from ..preferences.report import write_agreement

    require(*STATISTICS)
    figures, torn = write_agreement(preferences, out)
    for path in torn:
        print(printable(f"{path}: the last line is incomplete and does not count"), file=sys.stderr)
    if as_json:
        print(json.dumps(figures))
        return
    title = f"{figures['answers']:,} answers to {figures['source']}"
    print_tables([(title, line, {}) for line in lines_of(figures)], ("", ""))
    models: list[tuple[str, tuple[str, ...], dict]] = [
        ("Bradley-Terry", (one["model"], f"{one['score']:+.2f}", "{:+.2f} to {:+.2f}".format(*one["score_ci"])), {})
        for one in figures["models"]
    ]
    print_tables(models, ("model", "log odds", "95 %"))
    for person in figures["people"]:
        if person["careless"]:
            gold = person["gold"]
            print(printable(f"{person['name']} did not look: {gold['hits']} of {gold['n']} gold questions right"))
    print(printable(f"{(out or preferences / 'agreement') / 'agreement.html'}"))
