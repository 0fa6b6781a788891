"""The config of a build: a YAML file -> a checked `BuildConfig`, and the number of mazes of each kind."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from ascii_maze.configuration import check_keys, read_yaml_mapping
from ascii_maze.errors import UsageError, did_you_mean
from ascii_maze.mazes.prompts import PromptStyle
from ascii_maze.mazes.rejected import KINDS

from .config_values import ANY_LENGTH, STRATIFIED, check_values, parse_lengths, parse_size
from .schema import CONFIGS as CONFIGS_OF_ALL
from .schema import STEPS
from .strata import ANY, Span, Stratum, strata_of

CONFIGS = Path(__file__).resolve().parent / "configs"
ANY_DIFFICULTY = "any"
MOST_COMBINATIONS = 10_000


@dataclass(frozen=True)
class BuildConfig:
    """The keys of a file in dataset_builder/configs.

    A mapping assigns weights to names; a list gives all names the same weight. Every split has each combination of
    size, generator, braid, endpoints and path length in proportion to the product of their weights.

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
        split_by: what decides a maze's split, one of `ascii_maze.mazes.splits.SPLIT_BY`.
        difficulty: shares of `DIFFICULTIES`, for all splits but train; by default as generated.
        strata: path_length, decisions or both -> the number of bins of each kind's mazes, such that all splits but
            train have equally many rows of each; see `strata`.
        train_only: sizes, or `GENERATOR SIZE`, that no other split than train takes.
        rejected: kinds of rejected answers.
        language, maze_style, answer_style: of the prompts; see `ascii_maze.mazes.prompts.PromptStyle`.
        styles: several maze styles, in place of `maze_style`; each row has one of them.
        reasoning: the kinds of thought before the answer; see `ascii_maze.mazes.reasoning`.
        steps: kinds of observation and explorer of config `steps`, such as `window:2 depth_first`; by default there
            is no such config.
        turns: how walks of `steps` are written, one of `ascii_maze.environment.demonstrations.FORMS`.
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
    styles: dict[str, float] = field(default_factory=dict)
    reasoning: dict[str, float] = field(default_factory=lambda: {"none": 1})
    steps: dict[str, float] = field(default_factory=dict)
    turns: str = "text"
    split_by: str = "maze"
    difficulty: dict[str, float] = field(default_factory=dict)
    strata: dict[str, int] = field(default_factory=dict)
    train_only: list[str] = field(default_factory=list)
    seed: int = 0

    @property
    def configs(self) -> tuple[str, ...]:
        """The configs of the dataset."""
        return (*CONFIGS_OF_ALL, STEPS) if self.steps else CONFIGS_OF_ALL

    @property
    def shown(self) -> dict[str, float]:
        """The maze styles of the rows, with their weights."""
        return self.styles or {self.maze_style: 1}

    @property
    def prompt_styles(self) -> list[PromptStyle]:
        """The prompt styles of the rows: each style of `shown` with each kind of reasoning."""
        return [
            PromptStyle(self.language, style, self.answer_style, reasoning)
            for style in self.shown
            for reasoning in self.reasoning
        ]


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
    """The number of mazes of one kind in one split whose shortest paths have `least` to `most` moves (None: no limit),
    of one of `DIFFICULTIES` or any, and with a number of decisions on the shortest path in `decisions`.
    """

    split: str
    kind: Kind
    least: int
    most: int | None
    count: int  # type: ignore[assignment]  # overrides `tuple.count`, which is not used here
    difficulty: str = ANY_DIFFICULTY
    decisions: Span = ANY

    def __str__(self) -> str:
        length = f"{self.least}-{'' if self.most is None else self.most}"
        which = f"{self.difficulty} " if self.difficulty != ANY_DIFFICULTY else ""
        few, many = self.decisions
        choices = f", {few}-{'' if many is None else many} decisions" if self.decisions != ANY else ""
        return which + str(self.kind) + (f" paths of {length} moves" if length != ANY_LENGTH else "") + choices


def load_config(name: str, seed: int | None = None, limit: int | None = None) -> BuildConfig:
    """Read a config: a path, or the name of one in dataset_builder/configs.

    Args:
        seed: overrides the file's.
        limit: maximum number of rows in each split.

    Raises:
        UsageError: no such file, an unknown key, split, generator or size, or a value of the wrong type.
    """
    path = Path(name) if Path(name).suffix.lower() in (".yaml", ".yml") else CONFIGS / f"{name}.yaml"
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
    weighted = [entry.name for entry in dataclasses.fields(BuildConfig) if entry.type == dict[str, float]]
    config = BuildConfig(**check_values(values, weighted, where))
    sizes, generators = config.sizes | config.larger_sizes, config.generators | config.unseen_generators
    of_all = (sizes, generators, config.braid, config.endpoints, config.path_lengths, config.difficulty or "x")
    combined = math.prod(map(len, of_all)) * math.prod(config.strata.values())
    if combined > MOST_COMBINATIONS:
        raise UsageError(
            f"{where}: {combined:,} combinations of sizes, generators, braid, endpoints, path_lengths, difficulty "
            f"and strata, more than {MOST_COMBINATIONS:,}"
        )
    for split in config.splits:
        if not _kinds(config, split):
            raise UsageError(f"{where}: 'train_only' leaves nothing for split '{split}'")
    return config


def quotas(config: BuildConfig) -> list[Quota]:
    """The rows of every split shared out over kinds, path lengths and difficulties by weight, in a fixed order."""
    shares = []
    for split, total in config.splits.items():
        weighted = list(_combinations(config, split))
        weights = [weight for *_, weight in weighted]
        ends = [round(total * sum(weights[: k + 1]) / sum(weights)) for k in range(len(weights))]
        for (kind, stratum, difficulty, _), start, end in zip(weighted, [0, *ends], ends):
            shares.append(Quota(split, kind, *stratum.lengths, end - start, difficulty, stratum.decisions))
    return [quota for quota in shares if quota.count]


def _kinds(config: BuildConfig, split: str) -> list[tuple[Kind, float]]:
    """The kinds of a split, with their weights."""
    sizes = config.larger_sizes if split == "test_larger" else config.sizes
    generators = config.unseen_generators if split == "test_unseen" else config.generators
    found = []
    for size, generator, braid, endpoints in product(sizes, generators, config.braid, config.endpoints):
        if split != "train" and not {size, f"{generator} {size}"}.isdisjoint(config.train_only):
            continue
        weight = sizes[size] * generators[generator] * config.braid[braid] * config.endpoints[endpoints]
        found.append((Kind(generator, *parse_size(size), float(braid), endpoints), weight))
    return found


def _combinations(config: BuildConfig, split: str) -> Iterator[tuple[Kind, Stratum, str, float]]:
    """Kind, stratum and difficulty of the rows of a split, with their weights."""
    difficulties = (config.difficulty if split != "train" else {}) or {ANY_DIFFICULTY: 1.0}
    for kind, weight in _kinds(config, split):
        if split != "train" and config.strata:
            yield from _stratified(config, kind, difficulties, weight)
            continue
        for lengths, difficulty in product(config.path_lengths, difficulties):
            share = weight * config.path_lengths[lengths] * difficulties[difficulty]
            yield kind, Stratum(parse_lengths(lengths)), difficulty, share


def _stratified(
    config: BuildConfig, kind: Kind, difficulties: dict[str, float], weight: float
) -> Iterator[tuple[Kind, Stratum, str, float]]:
    """The strata of a kind, with an equal share per difficulty; that of a missing difficulty goes to the others."""
    found = strata_of(kind, config.seed, *(config.strata.get(name, 1) for name in STRATIFIED))
    there = {name: share for name, share in difficulties.items() if found[name]}
    for name, share in there.items():
        for stratum in found[name]:
            yield kind, stratum, name, weight * share / sum(there.values()) / len(found[name])
