"""The dataset card: metadata by which `load_dataset` finds the files, and a description for people."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml

from ascii_maze.mazes.drawing import to_sheet
from ascii_maze.mazes.failures import FAILURES
from ascii_maze.mazes.generators import mazes_at
from ascii_maze.mazes.rejected import KINDS
from ascii_maze.templating import render

from .config import BuildConfig, quotas
from .config_values import ANY_LENGTH
from .schema import BuildRecord

PURPOSES = {
    "train": "to train on",
    "validation": "to choose settings by",
    "test": "to report; the sizes and generators of train",
    "test_larger": "to report; larger than anything in train",
    "test_unseen": "to report; generators that train has nothing of",
}
SIZE_CATEGORIES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
    (10**12, "1B<n<10B"),
)
SAMPLES = 12


def render_card(config: BuildConfig, record: BuildRecord, locate: Callable[[str], Path]) -> str:
    """README.md of a built dataset as Markdown with its YAML head, from `card.md.jinja`.

    Args:
        record: build.json.
        locate: a file of `record` -> its current path.
    """
    context = {
        "head": _head(config, record, locate),
        "config": config,
        "record": record,
        "purposes": PURPOSES,
        "kinds": FAILURES if "preferences_from" in record else _kinds(config),
        "any_length": list(config.path_lengths) == [ANY_LENGTH],
    }
    return render(Path(__file__).resolve().parent / "card.md.jinja", context)


def _kinds(config: BuildConfig) -> dict[str, str]:
    return {kind: meaning for kind, meaning in KINDS.items() if kind in config.rejected}


def _head(config: BuildConfig, record: BuildRecord, locate: Callable[[str], Path]) -> str:
    """The YAML of the card."""
    from huggingface_hub import DatasetCardData

    # `datasets` caches a folder under its name and a hash of this head, not of the files.
    # With the files' digest in the head, a rebuilt dataset is not mistaken for its predecessor.
    digests = {name: hashlib.sha256() for name in config.configs}
    for path, sha256 in record["files"].items():
        digests[path.split("/")[0]].update(f"{path} {sha256}\n".encode())
    splits = {name: [split for split in config.splits if record["rows"][f"{name}/{split}"]] for name in config.configs}
    data = DatasetCardData(
        pretty_name=config.name,
        license="apache-2.0",
        language=[config.language],
        task_categories=["text-generation"],
        tags=["maze", "planning", "reasoning", "ascii", "synthetic"],
        size_categories=[next(name for most, name in SIZE_CATEGORIES if sum(config.splits.values()) < most)],
        configs=[
            {
                "config_name": name,
                "description": f"sha256 of the rows {digests[name].hexdigest()}",
                **({"default": True} if name == "sft" else {}),
                "data_files": [{"split": split, "path": f"{name}/{split}-*.parquet"} for split in splits[name]],
            }
            for name in config.configs
        ],
    )
    data.dataset_info = [_info(name, splits[name], record, locate) for name in config.configs]
    return data.to_yaml().rstrip()


def _info(name: str, splits: list[str], record: BuildRecord, locate: Callable[[str], Path]) -> dict:
    """Features, rows and bytes of one config, read from its files, as `datasets` writes them."""
    import pyarrow.parquet

    info: dict = {"config_name": name, "features": [], "splits": [], "download_size": 0, "dataset_size": 0}
    for split in splits:
        files = [locate(path) for path in record["files"] if path.startswith(f"{name}/{split}-")]
        metadata = [pyarrow.parquet.read_metadata(file) for file in files]
        size = sum(part.row_group(k).total_byte_size for part in metadata for k in range(part.num_row_groups))
        rows = record["rows"][f"{name}/{split}"]
        info["splits"].append({"name": split, "num_bytes": size, "num_examples": rows})
        info["download_size"] += sum(file.stat().st_size for file in files)
        info["dataset_size"] += size
        info["features"] = [_feature(field) for field in metadata[0].schema.to_arrow_schema()]
    return info


def _feature(field) -> dict:
    """A column as the card describes it; by hand, since importing `datasets` takes longer than the rest."""
    import pyarrow

    if pyarrow.types.is_list(field.type):
        return {"name": field.name, "list": [_feature(part) for part in field.type.value_type]}
    if pyarrow.types.is_struct(field.type):
        return {"name": field.name, "struct": [_feature(part) for part in field.type]}
    return {"name": field.name, "dtype": str(field.type)}


def render_samples(config: BuildConfig) -> str:
    """A picture of some mazes of the dataset's kinds with their shortest paths, as SVG."""
    kinds = list(dict.fromkeys(quota.kind for quota in quotas(config)))
    drawn = []
    for kind in [kinds[k] for k in np.unique(np.linspace(0, len(kinds) - 1, SAMPLES).round().astype(int))]:
        (maze,) = mazes_at(
            kind.generator, kind.width, kind.height, np.arange(1), config.seed, kind.braid, kind.endpoints
        )
        drawn.append((str(kind), maze, maze.solve() or ""))
    return to_sheet(drawn)


def render_config(config: BuildConfig) -> str:
    """The config as YAML, from which `ascii-maze build` makes the same dataset."""
    return yaml.safe_dump(asdict(config), sort_keys=False, allow_unicode=True)
