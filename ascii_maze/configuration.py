"""Reads YAML files safely, and checks their keys against a dataclass.

The files may be untrusted. So tags do not create objects, aliases cannot expand a short file into a huge one, no value
is silently reinterpreted (`1:59` as 119, or the last value of a duplicate key), and every error is one line with its
position.
"""

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import yaml

from .errors import UsageError, did_you_mean

MOST_BYTES = 2**20


class PlainLoader(yaml.SafeLoader):
    """YAML without aliases (nine lines of them can expand to a billion values), duplicate keys, and implicit numbers.

    YAML 1.1 reads `1:59` as 119, `0123456` as 42798 and `2026-11-25` as a date; here they are text.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012, PyYAML's own
        first: [(tag, pattern) for tag, pattern in pairs if tag.rsplit(":", 1)[1] not in ("int", "float", "timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent, index):
        """Called by PyYAML for every node.

        Raises:
            yaml.composer.ComposerError: the node is an alias.
        """
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(problem="an alias (*) is not allowed here", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        """Called by PyYAML for every mapping.

        Raises:
            yaml.constructor.ConstructorError: a key is duplicated.
        """
        lines: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and key.value in lines:
                problem = f"'{key.value[:80]}' is set in line {lines[key.value]} and again in line {line}"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                lines[key.value] = line
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node):
        """Called by PyYAML for every whole number.

        Raises:
            yaml.constructor.ConstructorError: it does not fit into 64 bits.
        """
        value = super().construct_yaml_int(node)
        if abs(value) >= 2**63:
            raise yaml.constructor.ConstructorError(
                problem="a number that does not fit into 64 bits", problem_mark=node.start_mark
            )
        return value


PlainLoader.add_constructor("tag:yaml.org,2002:int", PlainLoader.construct_yaml_int)
PlainLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(0|[1-9][0-9_]*)$"), list("-+0123456789"))
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"([-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"),
    list("-+0123456789."),
)


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """The mapping with string keys in a YAML file.

    Raises:
        UsageError: it is not such YAML (with line and column), or is larger than `MOST_BYTES`.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path.name}: larger than {MOST_BYTES:,} bytes, which is too large for a settings file")
        values = yaml.load(path.read_text(encoding="utf-8"), PlainLoader)  # noqa: S506, a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(f"{path.name}{where}: not YAML: {error.problem}") from error
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        # All but the first from inside PyYAML, for `!!int x`, `!!timestamp x`, `!!bool x`, a month 13, deep nesting.
        raise UsageError(f"{path.name}: not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"{path.name}: expected lines of the form 'key: value'")
    return values


def check_keys(values: dict[str, Any], cls: type, where: str) -> None:
    """Check that the keys of a mapping are fields of a dataclass, and include all fields without a default.

    Raises:
        UsageError: a key is unknown (with the closest field), or missing.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            raise UsageError(f"{where}: unknown key '{key}'{did_you_mean(key, fields)}")
    for key, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and key not in values:
            raise UsageError(f"{where}: no '{key}'")


def parse_weights(key: str, given: object) -> dict[str, float]:
    """Names and their weights, from a mapping, from JSON, or from `demo=0.8,preferences=0.2`.

    Args:
        key: the key that they belong to, for errors.

    Raises:
        UsageError: they have none of these forms, are fewer than two, or a weight is not above 0.
    """
    try:
        if isinstance(given, str) and not given.lstrip().startswith("{"):
            pairs = [part.rpartition("=") for part in given.split(",")]
            weights = {name.strip(): float(weight) for name, _, weight in pairs}
        else:
            values: Any = json.loads(given) if isinstance(given, str) else given
            weights = {name: float(weight) for name, weight in values.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{key} is '{str(given)[:60]}'; expected demo=0.8,preferences=0.2") from error
    if len(weights) < 2 or not all(name and 0 < weight < math.inf for name, weight in weights.items()):
        raise UsageError(f"{key} is '{str(given)[:60]}'; expected two names or more, each with a weight above 0")
    return weights


def is_true(value: Any) -> bool:
    """Whether a key is set to true, as a boolean or as text from a command line."""
    return str(value).lower() in ("true", "1")


def is_false(value: Any) -> bool:
    """Whether a key is set to false, as a boolean or as text; None is neither true nor false."""
    return str(value).lower() in ("false", "0")
