"""What to build: a YAML file -> `BuildConfig`, checked, and how many mazes of each kind that makes."""

import dataclasses
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from ascii_maze.configuration import check_keys, read_yaml_mapping
from ascii_maze.environment.demonstrations import FORMS, parse_kind
from ascii_maze.errors import UsageError, did_you_mean
from ascii_maze.mazes.generators import ENDPOINTS, GENERATORS
from ascii_maze.mazes.prompts import ANSWER_STYLES, LANGUAGES, PromptStyle
from ascii_maze.mazes.reasoning import REASONING
from ascii_maze.mazes.rejected import KINDS
from ascii_maze.mazes.splits import SPLIT_BY
from ascii_maze.metrics.path_validity.maze import STYLES

from .schema import CONFIGS as CONFIGS_OF_ALL
from .schema import STEPS
from .strata import ANY, Span, Stratum, strata_of

CONFIGS = Path(__file__).resolve().parent / "configs"
# Each split takes only mazes whose mark falls to the one named here (`ascii_maze.mazes.splits`).
SPLIT_SOURCES = {
    "train": "train",
    "validation": "validation",
    "test": "test",
    "test_larger": "test",
    "test_unseen": "test",
}
ANY_LENGTH = "0-"
# Mazes that a rule of `ascii_maze.mazes.heuristics` walks by a shortest path, and those that none does.
DIFFICULTIES = ("easy", "hard")
ANY_DIFFICULTY = "any"
# Facts of a maze by which held-out splits may be stratified, and into how many bins at most.
STRATIFIED = ("path_length", "decisions")
MOST_BINS = 8
MOST_ROWS = 10**11  # of a split; the Hub's largest category of size holds five of them
MOST_CHARACTERS = 2**24  # of a map: 2,047x2,047 cells
MOST_COMBINATIONS = 10_000
LEAST_WEIGHT, MOST_WEIGHT = 1e-9, 10**9  # so that the product of five stays a number


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
        split_by: what decides a maze's split, one of `ascii_maze.mazes.splits.SPLIT_BY`.
        difficulty: shares of `DIFFICULTIES`, for all splits but train; by default as they come.
        strata: path_length, decisions or both, and into how many bins each kind's mazes are sorted by them, so that
            all splits but train have as many of each; see `strata`.
        train_only: sizes, or `GENERATOR SIZE`, that no other split than train takes.
        rejected: kinds of rejected answers.
        language, maze_style, answer_style: of the prompts; see `ascii_maze.mazes.prompts.PromptStyle`.
        styles: maze styles where there are several, in place of `maze_style`: each row has one of them.
        reasoning: what is thought before the answer; see `ascii_maze.mazes.reasoning`.
        steps: what is in sight and who walks in config `steps`, such as `window:2 depth_first`; by default there is no
            such config.
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
        """How rows are shown and answered: of each in `shown` every way of reasoning."""
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
    """How many mazes of one kind one split gets, with shortest paths of `least` to `most` moves (None: any length), of
    one of `DIFFICULTIES`, or any, and with so many decisions on the shortest path.
    """

    split: str
    kind: Kind
    least: int
    most: int | None
    count: int  # type: ignore[assignment]  # tuples have a method of this name, which nobody calls here
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
    values = {**values, "name": _name(values["name"], where), "splits": _row_counts(values["splits"], where)}
    optional = ("larger_sizes", "unseen_generators", "styles", "difficulty", "steps")
    for key in (entry.name for entry in dataclasses.fields(BuildConfig) if entry.type == dict[str, float]):
        if key in values and not (key in optional and values[key] == {}):
            values[key] = _weights(values[key], f"{where}: '{key}'")
    for key, what, known in (
        ("splits", "split", SPLIT_SOURCES),
        ("generators", "generator", GENERATORS),
        ("unseen_generators", "generator", GENERATORS),
        ("endpoints", "endpoints", ENDPOINTS),
        ("rejected", "kind of rejected answer", KINDS),
        ("language", "language", LANGUAGES),
        ("maze_style", "maze style", STYLES),
        ("styles", "maze style", STYLES),
        ("reasoning", "way of reasoning", REASONING),
        ("answer_style", "answer style", ANSWER_STYLES),
        ("split_by", "way to split", SPLIT_BY),
        ("difficulty", "difficulty", DIFFICULTIES),
        ("turns", "form of turns", FORMS),
    ):
        given, single = values.get(key, {}), ("language", "maze_style", "answer_style", "split_by", "turns")
        for name in [str(given)] if key in single and key in values else given:
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
    for name in values.get("steps", {}):
        parse_kind(name, f"{where}: 'steps'")
    _check_train_only(values, where)
    _check_strata(values, where)
    if not _is_whole(values.get("seed", 0)):
        raise UsageError(f"{where}: 'seed' must be a whole number, not {values['seed']!r}")
    if values.get("styles") and values.get("maze_style", "hash") not in ("hash", *values["styles"]):
        raise UsageError(f"{where}: 'styles' takes the place of 'maze_style', and has no '{values['maze_style']}'")
    for split, key in (("test_larger", "larger_sizes"), ("test_unseen", "unseen_generators")):
        if split in values["splits"] and not values.get(key):
            raise UsageError(f"{where}: split '{split}' needs '{key}'")
    trained = set(values["sizes"]) & set(values.get("larger_sizes", {}))
    seen = set(values["generators"]) & set(values.get("unseen_generators", {}))
    for name in trained | seen:
        raise UsageError(f"{where}: '{name}' is trained on, so it cannot be held out as larger or unseen")
    config = BuildConfig(**values)
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


def _check_train_only(values: dict[str, Any], where: str) -> None:
    """Check that every entry of `train_only` is a size of the config, or a generator and a size."""
    given = values.get("train_only", [])
    if not isinstance(given, list):
        raise UsageError(f"{where}: 'train_only' must be a list of sizes, or of generators with sizes")
    generators = (*values["generators"], *values.get("unseen_generators", {}))
    known = {*values["sizes"], *(f"{name} {size}" for name in generators for size in values["sizes"])}
    for name in given:
        if name not in known:
            raise UsageError(
                f"{where}: 'train_only' has '{name}', which is not a size of 'sizes', nor GENERATOR SIZE of this file"
                f"{did_you_mean(str(name), known)}"
            )


def _check_strata(values: dict[str, Any], where: str) -> None:
    """Check that `strata` names facts with numbers of bins, and that nothing else says what lengths are wanted."""
    given = values.get("strata", {})
    if not isinstance(given, dict):
        raise UsageError(f"{where}: 'strata' must be {' or '.join(STRATIFIED)} with numbers of bins")
    for name, bins in given.items():
        if name not in STRATIFIED:
            raise UsageError(f"{where}: unknown stratum '{name}'; expected one of {', '.join(STRATIFIED)}")
        if not _is_whole(bins) or not 2 <= bins <= MOST_BINS:
            raise UsageError(f"{where}: 'strata' must be numbers of bins, 2 to {MOST_BINS}, not {bins}")
    if "path_length" in given and "path_lengths" in values:
        raise UsageError(f"{where}: 'strata' sorts by path length, and 'path_lengths' asks for some; leave one out")


def _name(name: Any, where: str) -> str:
    """It stands in the card's title, in its code and on the terminal."""
    text = str(name) if isinstance(name, str) or _is_whole(name) else ""
    if not re.fullmatch(r"\w[\w .,+-]{0,99}", text):
        raise UsageError(f"{where}: 'name' must be letters, digits, blanks and -_.,+, at most 100, not {name!r}")
    return text


def _row_counts(counts: Any, where: str) -> dict[str, int]:
    if not isinstance(counts, dict) or not counts:
        raise UsageError(f"{where}: 'splits' must be names with numbers of rows")
    for split, count in counts.items():
        if not _is_whole(count) or not 0 < count <= MOST_ROWS:
            raise UsageError(
                f"{where}: 'splits' must be numbers of rows: split '{split}' must be a whole number "
                f"from 1 to {MOST_ROWS:,}, not {count}"
            )
    return {str(split): count for split, count in counts.items()}


def _weights(entries: Any, where: str) -> dict[str, float]:
    """A list of names, or a mapping of names to positive numbers, as a mapping with text keys."""
    if isinstance(entries, list):
        entries = dict.fromkeys(map(str, entries), 1)
    if not isinstance(entries, dict) or not entries or not all(map(_is_weight, entries.values())):
        raise UsageError(
            f"{where} must be a list of names, or names with positive numbers from {LEAST_WEIGHT} to {MOST_WEIGHT:,}"
        )
    return {str(name): number for name, number in entries.items()}


def _is_weight(number: Any) -> bool:
    return (_is_whole(number) or isinstance(number, float)) and LEAST_WEIGHT <= number <= MOST_WEIGHT


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def characters(width: int, height: int) -> int:
    """Characters of a map of `width` x `height` cells, without its line breaks."""
    return (2 * width + 1) * (2 * height + 1)


def parse_size(size: str, where: str = "size") -> tuple[int, int]:
    """`5x4` -> (5, 4): width and height in cells.

    Raises:
        UsageError: not of that form, fewer than two cells, or too large a map.
    """
    found = re.fullmatch(r"([1-9]\d{0,9})x([1-9]\d{0,9})", str(size), re.ASCII)
    if not found or size == "1x1":
        raise UsageError(f"{where}: size '{size}' must be WIDTHxHEIGHT in cells, such as 5x5")
    width, height = int(found[1]), int(found[2])
    if characters(width, height) > MOST_CHARACTERS:
        raise UsageError(
            f"{where}: size '{size}' makes maps of {characters(width, height):,} characters, "
            f"more than the {MOST_CHARACTERS:,} that are allowed"
        )
    return width, height


def parse_lengths(lengths: str, where: str = "path length") -> tuple[int, int | None]:
    """`10-16` -> (10, 16), `110-` -> (110, None): moves, both ends included.

    Raises:
        UsageError: not of that form, or the greater number first.
    """
    found = re.fullmatch(r"(\d{1,12})-(\d{1,12})?", str(lengths), re.ASCII)
    least, most = (int(found[1]), int(found[2]) if found[2] else None) if found else (1, 0)
    if most is not None and most < least:
        raise UsageError(f"{where}: path length '{lengths}' must be LEAST-MOST or LEAST- in moves, such as 10-16")
    return least, most


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
    """Kind, stratum and difficulty of the rows of a split, with their weight."""
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
    """The strata of a kind, each difficulty with an equal share; that of one it lacks goes to the others."""
    found = strata_of(kind, config.seed, *(config.strata.get(name, 1) for name in STRATIFIED))
    there = {name: share for name, share in difficulties.items() if found[name]}
    for name, share in there.items():
        for stratum in found[name]:
            yield kind, stratum, name, weight * share / sum(there.values()) / len(found[name])
