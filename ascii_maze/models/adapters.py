"""Adapters as strangers write them: config and weights are checked before a model is changed by them.

PEFT loads an adapter that does not fit with no more than a warning, and the model then answers as its base does. Here
whatever of the file finds no place in the model, or of the model nothing in the file, is an error, as are weights that
are not finite.
"""

import json
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import AsciiMazeError, reason

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# How a LoRA may have been initialised. All other ways take something out of the base's weights, which would have to be
# taken out again in just the same way: the adapter is none of the base as it stands.
INITIALISATIONS = (True, False, None, "gaussian", "eva", "orthogonal")
PATTERN_SECONDS = 2.0  # for all patterns of a config together


class ModelError(AsciiMazeError):
    """A model, adapter or tokenizer that cannot be loaded."""


def fetch(name: str, revision: str | None, file: str) -> Path | None:
    """A file of a model's folder, or of its repository, downloaded; None where there is none of that name.

    Raises:
        ModelError: there is no such repository, or it cannot be reached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    if Path(name).is_dir():
        return Path(name, file) if Path(name, file).is_file() else None
    try:
        return Path(hf_hub_download(name, file, revision=revision))
    except EntryNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load '{name}': {reason(error)}") from error


def read_config(name: str, revision: str | None = None):
    """PEFT's config of an adapter, or None where the name is that of a whole model.

    Raises:
        ModelError: it is no config of an adapter that a model here can use, with the key and what was expected.
    """
    from peft import PeftConfig

    path = fetch(name, revision, CONFIG)
    if path is None:
        return None
    where = f"{CONFIG} of '{name}'"
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise ModelError(f"{where} is not JSON{_of_pointer(path)}: {reason(error)}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{where} holds no mapping of keys to values")
    for key, wrong in _wrong_values(values):
        raise ModelError(f"{where}: {key} is {_short(values.get(key))}; {wrong}")
    try:
        return PeftConfig.from_pretrained(str(path.parent))
    except Exception as error:  # whatever PEFT's classes make of odd values
        raise ModelError(f"{where} is no config of an adapter: {type(error).__name__}: {reason(error)}") from error


def _wrong_values(values: dict[str, Any]):
    """Key -> what was expected, of keys that PEFT would take without a word, or end in a traceback for."""
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
    if not is_mapping(values.get("rank_pattern"), is_count):
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


def read_weights(name: str, revision: str | None = None) -> tuple[Path, dict]:
    """An adapter's folder and its weights by name, on the CPU. PEFT falls back to pickles, of which none is read here.

    Raises:
        ModelError: there are none in that format, the file is broken, or a number in it is not finite.
    """
    import torch
    from safetensors.torch import load_file

    path = fetch(name, revision, WEIGHTS)
    if path is None:
        raise ModelError(f"'{name}' has no {WEIGHTS}; no other format is read")
    try:
        weights = load_file(path)
    except Exception as error:  # safetensors has an error of its own, which is none of Python's
        raise ModelError(f"{WEIGHTS} of '{name}' cannot be read{_of_pointer(path)}: {reason(error)}") from error
    for key, weight in weights.items():
        if not torch.isfinite(weight.float()).all():
            raise ModelError(f"{WEIGHTS} of '{name}': not all numbers of {key} are finite")
    return path.parent, weights


def put_adapter(model, source, name: str = "default", trainable: bool = False):
    """A base with an adapter on it, or with one more.

    Args:
        model: the base, or PEFT's model.
        source: a `sources.Source` with an adapter.
        name: of the adapter in the model.

    Returns:
        PEFT's model, in the same memory.

    Raises:
        ModelError: the adapter does not fit the base.
    """
    from peft import PeftModel
    from peft.auto import MODEL_TYPE_TO_PEFT_MODEL_MAPPING

    config, what = source.adapter, f"the adapter '{source.name}' does not fit '{source.model_args.model_name_or_path}'"
    folder, weights = read_weights(source.name, source.revision)
    ranks = [weight.shape[0] for key, weight in weights.items() if "lora_A" in key or "lora_embedding_A" in key]
    if config.peft_type == "LORA" and config.r > max(ranks, default=0):
        raise ModelError(f"{what}: r is {config.r} in {CONFIG}, and its weights are of rank {max(ranks, default=0)}")
    before = model.get_base_model() if isinstance(model, PeftModel) else model
    resolve_patterns(config, [key for key, _ in before.named_modules() if key], source.name)
    grow_vocabulary(before, weights, shared=before is not model)
    config.inference_mode = not trainable
    try:
        if before is not model:
            model.add_adapter(name, config)
        else:
            kind = MODEL_TYPE_TO_PEFT_MODEL_MAPPING.get(config.task_type, PeftModel)
            model = kind(model, config, adapter_name=name)
        loaded = model.load_adapter(str(folder), name, is_trainable=trainable)
    except KeyError as error:
        raise ModelError(f"{what}: {WEIGHTS} has no {error}") from error
    except Exception as error:  # whatever PEFT and torch make of shapes and modules
        raise ModelError(f"{what}: {_mismatch(error)}") from error
    refuse_misfit(loaded, name, what, _base_weights(model, name, weights))
    return model


def refuse_misfit(loaded, name: str, what: str, unplaced: Sequence[str] = ()) -> None:
    """See that every weight of a file found its place, and every place of an adapter its weight.

    Args:
        loaded: what PEFT says of the loading.
        name: of the adapter in the model.
        what: the beginning of the message.
        unplaced: keys that found a place where they do not belong.

    Raises:
        ModelError: with the first key that did not.
    """
    missing = [key for key in loaded.missing_keys if f".{name}." in key or key.endswith(f".{name}")]
    unplaced = [*loaded.unexpected_keys, *unplaced]
    for wrong, keys in (("there is no place in the model for", unplaced), (f"{WEIGHTS} has no", missing)):
        if keys:
            raise ModelError(f"{what}: {wrong} {keys[0]}" + f" and {len(keys) - 1} more" * (len(keys) > 1))


def _base_weights(model, name: str, weights: dict) -> list[str]:
    """Weights of an adapter's file that are the base's own, but for embeddings, which PEFT saves where they grew."""
    from peft import get_peft_model_state_dict

    expected = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=True)
    own = model.state_dict()
    return [key for key in weights if key not in expected and key in own]


def grow_vocabulary(base, weights: dict, shared: bool = False) -> None:
    """Give a base as many tokens as the adapter that was saved with its embeddings has.

    Raises:
        ModelError: with `shared`, as other adapters of this base would then read another one.
    """
    names = {id(base.get_input_embeddings()), id(base.get_output_embeddings())}
    places = [key for key, module in base.named_modules() if id(module) in names]
    rows = [len(weight) for key, weight in weights.items() if any(key.endswith(f".{at}.weight") for at in places)]
    if not rows or max(rows) == base.get_input_embeddings().weight.shape[0]:
        return
    if shared:
        raise ModelError("an adapter with a vocabulary of its own shares its base with no other")
    base.resize_token_embeddings(max(rows), mean_resizing=False)


def resolve_patterns(config, modules: list[str], name: str) -> None:
    """Put the modules that a pattern of an adapter's config means in the pattern's place.

    PEFT matches them by Python's `re`, which has no time limit, and a pattern can be made to run for years.

    Raises:
        ModelError: a pattern is none, fits no module, or takes too long.
    """
    import regex  # as `re`, with a time limit

    end = time.monotonic() + PATTERN_SECONDS

    def matching(key: str, pattern: str) -> list[str]:
        where = f"{CONFIG} of '{name}': {key} {_short(pattern)}"
        try:
            compiled = regex.compile(pattern)
            found = [at for at in modules if compiled.fullmatch(at, timeout=max(0.01, end - time.monotonic()))]
        except regex.error as error:
            raise ModelError(f"{where} is no pattern: {reason(error)}") from error
        except TimeoutError as error:
            raise ModelError(f"{where} takes too long to match; list the modules") from error
        return found

    for key in ("target_modules", "exclude_modules"):
        pattern = getattr(config, key, None)
        if isinstance(pattern, str) and pattern not in ("all-linear", "dummy-target-modules"):
            found = matching(key, pattern)
            if not found and key == "target_modules":
                raise ModelError(f"{CONFIG} of '{name}': {key} {_short(pattern)} fits no module of the base")
            setattr(config, key, set(found) or None)
    for key in ("rank_pattern", "alpha_pattern"):
        given: dict = getattr(config, key, None) or {}
        if any(not re.fullmatch(r"[\w.]+", pattern) for pattern in given):
            pairs = [(at, value) for pattern, value in given.items() for at in matching(key, rf"(.*\.)?({pattern})")]
            setattr(config, key, dict(reversed(pairs)))  # of several the first counts


def _of_pointer(path: Path) -> str:
    """What to say of a file that git-lfs has not fetched."""
    with path.open("rb") as file:
        pointer = file.read(40).startswith(b"version https://git-lfs")
    return " (it is a git-lfs pointer: run `git lfs pull` there)" if pointer else ""


def _mismatch(error: Exception) -> str:
    """What torch says of the first weight of another shape, or any library's first line."""
    found = re.search(r"size mismatch for .*", str(error))
    return found[0] if found else f"{type(error).__name__}: {reason(error)}"


def _short(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 80 else f"{text[:80]}..."
