"""Loads an adapter's weights onto a base.

PEFT only warns about an adapter that does not fit, and the model then answers as its base does. Here
weights of the file that the model does not have, weights of the model that the file does not have, and weights that
are not finite floating-point numbers are errors.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import reason
from ..files import sha256_of
from .adapter_config import CONFIG, ModelError, fetch, of_pointer, resolve_patterns

WEIGHTS = "adapter_model.safetensors"


def read_weights(name: str, revision: str | None = None) -> tuple[Path, dict]:
    """An adapter's folder and its weights by name, on the CPU. Pickles, to which PEFT falls back, are never read.

    Raises:
        ModelError: there are none in that format, the file is broken, or has other than finite floating-point numbers.
    """
    import torch
    from safetensors.torch import load_file

    path = fetch(name, revision, WEIGHTS)
    if path is None:
        raise ModelError(f"'{name}' has no {WEIGHTS}; no other format is read")
    try:
        weights = load_file(path)
    except Exception as error:  # safetensors' own error class derives from Exception
        raise ModelError(f"{WEIGHTS} of '{name}' cannot be read{of_pointer(path)}: {reason(error)}") from error
    for key, weight in weights.items():
        # Indices and sizes, which VB-LoRA, UniLoRA and FRoD store, are whole numbers by right.
        of_layer = key.endswith(".weight") or "lora_" in key
        if not weight.is_floating_point() and of_layer and "indices" not in key:
            kind = str(weight.dtype).removeprefix("torch.")
            raise ModelError(f"{WEIGHTS} of '{name}': {key} is stored as {kind}; expected floating-point numbers")
        if not torch.isfinite(weight.float()).all():
            raise ModelError(f"{WEIGHTS} of '{name}': not all numbers of {key} are finite")
    return path.parent, weights


def weights_digest(name: str, revision: str | None = None) -> str | None:
    """The sha256 of an adapter's weights; None if it has none in that format."""
    path = fetch(name, revision, WEIGHTS)
    return sha256_of(path) if path else None


def put_adapter(model, source, name: str = "default", trainable: bool = False):
    """Put an adapter, or a further one, on a base.

    Args:
        model: the base, or PEFT's model.
        source: a `sources.Source` with an adapter.
        name: of the adapter in the model.

    Returns:
        PEFT's model, which shares the base's memory.

    Raises:
        ModelError: the adapter does not fit the base.
    """
    from peft import PeftModel
    from peft.auto import MODEL_TYPE_TO_PEFT_MODEL_MAPPING

    config, what = source.adapter, f"the adapter '{source.name}' does not fit '{source.model_args.model_name_or_path}'"
    folder, weights = read_weights(source.name, source.revision)
    ranks = [weight.shape[0] for key, weight in weights.items() if "lora_A" in key or "lora_embedding_A" in key]
    if config.peft_type == "LORA" and not config.rank_pattern and config.r > max(ranks, default=0):
        raise ModelError(f"{what}: r is {config.r} in {CONFIG}, and its weights are of rank {max(ranks, default=0)}")
    before = model.get_base_model() if isinstance(model, PeftModel) else model
    resolve_patterns(config, [key for key, _ in before.named_modules() if key], f"{CONFIG} of '{source.name}'")
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
    except Exception as error:  # PEFT and torch may raise anything on wrong shapes and modules
        raise ModelError(f"{what}: {mismatch(error)}") from error
    refuse_misfit(loaded, name, what, _base_weights(model, name, weights))
    return model


def refuse_misfit(loaded, name: str, what: str, unplaced: Sequence[str] = ()) -> None:
    """Check that every weight of the file was loaded, and every weight of the adapter was found in it.

    Args:
        loaded: PEFT's result of loading.
        name: of the adapter in the model.
        what: the beginning of the message.
        unplaced: keys that were loaded into the wrong place.

    Raises:
        ModelError: names the first key for which this fails.
    """
    missing = [key for key in loaded.missing_keys if f".{name}." in key or key.endswith(f".{name}")]
    unplaced = [*loaded.unexpected_keys, *unplaced]
    for wrong, keys in (("there is no place in the model for", unplaced), (f"{WEIGHTS} has no", missing)):
        if keys:
            raise ModelError(f"{what}: {wrong} {keys[0]}" + f" and {len(keys) - 1} more" * (len(keys) > 1))


def _base_weights(model, name: str, weights: dict) -> list[str]:
    """Keys of an adapter's file that are weights of the base, except embeddings, which PEFT saves if they grew."""
    from peft import get_peft_model_state_dict

    expected = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=True)
    own = model.state_dict()
    return [key for key in weights if key not in expected and key in own]


def grow_vocabulary(base, weights: dict, shared: bool = False) -> None:
    """Resize a base's embeddings to those that were saved with an adapter.

    Raises:
        ModelError: with `shared`, since this would change the base of other adapters.
    """
    names = {id(base.get_input_embeddings()), id(base.get_output_embeddings())}
    places = [key for key, module in base.named_modules() if id(module) in names]
    rows = [len(weight) for key, weight in weights.items() if any(key.endswith(f".{at}.weight") for at in places)]
    if not rows or max(rows) == base.get_input_embeddings().weight.shape[0]:
        return
    if shared:
        raise ModelError("an adapter with a vocabulary of its own shares its base with no other")
    base.resize_token_embeddings(max(rows), mean_resizing=False)


def mismatch(error: Exception) -> str:
    """Torch's message about the first weight of a wrong shape, or the first line of any other error."""
    found = re.search(r"size mismatch for .*", str(error))
    return found[0] if found else f"{type(error).__name__}: {reason(error)}"
