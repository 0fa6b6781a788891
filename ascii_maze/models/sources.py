"""A name -> what to load: `tiny`, a folder or a Hub id, of a whole model or of an adapter with its base."""

from pathlib import Path
from typing import Any, NamedTuple

from ..errors import AsciiMazeError, UsageError
from ..references import HUB_FORM, Reference, find_reference

TINY = Path(__file__).resolve().parents[1] / "tiny"


class Source(NamedTuple):
    """Where a model is to be had, and how it is to be loaded.

    Attributes:
        name: folder, Hub id or `tiny`.
        revision: of the Hub's repository; None for the newest.
        adapter: PEFT's config, where the name is an adapter's.
        model_args: TRL's ModelConfig of the base, or of the model itself.
    """

    name: str
    revision: str | None
    adapter: Any
    model_args: Any


def resolve_model(name: str) -> str:
    """`tiny` -> the folder of the embedded model; any other name (a folder, a Hub id) stays as it is."""
    return str(TINY) if name == "tiny" else name


def find_model(name: str, task: str = "CAUSAL_LM") -> Source:
    """What there is of a name; see `loading.load_model`.

    Raises:
        UsageError: nothing can be of that name.
        AsciiMazeError: it is for another task.
    """
    import torch
    from peft import PeftConfig
    from trl import ModelConfig

    from ..recipe import load_resolved, parse_model

    reference = Reference("tiny") if name == "tiny" else find_reference(name)
    if reference is None:
        raise UsageError(f"no model '{name}': there is no such folder, nor is it {HUB_FORM}, or 'tiny'")
    name, revision = reference.name, reference.revision
    adapter = _adapter_config(name, revision, PeftConfig)
    if (adapter.task_type if adapter else "CAUSAL_LM") != task:
        is_a = {
            "CAUSAL_LM": "it walks, and is no reward model",
            "SEQ_CLS": "it is a reward model, which does not walk",
        }
        raise AsciiMazeError(f"'{name}' cannot serve here: {is_a['CAUSAL_LM' if task == 'SEQ_CLS' else 'SEQ_CLS']}")
    if adapter is None:
        dtype = "bfloat16" if torch.cuda.is_available() else "float32"
        model_args = ModelConfig(model_name_or_path=name, dtype=dtype)
        model_args.model_revision = revision
    elif recipe := _recipe_of(name, revision):
        model_args = parse_model(load_resolved(recipe))
    else:
        model_args = ModelConfig(
            model_name_or_path=adapter.base_model_name_or_path, dtype="auto", lora_task_type=adapter.task_type
        )
        model_args.model_revision = adapter.revision
    return Source(name, revision, adapter, model_args)


def describe(source: Source) -> dict[str, Any]:
    """What a reader must know to load the same model again, as JSON."""
    import torch

    args = source.model_args
    return {
        "revision": source.revision,
        "base": args.model_name_or_path if source.adapter else None,
        "base_revision": args.model_revision if source.adapter else None,
        "dtype": str(args.dtype),
        "quantisation": f"4-bit {args.bnb_4bit_quant_type}"
        if args.load_in_4bit
        else "8-bit" * args.load_in_8bit or None,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def _adapter_config(name: str, revision: str | None, config_class):
    """The adapter's config, or None where the name is that of a whole model."""
    folder = Path(name)
    if name == "tiny" or (folder.is_dir() and not (folder / "adapter_config.json").is_file()):
        return None
    try:
        return config_class.from_pretrained(name, revision=revision)
    except (OSError, ValueError):
        return None  # a model without adapter_config.json; if there is no model either, loading it will say so


def _recipe_of(name: str, revision: str | None) -> Path | None:
    """The recipe beside an adapter, which says how its base was quantised; from the Hub where the adapter is there."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    if Path(name).is_dir():
        return next(Path(name).glob("recipe.yaml"), None)
    try:
        return Path(hf_hub_download(name, "recipe.yaml", revision=revision))
    except EntryNotFoundError:
        return None
