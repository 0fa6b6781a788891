"""Writes the reference of the commands: `{{ commands }}` in a page becomes the help of every command."""

import os
import re
from typing import Any

MARKER = "{{ commands }}"
WIDTH = 90  # characters, in which a page shows a line without scrolling


def on_page_markdown(markdown: str, **context: Any) -> str:
    """Called by mkdocs with the text of every page."""
    return markdown.replace(MARKER, render_commands()) if MARKER in markdown else markdown


def render_commands() -> str:
    """The help of every command as Markdown, in the order of `ascii-maze --help`."""
    from click import Context
    from typer.main import get_command

    from ascii_maze.cli import app

    os.environ["TERMINAL_WIDTH"] = str(WIDTH)
    program = get_command(app)
    parts = []
    with Context(program, info_name="ascii-maze", terminal_width=WIDTH, max_content_width=WIDTH) as context:
        for name in program.list_commands(context):
            command = program.get_command(context, name)
            with Context(command, info_name=name, parent=context, terminal_width=WIDTH) as inner:
                text = command.get_help(inner)
            parts.append(f"## {name}\n\n```text\n{re.sub(r'[ ]+$', '', text, flags=re.M)}\n```\n")
    return "\n".join(parts)
