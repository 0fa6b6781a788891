"""Checks an untrusted adapter_config.json before PEFT reads it.

PEFT silently accepts many wrong values, crashes on others, and matches patterns without a time limit.
"""

import json
import math
import re
import time
from pathlib import Path
from typing import Any

from ..errors import AsciiMazeError, reason

CONFIG = "adapter_config.json"
# Supported initialisations of a LoRA. All others subtract something from the base's weights, so that the adapter does
# not fit the unchanged base.
INITIALISATIONS = (True, False, None, "gaussian", "eva", "orthogonal")
PATTERN_SECONDS = 2.0  # for all patterns of a config


class ModelError(AsciiMazeError):
    """A model, adapter or tokenizer that cannot be loaded."""


def fetch(name: str, revision: str | None, file: str) -> Path | None:
    """A file of a model's folder, or of its repository, downloaded if needed; None if it has no such file.

    Raises:
        ModelError: there is no such repository, or it cannot be reached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    if Path(name).is_dir():
        return Path(name, file) if Path(name, file).is_file() else None
    if Path(name).is_file():  # a model in one file
        return None
    try:
        return Path(hf_hub_download(name, file, revision=revision))
    except EntryNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load '{name}': {reason(error)}") from error


def read_config(name: str, revision: str | None = None):
    """PEFT's config of an adapter, or None if the name is that of a whole model.

    Raises:
        ModelError: it is not the config of a supported adapter; names the key and what was expected.
    """
    from peft import PeftConfig

    path = fetch(name, revision, CONFIG)
    if path is None:
        return None
    where = f"{CONFIG} of '{name}'"
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise ModelError(f"{where} is not JSON{of_pointer(path)}: {reason(error)}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{where} holds no mapping of keys to values")
    for key, wrong in _wrong_values(values):
        raise ModelError(f"{where}: {key} is {_short(values.get(key))}; {wrong}")
    try:
        return PeftConfig.from_pretrained(str(path.parent))
    except Exception as error:  # PEFT's classes may raise anything on malformed values
        raise ModelError(f"{where} is not a config of an adapter: {type(error).__name__}: {reason(error)}") from error


def _wrong_values(values: dict[str, Any]):
    """Pairs of a key and what was expected, for wrong values that PEFT would silently accept or crash on."""
    from peft import PeftType

    def is_count(value) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0

    def is_number(value) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    def is_names(value) -> bool:
        return isinstance(value, list) and all(isinstance(name, str) for name in value)

    def is_text(value) -> bool:
        return value is None or isinstance(value, str)

    def is_mapping(value, inner) -> bool:
        return value is None or (isinstance(value, dict) and all(map(inner, value.values())))

    kinds = [kind.value for kind in PeftType if "PROMPT" not in kind and kind not in ("P_TUNING", "PREFIX_TUNING")]
    if values.get("peft_type") not in kinds:
        yield "peft_type", "expected LORA or another that changes weights"
    if values.get("task_type") not in (None, "CAUSAL_LM", "SEQ_CLS"):
        yield "task_type", "expected CAUSAL_LM, or SEQ_CLS for a reward model"
    for key in ("base_model_name_or_path", "revision"):
        if not is_text(values.get(key)):
            yield key, "expected a name"
    if values.get("peft_type") == "LORA" and not is_count(values.get("r", 8)):
        yield "r", "expected a whole number above 0"
    if not is_number(values.get("lora_alpha", 8)):
        yield "lora_alpha", "expected a number"
    # AdaLoRA's has lists of what it has pruned.
    if values.get("peft_type") != "ADALORA" and not is_mapping(values.get("rank_pattern"), is_count):
        yield "rank_pattern", "expected a mapping of modules to whole numbers above 0"
    if not is_mapping(values.get("alpha_pattern"), is_number):
        yield "alpha_pattern", "expected a mapping of modules to numbers"
    for key in ("target_modules", "exclude_modules"):
        if not is_text(values.get(key)) and not is_names(values[key]):
            yield key, "expected a list of modules, or a pattern"
    for key in ("modules_to_save", "target_parameters"):
        if values.get(key) is not None and not is_names(values[key]):
            yield key, "expected a list of modules"
    for key in ("modules_to_save", "layers_pattern"):
        given = values.get(key)
        if given and not all(re.fullmatch(r"[\w.]+", name) for name in (given if is_names(given) else [str(given)])):
            yield key, "expected names of letters, digits, _ and ."
    how = values.get("init_lora_weights", True)
    if not any(how is known or (isinstance(how, str) and how == known) for known in INITIALISATIONS):
        yield (
            "init_lora_weights",
            "such an adapter changes the base's weights too; convert it with PEFT's "
            "`save_pretrained(..., path_initial_model_for_weight_conversion=...)`",
        )


def resolve_patterns(config, modules: list[str], source: str) -> None:
    """Replace the patterns in an adapter's config with the modules they match.

    PEFT matches them with Python's `re`, which has no time limit, and a malicious pattern can run for years.

    Args:
        source: of the config, for errors.

    Raises:
        ModelError: a pattern is invalid, fits no module, or takes too long.
    """
    import regex  # as `re`, with a time limit

    end = time.monotonic() + PATTERN_SECONDS

    def matching(key: str, pattern: str) -> list[str]:
        where = f"{source}: {key} {_short(pattern)}"
        try:
            compiled = regex.compile(pattern)
            found = [at for at in modules if compiled.fullmatch(at, timeout=max(0.01, end - time.monotonic()))]
        except regex.error as error:
            raise ModelError(f"{where} is not a pattern: {reason(error)}") from error
        except TimeoutError as error:
            raise ModelError(f"{where} takes too long to match; list the modules") from error
        return found

    for key in ("target_modules", "exclude_modules"):
        pattern = getattr(config, key, None)
        if isinstance(pattern, str) and pattern not in ("all-linear", "dummy-target-modules"):
            found = matching(key, pattern)
            if not found and key == "target_modules":
                raise ModelError(f"{source}: {key} {_short(pattern)} fits no module of the base")
            setattr(config, key, set(found) or None)
    for key in ("rank_pattern", "alpha_pattern"):
        given: dict = getattr(config, key, None) or {}
        if any(not re.fullmatch(r"[\w.]+", pattern) for pattern in given):
            pairs = [(at, value) for pattern, value in given.items() for at in matching(key, rf"(.*\.)?({pattern})")]
            setattr(config, key, dict(reversed(pairs)))  # the first of several matches counts


def of_pointer(path: Path) -> str:
    """A note for error messages about a file that git-lfs has not fetched; empty for any other file."""
    with path.open("rb") as file:
        pointer = file.read(40).startswith(b"version https://git-lfs")
    return " (it is a git-lfs pointer: run `git lfs pull` there)" if pointer else ""


def _short(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 80 else f"{text[:80]}..."
