"""Checks that the weights of a model were all loaded, fit it and are finite.

transformers only warns of weights that are missing or left over, compares the shapes of all but quantised ones, never
looks at the numbers, converts whole numbers as if they were weights, and follows an index out of the model's folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import AsciiMazeError, reason
from ..files import read_json
from .adapter_config import ModelError, fetch


def check_whole(model, found: dict, name: str, new_head: bool = False) -> None:
    """Check that every weight of a model was loaded, has the shape of its layer, and is finite.

    Quantisation may hide a number that is not finite: see `check_numbers`.

    Args:
        found: transformers' loading report.
        new_head: whether a reward model's head is new and replaces the language model's.

    Raises:
        ModelError: a weight was not loaded, does not fit, or is not finite.
    """
    for what, keys in (("has no", found["missing_keys"]), ("has no place for", found["unexpected_keys"])):
        wrong = sorted(str(key) for key in keys if not (new_head and str(key).startswith(("score.", "lm_head."))))
        if wrong:
            more = f" and {len(wrong) - 1} more" * (len(wrong) > 1)
            raise ModelError(f"cannot load the model of '{name}': its file {what} {wrong[0]}{more}")
    if bad := misshapen(model):
        raise ModelError(f"cannot load the model of '{name}': size mismatch for {bad}")
    if bad := not_finite(model):
        raise ModelError(f"cannot load the model of '{name}': not all numbers of {bad} are finite")


def misshapen(model) -> str | None:
    """The name of the first weight quantised by bitsandbytes that does not fit its layer, if there is one, and why."""
    for name, module in model.named_modules():
        weight: Any = getattr(module, "weight", None)
        if not type(weight).__module__.startswith("bitsandbytes."):
            continue
        shape = tuple(weight.quant_state.shape if hasattr(weight, "quant_state") else weight.shape)
        if shape != (module.out_features, module.in_features):
            return f"{name}.weight: {shape} instead of {(module.out_features, module.in_features)}"
    return None


def not_finite(model) -> str | None:
    """The name of the first weight that is not finite, if there is one; quantised ones always are."""
    import torch

    for name, weight in model.named_parameters():
        if weight.is_floating_point() and not torch.isfinite(weight.detach().float()).all():
            return name
    return None


def check_stored(place: str, revision: str | None, name: str) -> None:
    """Check where a model's files are, and that its weights are stored as floating-point numbers, unless quantised.

    Args:
        place: folder or Hub id. Files that are not safetensors are not looked at.
        name: of the model, for errors.

    Raises:
        ModelError: a file cannot be read, is named outside of the model's folder, or holds other numbers.
    """
    quantised = _is_quantised(place, revision, name)
    for path in _files(place, revision, name):
        with _opened(path, name) as weights:
            names = weights.keys()  # `safe_open` itself cannot be iterated over
            kinds = {key: weights.get_slice(key).get_dtype() for key in names if key.endswith(".weight")}
        # Masks and positions, which some files hold too, are whole numbers by right.
        if not quantised and (wrong := [key for key, kind in kinds.items() if "F" not in kind]):
            raise ModelError(
                f"cannot load the model of '{name}': {wrong[0]} is stored as {kinds[wrong[0]]}; expected "
                "floating-point numbers"
            )


def _is_quantised(place: str, revision: str | None, name: str) -> bool:
    """Whether a model's config, or that of a part such as its language model, says how it is quantised."""
    path = fetch(place, revision, "config.json")
    try:
        config = read_json(path) if path else {}
    except AsciiMazeError as error:
        raise ModelError(f"cannot load the model of '{name}': {error}") from error
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]
    return any(part.get("quantization_config") for part in parts)


def check_numbers(place: str, revision: str | None, name: str) -> None:
    """Check the numbers of a model's files: for vLLM, and where quantisation turns NaN into a number like others.

    Args:
        place, name: see `check_stored`.

    Raises:
        ModelError: a file cannot be read, or a number in it is not finite.
    """
    import torch

    for path in _files(place, revision, name):
        with _opened(path, name) as weights:
            names = weights.keys()
            bad = [key for key in names if not torch.isfinite(weights.get_tensor(key).float()).all()]
        if bad:
            raise ModelError(f"cannot load the model of '{name}': not all numbers of {bad[0]} are finite")


def _files(place: str, revision: str | None, name: str) -> Iterator[Path]:
    """The files of a model's weights."""
    files = ["model.safetensors"]
    if index := fetch(place, revision, "model.safetensors.index.json"):
        try:
            files = sorted({str(file) for file in read_json(index)["weight_map"].values()})
        except (AsciiMazeError, LookupError, AttributeError) as error:
            raise ModelError(f"cannot load the model of '{name}': {index.name} has no map of weights") from error
        if outside := [file for file in files if Path(file).is_absolute() or ".." in Path(file).parts]:
            raise ModelError(
                f"cannot load the model of '{name}': {index.name} names {outside[0]}, outside of the model's folder"
            )
    yield from filter(None, (fetch(place, revision, file) for file in files))


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Any]:
    """A file of weights.

    Raises:
        ModelError: it cannot be read.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as weights:
            yield weights
    except Exception as error:  # safetensors' own error class derives from Exception
        raise ModelError(f"cannot load the model of '{name}': {path.name}: {reason(error)}") from error
