"""A Space for drawing a maze and watching models walk: the embedded one, and the adapters next to this file.

`ascii-maze push space` sends it together with the packages that it needs.
"""

import os
from pathlib import Path

from ascii_maze.errors import printable
from ascii_maze.preferences.play_app import play_page
from ascii_maze.preferences.players import Players, default_models
from ascii_maze.preferences.serving import serve, wait_until_stopped


def main() -> None:
    """Serve the page as a Space."""
    players = Players(default_models(Path(__file__).resolve().parent))
    host, port = os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"), int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    serving = serve(play_page(players), host, port)
    print(printable(f"{serving.url}: {', '.join(players.names)}"), flush=True)
    try:
        wait_until_stopped(lambda: None)
    finally:
        serving.close()


if __name__ == "__main__":
    main()
