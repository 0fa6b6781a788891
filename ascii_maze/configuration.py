"""YAML files: read safely, keys checked against a dataclass."""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from .errors import UsageError, did_you_mean


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """A YAML file whose top level is a mapping with text keys.

    Raises:
        UsageError: with the line and column where the file stops being YAML.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(f"{path.name}{where}: not YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path.name}: cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"{path.name}: expected lines of the form 'key: value'")
    return values


def check_keys(values: dict[str, Any], cls: type, where: str) -> None:
    """See that a mapping has no keys but the fields of a dataclass, and all that have no default.

    Raises:
        UsageError: with the key, and the field that it may have meant.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            raise UsageError(f"{where}: unknown key '{key}'{did_you_mean(key, fields)}")
    for key, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and key not in values:
            raise UsageError(f"{where}: no '{key}'")
