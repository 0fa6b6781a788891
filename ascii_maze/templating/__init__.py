"""Renders the templates in `pages/`: the only place that makes a Jinja2 environment. `language` translates pages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGES = Path(__file__).resolve().parent / "pages"


def render(template: Path, context: Mapping[str, Any]) -> str:
    """A template filled in, in Jinja2's sandbox; on a page, which is what `.html.jinja` makes, everything is escaped.

    Args:
        template: whose folder holds what it includes.
        context: what it names; a name that is missing is an error, and not an empty place.

    Raises:
        jinja2.UndefinedError: something is missing.
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
