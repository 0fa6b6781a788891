"""Renders the templates in `pages/`, in the only Jinja2 environment here. `language` translates pages.

In Markdown nothing is escaped by itself, since templates also hold code: text of others goes through `plain` or
`literal`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import printable

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
    environment.filters |= {"plain": plain, "literal": literal}
    return environment.get_template(template.name).render(context)


def plain(text: Any) -> str:
    """Untrusted text for a line or a cell of Markdown, in which it is no HTML, link, picture or border of a cell."""
    shown = printable(str(text)).replace("\n", " ").replace("|", "\\|").replace("](", "]\\(")
    return re.sub("<(?=[A-Za-z/!?])", "&lt;", shown)


def literal(text: Any) -> str:
    """Untrusted text as inline code in Markdown, so that it is not parsed as markup."""
    shown = "".join(sign if sign.isprintable() else "�" for sign in str(text)).replace("`", "'").replace("|", "¦")
    return f"`{shown}`"
