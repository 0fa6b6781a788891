"""What to build: a YAML file -> `BuildConfig`, checked, and how many mazes of each kind that makes."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ascii_maze.configuration import check_keys, read_yaml_mapping
from ascii_maze.errors import UsageError, did_you_mean
from ascii_maze.mazes.generators import ENDPOINTS, GENERATORS
from ascii_maze.mazes.prompts import ANSWER_STYLES, LANGUAGES, PromptStyle
from ascii_maze.mazes.rejected import KINDS
from ascii_maze.metrics.path_validity.maze import STYLES

CONFIGS = Path(__file__).resolve().parent / "configs"
# Each split takes only mazes whose hash falls to the one named here (`ascii_maze.mazes.splits`).
SPLIT_SOURCES = {
    "train": "train",
    "validation": "validation",
    "test": "test",
    "test_larger": "test",
    "test_unseen": "test",
}
ANY_LENGTH = "0-"


@dataclass(frozen=True)
class BuildConfig:
    """The keys of a file in dataset_builder/configs.

    A mapping gives names their weights; a list gives all of them the same. Every split has each combination of size,
    generator, braid, endpoints and path length in the proportion of the products of their weights.

    Attributes:
        name: of the dataset.
        sizes: cells as `WIDTHxHEIGHT`, for all splits but test_larger.
        generators: for all splits but test_unseen.
        splits: name -> rows.
        larger_sizes: as `sizes`, for test_larger.
        unseen_generators: as `generators`, for test_unseen.
        braid: shares of dead ends opened, 0-1.
        endpoints: where start and goal go.
        path_lengths: moves of the shortest path as `LEAST-MOST` or `LEAST-`.
        rejected: kinds of rejected answers.
        language, maze_style, answer_style: of the prompts; see `ascii_maze.mazes.prompts.PromptStyle`.
        seed: of everything.
    """

    name: str
    sizes: dict[str, float]
    generators: dict[str, float]
    splits: dict[str, int]
    larger_sizes: dict[str, float] = field(default_factory=dict)
    unseen_generators: dict[str, float] = field(default_factory=dict)
    braid: dict[str, float] = field(default_factory=lambda: {"0": 1})
    endpoints: dict[str, float] = field(default_factory=lambda: {"random": 1})
    path_lengths: dict[str, float] = field(default_factory=lambda: {ANY_LENGTH: 1})
    rejected: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 1))
    language: str = "en"
    maze_style: str = "hash"
    answer_style: str = "letters"
    seed: int = 0

    @property
    def prompt_style(self) -> PromptStyle:
        """Language and styles together."""
        return PromptStyle(self.language, self.maze_style, self.answer_style)


class Kind(NamedTuple):
    """One endless sequence of mazes; size in cells."""

    generator: str
    width: int
    height: int
    braid: float
    endpoints: str

    def __str__(self) -> str:
        extras = [f"braid {self.braid:g}"] if self.braid else []
        extras += [f"endpoints {self.endpoints}"] if self.endpoints != "random" else []
        return " ".join([self.generator, f"{self.width}x{self.height}", *extras])


class Quota(NamedTuple):
    """So many mazes of one kind for one split, with shortest paths of `least` to `most` moves (None: any length)."""

    split: str
    kind: Kind
    least: int
    most: int | None
    count: int  # type: ignore[assignment]  # tuples have a method of this name, which nobody calls here

    def __str__(self) -> str:
        length = f"{self.least}-{'' if self.most is None else self.most}"
        return str(self.kind) + (f" paths of {length} moves" if length != ANY_LENGTH else "")


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
    optional = ("larger_sizes", "unseen_generators")
    for key in (entry.name for entry in dataclasses.fields(BuildConfig) if entry.type in _WEIGHTS):
        if key in values and not (key in optional and values[key] == {}):
            values[key] = _weights(values[key], f"{where}: '{key}'")
    for split, count in values["splits"].items():
        if not isinstance(count, int):
            raise UsageError(f"{where}: split '{split}' must be a whole number of rows, not {count}")
    for key, what, known in (
        ("splits", "split", SPLIT_SOURCES),
        ("generators", "generator", GENERATORS),
        ("unseen_generators", "generator", GENERATORS),
        ("endpoints", "endpoints", ENDPOINTS),
        ("rejected", "kind of rejected answer", KINDS),
        ("language", "language", LANGUAGES),
        ("maze_style", "maze style", STYLES),
        ("answer_style", "answer style", ANSWER_STYLES),
    ):
        names = values.get(key, {})
        for name in names if isinstance(names, dict) else [str(names)]:
            if name not in known:
                expected = did_you_mean(name, known) or f"; expected one of {', '.join(known)}"
                raise UsageError(f"{where}: unknown {what} '{name}'{expected}")
    for size in (*values["sizes"], *values.get("larger_sizes", {})):
        parse_size(size, where)
    for share in values.get("braid", {}):
        if not _is_share(share):
            raise UsageError(f"{where}: braid '{share}' must be a share of dead ends, 0-1")
    for lengths in values.get("path_lengths", {}):
        parse_lengths(lengths, where)
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


_WEIGHTS = (dict[str, float], dict[str, int])


def _weights(entries: Any, where: str) -> dict[str, float]:
    """A list of names, or a mapping of names to positive numbers, as a mapping with text keys."""
    if isinstance(entries, list):
        entries = dict.fromkeys(entries, 1)
    numbers = isinstance(entries, dict) and [
        number for number in entries.values() if isinstance(number, int | float) and not isinstance(number, bool)
    ]
    if not numbers or len(numbers) < len(entries) or min(numbers) <= 0:
        raise UsageError(f"{where} must be a list of names, or names with positive numbers")
    return {str(name): number for name, number in entries.items()}


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def parse_size(size: str, where: str = "size") -> tuple[int, int]:
    """`5x4` -> (5, 4): width and height in cells.

    Raises:
        UsageError: not of that form, or fewer than two cells.
    """
    width, cross, height = str(size).partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) * int(height) >= 2):
        raise UsageError(f"{where}: size '{size}' must be WIDTHxHEIGHT in cells, such as 5x5")
    return int(width), int(height)


def parse_lengths(lengths: str, where: str = "path length") -> tuple[int, int | None]:
    """`10-16` -> (10, 16), `110-` -> (110, None): moves, both ends included.

    Raises:
        UsageError: not of that form, or the greater number first.
    """
    least, dash, most = str(lengths).partition("-")
    if dash and least.isdecimal() and (not most or (most.isdecimal() and int(most) >= int(least))):
        return int(least), int(most) if most else None
    raise UsageError(f"{where}: path length '{lengths}' must be LEAST-MOST or LEAST- in moves, such as 10-16")


def quotas(config: BuildConfig) -> list[Quota]:
    """The rows of every split shared out over kinds and path lengths by weight, in a fixed order."""
    shares = []
    for split, total in config.splits.items():
        sizes = config.larger_sizes if split == "test_larger" else config.sizes
        generators = config.unseen_generators if split == "test_unseen" else config.generators
        weighted = [
            (
                Kind(generator, *parse_size(size), float(braid), endpoints),
                parse_lengths(lengths),
                sizes[size]
                * generators[generator]
                * config.braid[braid]
                * config.endpoints[endpoints]
                * config.path_lengths[lengths],
            )
            for size in sizes
            for generator in generators
            for braid in config.braid
            for endpoints in config.endpoints
            for lengths in config.path_lengths
        ]
        weights = [weight for _, _, weight in weighted]
        ends = [round(total * sum(weights[: k + 1]) / sum(weights)) for k in range(len(weights))]
        for (kind, lengths, _), start, end in zip(weighted, [0, *ends], ends):
            shares.append(Quota(split, kind, *lengths, end - start))
    return [quota for quota in shares if quota.count]
