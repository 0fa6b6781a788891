"""Paths of this machine in what is published: of each there remains what lies below the published folder, or its name.

They say who works where, and nobody else can use them. In JSON they are found in every text, also in the middle of a
command line; on a page by what the JSON and the Markdown beside it hold.
"""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

# What may stand in a path that is not quoted; in quotes, as a shell writes a path with blanks, anything may.
_SIGN = r"[^\s/'\"`<>|,;()\[\]{}]"
_LOCAL_PATH = re.compile(
    rf"(?<=')(?:~|\.{{1,2}})?/[^'\n]+(?=')"
    rf"|(?<![\w.:/<~-])(?:file://)?(?:(?:~|\.{{1,2}})(?:/{_SIGN}+)+|(?:/{_SIGN}+){{2,}})/?"
)


def paths_in(text: str) -> list[str]:
    """The local paths in a text."""
    return _LOCAL_PATH.findall(text)


def without_local_paths(values: Any, folder: Path | None = None) -> Any:
    """JSON values without the local paths in their texts, however deep inside.

    Args:
        folder: that is published; of the paths in it, what lies below it remains.
    """
    if isinstance(values, dict):
        return {key: without_local_paths(value, folder) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [without_local_paths(value, folder) for value in values]
    return cut(values, folder) if isinstance(values, str) else values


def cut(text: str, folder: Path | None = None) -> str:
    """A text without local paths; one that is nothing but such a path, blanks and all, is cut to its name."""
    for root in roots(folder):
        text = text.replace(root, root.rpartition("/")[2])
    if "\n" not in text and " -" not in text and text.startswith(("/", "~", "./", "../", "file:")):
        return PurePosixPath(text).name
    return _LOCAL_PATH.sub(lambda found: PurePosixPath(found[0]).name, text)


def cut_page(page: str, texts: Iterable[str], folder: Path) -> str:
    """An HTML page without the local paths that are in some texts, as they are or escaped."""
    from markupsafe import escape

    found = {path: PurePosixPath(path).name for text in texts for path in paths_in(text)}
    known = {**found, **{root: root.rpartition("/")[2] for root in roots(folder)}}
    for path in sorted(known, key=len, reverse=True):
        if path not in roots(folder):
            known[path] = cut(path, folder)
        for written in (str(escape(path)), path):
            page = page.replace(written, str(escape(known[path])))
    return page


def roots(folder: Path | None) -> list[str]:
    """A folder as it may be written where it is given whole, the longest first."""
    if folder is None:
        return []
    return sorted({str(folder.absolute()), str(folder.resolve())}, key=len, reverse=True)


def texts_of(values: Any) -> list[str]:
    """All texts in JSON values."""
    if isinstance(values, str):
        return [values]
    inner = values.values() if isinstance(values, dict) else values if isinstance(values, list) else ()
    return [text for value in inner for text in texts_of(value)]
