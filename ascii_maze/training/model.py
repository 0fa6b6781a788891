"""The base model of a run: where its name points, how it is quantised, and the adapter that is put on it."""

from pathlib import Path

from ..errors import AsciiMazeError, UsageError

TINY = Path(__file__).resolve().parent.parent / "tiny"


class ModelError(AsciiMazeError):
    """A model or tokenizer that cannot be loaded."""


def resolve_model(name: str) -> str:
    """`tiny` -> the folder of the embedded model; any other name (a folder, a Hub id) stays as it is."""
    return str(TINY) if name == "tiny" else name


def load_tokenizer(name: str, revision: str | None = None):
    """The tokenizer of a model, padding on the left as generation needs it.

    Raises:
        ModelError: there is none, or it has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(resolve_model(name), revision=revision, padding_side="left")
    except (OSError, ValueError) as error:
        raise _cannot_load("tokenizer", name, error) from error
    if tokenizer.chat_template is None:
        raise ModelError(f"the tokenizer of '{name}' has no chat template; use an instruct model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(model_args):
    """The causal language model that a recipe names, quantised as it says, on this process's device.

    Args:
        model_args: TRL's ModelConfig.

    Raises:
        UsageError: no model named.
        ModelError: it cannot be loaded.
    """
    import torch
    from accelerate import PartialState
    from transformers import AutoModelForCausalLM
    from trl import get_quantization_config

    if not model_args.model_name_or_path:
        raise UsageError("no 'model_name_or_path'; give a Hub id, a folder, or 'tiny'")
    quantization = get_quantization_config(model_args)
    device_map = {"": PartialState().local_process_index if torch.cuda.is_available() else "cpu"}
    try:
        model = AutoModelForCausalLM.from_pretrained(
            resolve_model(model_args.model_name_or_path),
            revision=model_args.model_revision,
            dtype=model_args.dtype,
            attn_implementation=model_args.attn_implementation,
            quantization_config=quantization,
            device_map=device_map if quantization else None,
            use_safetensors=True,
        )
    except (OSError, ValueError) as error:
        raise _cannot_load("model", model_args.model_name_or_path, error) from error
    return keep_trainable_on_cpu(model)


def keep_trainable_on_cpu(model):
    """Stop bitsandbytes from repacking 4-bit weights for a CPU kernel that has no gradient.

    On CPUs with AVX512-BF16 a forward pass in eval mode repacks every `Linear4bit`, `train()` does not undo it, and
    from then on gradients are wrong without an error (bitsandbytes 0.50): an evaluation in mid-training would ruin
    the run.
    """
    try:
        from bitsandbytes.nn import Linear4bit
    except ImportError:
        return model
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
    return model


def keep_adapter_in_float32(model) -> None:
    """Give what is trained its full precision back, in place; to be called before the optimizer exists.

    TRL casts the adapter on a 4-bit base to bfloat16, where an AdamW step of a small learning rate is lost to
    rounding; and a resumed run, whose adapter comes from the checkpoint in float32, would not be the run that was
    interrupted.
    """
    import torch

    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dtype in (torch.bfloat16, torch.float16):
            parameter.data = parameter.data.float()


def _cannot_load(what: str, name: str, error: Exception) -> ModelError:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(f"cannot load the {what} of '{name}': {first}")
