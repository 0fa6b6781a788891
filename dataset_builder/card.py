"""The dataset card: what `load_dataset` reads to find the files, and what people read."""

import hashlib
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from .config import BuildConfig
from .rows import CONFIG_ROWS

_HERE = Path(__file__).resolve().parent
PURPOSES = {
    "train": "to train on",
    "validation": "to choose settings by",
    "test": "to report; the sizes and generators of train",
    "test_larger": "to report; larger than anything in train",
    "test_unseen": "to report; generators that train has nothing of",
}


def render_card(config: BuildConfig, record: dict) -> str:
    """README.md of a built dataset as Markdown with its YAML head, from `card.md.jinja`."""
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(_HERE), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )
    rows = sum(config.splits.values())
    # `datasets` keeps what it has read of a folder under the folder's name and a hash of this head, not of the files.
    # With their digest in it, a dataset built anew at the same place is not mistaken for the one before.
    digests = {name: hashlib.sha256() for name in CONFIG_ROWS}
    for path, sha256 in record["files"].items():
        digests[path.split("/")[0]].update(f"{path} {sha256}\n".encode())
    return environment.get_template("card.md.jinja").render(
        config=config,
        record=record,
        configs=list(CONFIG_ROWS),
        digests={name: digest.hexdigest() for name, digest in digests.items()},
        purposes=PURPOSES,
        size_category="n<1K"
        if rows < 1e3
        else "1K<n<10K"
        if rows < 1e4
        else "10K<n<100K"
        if rows < 1e5
        else "100K<n<1M",
    )
