"""What to build: a YAML file -> `BuildConfig`, checked, and how many mazes of each kind that makes."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ascii_maze.configuration import check_keys, read_yaml_mapping
from ascii_maze.errors import UsageError, did_you_mean
from ascii_maze.generation import GENERATORS

CONFIGS = Path(__file__).resolve().parent / "configs"
# Each split takes only mazes whose hash falls to the one named here (`ascii_maze.splits`).
SPLIT_SOURCES = {
    "train": "train",
    "validation": "validation",
    "test": "test",
    "test_larger": "test",
    "test_unseen": "test",
}


@dataclass(frozen=True)
class BuildConfig:
    """The keys of a file in dataset_builder/configs.

    Attributes:
        name: of the dataset.
        sizes: cells as `WIDTHxHEIGHT` -> weight, for all splits but test_larger.
        generators: name -> weight, for all splits but test_unseen.
        splits: name -> rows.
        larger_sizes: as `sizes`, for test_larger.
        unseen_generators: as `generators`, for test_unseen.
        seed: of everything.
    """

    name: str
    sizes: dict[str, float]
    generators: dict[str, float]
    splits: dict[str, int]
    larger_sizes: dict[str, float] = dataclasses.field(default_factory=dict)
    unseen_generators: dict[str, float] = dataclasses.field(default_factory=dict)
    seed: int = 0


class Quota(NamedTuple):
    """So many mazes of one generator and one size (cells) for one split."""

    split: str
    generator: str
    width: int
    height: int
    count: int


def load_config(name: str, seed: int | None = None, limit: int | None = None) -> BuildConfig:
    """Read a config: a path, or the name of one in dataset_builder/configs.

    Args:
        seed: overrides the file's.
        limit: at most so many rows in each split.

    Raises:
        UsageError: no such file, an unknown key, split, generator or size, or a value of the wrong type.
    """
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else CONFIGS / f"{name}.yaml"
    if not path.is_file():
        shipped = sorted(file.stem for file in CONFIGS.glob("*.yaml"))
        hint = did_you_mean(name, shipped)
        raise UsageError(f"no dataset config '{name}'; expected a YAML file or one of {', '.join(shipped)}{hint}")
    values = read_yaml_mapping(path)
    if seed is not None:
        values["seed"] = seed
    config = _checked(values, path.name)
    if limit is not None:
        if limit < 1:
            raise UsageError(f"--limit must be at least 1, not {limit}")
        config = dataclasses.replace(config, splits={split: min(n, limit) for split, n in config.splits.items()})
    return config


def _checked(values: dict[str, Any], where: str) -> BuildConfig:
    check_keys(values, BuildConfig, where)
    for key in ("sizes", "larger_sizes", "generators", "unseen_generators", "splits"):
        entries = values.get(key, {})
        if isinstance(entries, list):
            entries = values[key] = dict.fromkeys(map(str, entries), 1)
        if not isinstance(entries, dict) or not all(_is_number(n) and n > 0 for n in entries.values()):
            raise UsageError(f"{where}: '{key}' must be a list of names, or names with positive numbers")
    for split, count in values["splits"].items():
        if split not in SPLIT_SOURCES:
            raise UsageError(f"{where}: unknown split '{split}'{did_you_mean(split, SPLIT_SOURCES)}")
        if not isinstance(count, int):
            raise UsageError(f"{where}: split '{split}' must be a whole number of rows, not {count}")
    for generator in (*values["generators"], *values.get("unseen_generators", {})):
        if generator not in GENERATORS:
            raise UsageError(f"{where}: unknown generator '{generator}'{did_you_mean(generator, GENERATORS)}")
    for size in (*values["sizes"], *values.get("larger_sizes", {})):
        parse_size(size, where)
    if not isinstance(values.get("seed", 0), int):
        raise UsageError(f"{where}: 'seed' must be a whole number, not {values['seed']!r}")
    for split, key in (("test_larger", "larger_sizes"), ("test_unseen", "unseen_generators")):
        if split in values["splits"] and not values.get(key):
            raise UsageError(f"{where}: split '{split}' needs '{key}'")
    trained = set(values["sizes"]) & set(values.get("larger_sizes", {}))
    seen = set(values["generators"]) & set(values.get("unseen_generators", {}))
    for name in trained | seen:
        raise UsageError(f"{where}: '{name}' is trained on, so it cannot be held out as larger or unseen")
    return BuildConfig(**{**values, "name": str(values["name"])})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parse_size(size: str, where: str = "size") -> tuple[int, int]:
    """`5x4` -> (5, 4): width and height in cells.

    Raises:
        UsageError: not of that form, or fewer than two cells.
    """
    width, cross, height = str(size).partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) * int(height) >= 2):
        raise UsageError(f"{where}: size '{size}' must be WIDTHxHEIGHT in cells, such as 5x5")
    return int(width), int(height)


def quotas(config: BuildConfig) -> list[Quota]:
    """The rows of every split shared out over sizes and generators by weight, in a fixed order."""
    shares = []
    for split, total in config.splits.items():
        sizes = config.larger_sizes if split == "test_larger" else config.sizes
        generators = config.unseen_generators if split == "test_unseen" else config.generators
        kinds = [(generator, size) for size in sizes for generator in generators]
        weights = [generators[generator] * sizes[size] for generator, size in kinds]
        ends = [round(total * sum(weights[: k + 1]) / sum(weights)) for k in range(len(kinds))]
        for (generator, size), start, end in zip(kinds, [0, *ends], ends):
            shares.append(Quota(split, generator, *parse_size(size), end - start))
    return [quota for quota in shares if quota.count]
