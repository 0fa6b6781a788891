"""Removes local paths from what is published: each is cut to the part below the published folder, or to its last part.

They reveal details of a user's machine and are useless elsewhere. In JSON every string is searched, command lines
included. In HTML, where most slashes are markup, only paths that occur in the JSON and Markdown of the same folder are
replaced.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# A character of an unquoted path. In quotes, as used in a shell for paths with spaces, any character may follow.
_SIGN = r"[^\s/'\"`<>|,;()\[\]{}]"
_LOCAL_PATH = re.compile(
    rf"(?<=')(?:~|\.{{1,2}})?/[^'\n]+(?=')"
    rf'|(?<=")(?:~|\.{{1,2}})?/[^"\n]+(?=")'
    r"|\\\\[^\s\\'\"`<>|,;()]+(?:\\[^\s\\'\"`<>|,;()]+)+"
    r"|\b[A-Za-z]:\\(?:[^\s\\'\"`<>|,;()]+\\)*[^\s\\'\"`<>|,;()]+"
    rf"|(?<![\w./<~-])(?:file://)?(?:(?:~|\.{{1,2}})(?:/{_SIGN}+)+|(?:/{_SIGN}+){{2,}})/?"
)


def paths_in(text: str) -> list[str]:
    """The local paths in a text."""
    return _LOCAL_PATH.findall(text)


def without_local_paths(values: Any, folder: Path | None = None) -> Any:
    """JSON values without local paths in their strings and keys, at any depth.

    Args:
        folder: the published folder; paths inside it become relative to it.
    """
    if isinstance(values, dict):
        return {
            key: without_local_paths(value, folder)
            for key, value in zip(distinct(cut(key, folder) for key in values), values.values())
        }
    if isinstance(values, list | tuple):
        return [without_local_paths(value, folder) for value in values]
    return cut(values, folder) if isinstance(values, str) else values


def distinct(keys: Iterable[str]) -> list[str]:
    """The same keys, numbered where several have become one."""
    found: dict[str, None] = {}
    seen = Counter[str]()
    for key in keys:
        same = key
        while same in found:
            seen[key] += 1
            same = f"{key} ({seen[key] + 1})"
        found[same] = None
    return list(found)


def cut(text: str, folder: Path | None = None) -> str:
    """A text without local paths. If the whole text is one path, possibly with spaces, its last part is left."""
    for root in roots(folder):
        text = text.replace(root, root.rpartition("/")[2])
    if not re.search("\n| -|=|,", text) and text.startswith(("/", "~", "./", "../", "file:")):
        return last_part(text)
    return _LOCAL_PATH.sub(lambda found: last_part(found[0]), text)


def last_part(path: str) -> str:
    """The last part of a path of any system."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def cut_page(page: str, texts: Iterable[str], folder: Path) -> str:
    """An HTML page without the local paths found in `texts`, plain or HTML-escaped."""
    from markupsafe import escape

    found = {path: last_part(path) for text in texts for path in paths_in(text)}
    known = {**found, **{root: root.rpartition("/")[2] for root in roots(folder)}}
    for path in sorted(known, key=len, reverse=True):
        if path not in roots(folder):
            known[path] = cut(path, folder)
        for written in (str(escape(path)), path):
            page = page.replace(written, str(escape(known[path])))
    return page


def roots(folder: Path | None) -> list[str]:
    """The absolute paths of a folder, with and without symlinks resolved, longest first."""
    if folder is None:
        return []
    return sorted({str(folder.absolute()), str(folder.resolve())}, key=len, reverse=True)


def texts_of(values: Any) -> list[str]:
    """All strings in JSON values, and their keys."""
    if isinstance(values, str):
        return [values]
    inner = [*values, *values.values()] if isinstance(values, dict) else values if isinstance(values, list) else ()
    return [text for value in inner for text in texts_of(value)]
