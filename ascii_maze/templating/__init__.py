"""Renders the templates in `pages/`, in the only Jinja2 environment here. `language` translates pages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGES = Path(__file__).resolve().parent / "pages"


def render(template: Path, context: Mapping[str, Any]) -> str:
    """A template rendered in Jinja2's sandbox; in pages (`.html.jinja`) everything is escaped.

    Args:
        template: its file; includes are read from the same folder.
        context: the variables of the template.

    Raises:
        jinja2.UndefinedError: a variable is missing.
    """
    from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(template.parent),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(context)
