"""`ascii-maze play`: a page to draw mazes on, and watch models walk."""

import json
import sys
from typing import Annotated

import typer

from ..errors import printable
from ..terminal import waiting
from .options import Json, name_models

app = typer.Typer()


@app.command(
    epilog="Examples: ascii-maze play; ascii-maze play tiny sft=outputs/tiny/sft dpo=outputs/tiny/dpo; "
    "ascii-maze play ORG/ascii-maze-sft --port 0"
)
def play(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders, Hub ids or adapters, each as MODEL or NAME=MODEL; default: `tiny` and the adapters in "
            "outputs/tiny."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to serve on; only 127.0.0.1 is out of others' reach.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 7860,
    share: Annotated[bool, typer.Option("--share", help="Open a public link through a tunnel of Gradio's.")] = False,
    as_json: Json = False,
) -> None:
    """Draw a maze on a local page, and watch models walk through it, move by move."""
    from ..launch import prepare_process
    from ..preferences.extra import PAGES, require
    from ..preferences.serving import free_port, serve, wait_until_stopped

    require(*PAGES)
    free_port(host, port)  # before the models are loaded
    named = name_models(models or [])
    prepare_process()
    from ..preferences.play_app import play_page
    from ..preferences.players import Players, default_models

    if share:
        print("anybody who knows the link can open the page", file=sys.stderr)
    elif host not in ("127.0.0.1", "localhost", "::1"):
        print(printable(f"anybody who reaches {host} can open the page"), file=sys.stderr)
    with waiting("loading models"):
        players = Players(named or default_models())
    serving = serve(play_page(players), host, port, share)
    told = {"url": serving.url, "share_url": serving.share_url, "models": players.names}
    where = serving.url + (f" and {serving.share_url}" if serving.share_url else "")
    print(
        json.dumps(told) if as_json else printable(f"{where}: {', '.join(players.names)}; Ctrl-C ends it"), flush=True
    )
    try:
        wait_until_stopped(lambda: None)
    finally:
        serving.close()
