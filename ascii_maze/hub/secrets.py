"""Finds credentials in a file before it is published.

Only unmistakable forms are found: a prefix reserved by the issuer, followed by the right alphabet and length. A
vocabulary's `<pad>`, a sha256, `hf_hub_download` and the CSS class `sk-toggleable__content` do not match; neither does
a bare password.
"""

import mmap
import re
from pathlib import Path

# name -> (prefix of every match, pattern). The prefix is found with `find`, which scans a gigabyte per second; the
# pattern is tried only there.
SECRETS: dict[str, tuple[bytes, re.Pattern[bytes]]] = {
    "Hugging Face token": (b"hf_", re.compile(rb"hf_(?:[A-Za-z0-9]{30,}|(?:jwt|oauth)_[\w.-]{20,})")),
    "Hugging Face organisation token": (b"api_org_", re.compile(rb"api_org_[A-Za-z0-9]{30,}")),
    "AWS access key": (b"AKIA", re.compile(rb"AKIA[A-Z2-7]{16}(?![A-Za-z0-9+/=])")),
    "temporary AWS access key": (b"ASIA", re.compile(rb"ASIA[A-Z2-7]{16}(?![A-Za-z0-9+/=])")),
    "API key": (
        b"sk-",
        re.compile(rb"sk-(?=[\w-]*[0-9])(?:[A-Za-z0-9]{32,}|(?:proj|svcacct|admin|ant|or)-[\w-]{32,})"),
    ),
    "GitHub token": (b"gh", re.compile(rb"gh[pousr]_[A-Za-z0-9]{36,}")),
    "fine-grained GitHub token": (b"github_pat_", re.compile(rb"github_pat_\w{60,}")),
    "private key": (b"-----BEGIN", re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")),
}
# A match may not be preceded by a character of a name or of base64, except one of an escape in JSON or a URL.
_BEGINS_AFTER = re.compile(rb"(?:^|[^\w-]|\\[nrt]|%[0-9A-Fa-f]{2})$")


def find_secret(content: bytes | Path) -> tuple[str, int] | None:
    """The kind and the line (from 1) of the first credential in a file or in bytes; None if there is none."""
    if isinstance(content, bytes):
        return _find(content)
    if not content.stat().st_size:
        return None
    with content.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _find(data)


def _find(data: bytes | mmap.mmap) -> tuple[str, int] | None:
    for name, (prefix, pattern) in SECRETS.items():
        at = data.find(prefix)
        while at >= 0:
            if _BEGINS_AFTER.search(data[max(at - 3, 0) : at]) and pattern.match(data, at):
                return name, data[:at].count(b"\n") + 1
            at = data.find(prefix, at + 1)
    return None


def without_secrets(text: str) -> str:
    """The text with everything that looks like a credential replaced by `***`."""
    data = text.encode()
    for _, pattern in SECRETS.values():
        data = pattern.sub(b"***", data)
    return data.decode()
