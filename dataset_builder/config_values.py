"""The values of a build's config file, checked one by one and against each other."""

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from ascii_maze.environment.demonstrations import FORMS, parse_kind
from ascii_maze.errors import UsageError, did_you_mean
from ascii_maze.mazes.generators import ENDPOINTS, GENERATORS, MOST_CHARACTERS, characters
from ascii_maze.mazes.prompts import ANSWER_STYLES, LANGUAGES
from ascii_maze.mazes.reasoning import REASONING
from ascii_maze.mazes.rejected import KINDS
from ascii_maze.mazes.splits import SPLIT_BY
from ascii_maze.metrics.path_validity.maze import STYLES

# Each split takes only mazes whose mark falls to the one named here (`ascii_maze.mazes.splits`).
SPLIT_SOURCES = {
    "train": "train",
    "validation": "validation",
    "test": "test",
    "test_larger": "test",
    "test_unseen": "test",
}
ANY_LENGTH = "0-"
# Easy: a rule of `ascii_maze.mazes.heuristics` finds a shortest path; hard: none does.
DIFFICULTIES = ("easy", "hard")
# Facts of a maze by which held-out splits may be stratified, and the largest number of bins.
STRATIFIED = ("path_length", "decisions")
MOST_BINS = 8
MOST_ROWS = 10**11  # in a split; the Hub's largest size category holds five times as many
LEAST_WEIGHT, MOST_WEIGHT = 1e-9, 10**9  # the product of five stays finite and above 0


class Choice(NamedTuple):
    """A key whose value names something.

    Attributes:
        what: the kind of thing named.
        known: the valid names.
        single: the value is one name, and not several.
    """

    key: str
    what: str
    known: Collection[str]
    single: bool = False


CHOICES = (
    Choice("splits", "split", SPLIT_SOURCES),
    Choice("generators", "generator", GENERATORS),
    Choice("unseen_generators", "generator", GENERATORS),
    Choice("endpoints", "endpoints", ENDPOINTS),
    Choice("rejected", "kind of rejected answer", KINDS),
    Choice("language", "language", LANGUAGES, single=True),
    Choice("maze_style", "maze style", STYLES, single=True),
    Choice("styles", "maze style", STYLES),
    Choice("reasoning", "way of reasoning", REASONING),
    Choice("answer_style", "answer style", ANSWER_STYLES, single=True),
    Choice("split_by", "way to split", SPLIT_BY, single=True),
    Choice("difficulty", "difficulty", DIFFICULTIES),
    Choice("turns", "form of turns", FORMS, single=True),
)
OPTIONAL = ("larger_sizes", "unseen_generators", "styles", "difficulty", "steps")  # may be empty


def check_values(values: dict[str, Any], weighted: Sequence[str], where: str) -> dict[str, Any]:
    """The values of a config file, converted for `BuildConfig`: lists of names become mappings to weights.

    Args:
        values: with known keys only, and no required key missing.
        weighted: keys whose values are names with weights.
        where: the file's name, for the error.

    Raises:
        UsageError: a value is of the wrong type, out of range, or does not go with another.
    """
    values = {**values, "name": _name(values["name"], where), "splits": _row_counts(values["splits"], where)}
    for key in weighted:
        if key in values and not (key in OPTIONAL and values[key] == {}):
            values[key] = _weights(values[key], f"{where}: '{key}'")
    for choice in CHOICES:
        _check_choice(choice, values, where)
    _check_forms(values, where)
    _check_train_only(values, where)
    _check_strata(values, where)
    _check_together(values, where)
    return values


def _check_choice(choice: Choice, values: dict[str, Any], where: str) -> None:
    if choice.key not in values:
        return
    given = values[choice.key]
    for name in [str(given)] if choice.single else given:
        if name not in choice.known:
            expected = did_you_mean(name, choice.known) or f"; expected one of {', '.join(choice.known)}"
            raise UsageError(f"{where}: unknown {choice.what} '{name}'{expected}")


def _check_forms(values: dict[str, Any], where: str) -> None:
    """Check the values that have their own syntax: sizes, shares, lengths, kinds of rollouts."""
    for size in (*values["sizes"], *values.get("larger_sizes", {})):
        parse_size(size, where)
    for share in values.get("braid", {}):
        if not _is_share(share):
            raise UsageError(f"{where}: braid '{share}' must be a share of dead ends, 0-1")
    for lengths in values.get("path_lengths", {}):
        parse_lengths(lengths, where)
    for name in values.get("steps", {}):
        parse_kind(name, f"{where}: 'steps'")


def _check_together(values: dict[str, Any], where: str) -> None:
    """Check the seed, and that keys do not contradict each other."""
    if not _is_whole(values.get("seed", 0)):
        raise UsageError(f"{where}: 'seed' must be a whole number, not {values['seed']!r}")
    if values.get("styles") and values.get("maze_style", "hash") not in ("hash", *values["styles"]):
        raise UsageError(f"{where}: 'styles' replaces 'maze_style', but does not have '{values['maze_style']}'")
    for split, key in (("test_larger", "larger_sizes"), ("test_unseen", "unseen_generators")):
        if split in values["splits"] and not values.get(key):
            raise UsageError(f"{where}: split '{split}' needs '{key}'")
    trained = set(values["sizes"]) & set(values.get("larger_sizes", {}))
    seen = set(values["generators"]) & set(values.get("unseen_generators", {}))
    for name in trained | seen:
        raise UsageError(f"{where}: '{name}' is trained on, so it cannot be held out as larger or unseen")
    most = max(math.prod(parse_size(size)) for size in values["sizes"])
    for size in values.get("larger_sizes", ()):
        if math.prod(parse_size(size)) <= most:
            raise UsageError(f"{where}: 'larger_sizes' has {size}, which is no larger than all of 'sizes'")


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
    """Check that `strata` names facts with numbers of bins, and that `path_lengths` does not also select lengths."""
    given = values.get("strata", {})
    if not isinstance(given, dict):
        raise UsageError(f"{where}: 'strata' must be {' or '.join(STRATIFIED)} with numbers of bins")
    for name, bins in given.items():
        if name not in STRATIFIED:
            raise UsageError(f"{where}: unknown stratum '{name}'; expected one of {', '.join(STRATIFIED)}")
        if not _is_whole(bins) or not 2 <= bins <= MOST_BINS:
            raise UsageError(f"{where}: 'strata' must be numbers of bins, 2 to {MOST_BINS}, not {bins}")
    if "path_length" in given and set(values.get("path_lengths", ())) - {ANY_LENGTH}:
        raise UsageError(f"{where}: 'strata' and 'path_lengths' both select path lengths; leave one out")


def _name(name: Any, where: str) -> str:
    """Check a dataset's name, which appears in the card's title, in its code and on the terminal."""
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
    """A list of names, or a mapping of names to positive numbers, as a mapping with string keys."""
    if isinstance(entries, list):
        names = list(map(str, entries))
        name, times = Counter(names).most_common(1)[0] if names else ("", 0)
        if times > 1:
            raise UsageError(f"{where} holds {name} {times} times; give weights instead, such as {{{name}: {times}}}")
        entries = dict.fromkeys(names, 1)
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


def parse_size(size: str, where: str = "size") -> tuple[int, int]:
    """`5x4` -> (5, 4): width and height in cells.

    Raises:
        UsageError: not of that form, fewer than two cells, or a map that is too large.
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
        UsageError: not of that form, or the larger number comes first.
    """
    found = re.fullmatch(r"(\d{1,12})-(\d{1,12})?", str(lengths), re.ASCII)
    least, most = (int(found[1]), int(found[2]) if found[2] else None) if found else (1, 0)
    if most is not None and most < least:
        raise UsageError(f"{where}: path length '{lengths}' must be LEAST-MOST or LEAST- in moves, such as 10-16")
    return least, most
