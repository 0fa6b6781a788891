"""A model and its tokenizer, to generate or to train: the base, quantised as its recipe says, and an adapter on it."""

from pathlib import Path
from typing import Any

from ..errors import AsciiMazeError, UsageError, reason
from .quantisation import dequantise_once_for_generation, keep_trainable_on_cpu
from .sources import Source, find_model, resolve_model


class ModelError(AsciiMazeError):
    """A model or tokenizer that cannot be loaded."""


def load_model(name: str, task: str = "CAUSAL_LM") -> tuple[Any, Any]:
    """A model and its tokenizer, ready to generate.

    Args:
        name: `tiny`, a folder or a Hub id, of a model or of an adapter; `ORG/NAME@REVISION` is one commit, branch or
            tag of it. An adapter is put on the base that it was trained on, quantised as it was trained if the recipe
            of its run lies beside it.
        task: SEQ_CLS loads a reward model, which gives a number instead of moves.

    Raises:
        AsciiMazeError: nothing of that name can be loaded, or it is for another task.
    """
    return load_source(find_model(name, task))


def load_source(source: Source) -> tuple[Any, Any]:
    """The model that was found, on transformers, and its tokenizer."""
    import torch
    from peft import PeftModel

    args = source.model_args
    model = load_base(args)
    if source.adapter is not None:
        check_adapter_weights(source.name, source.revision)
        model = PeftModel.from_pretrained(model, source.name, revision=source.revision)
        if source.adapter.task_type == "SEQ_CLS":
            # its head was trained in float32, and here no autocast stands between them
            model.get_base_model().score.to(model.dtype)
    tokenizer = load_tokenizer(args.model_name_or_path, args.model_revision)
    model.config.pad_token_id = tokenizer.pad_token_id  # a reward model finds the end of an answer by it
    if not getattr(model, "is_quantized", False):
        model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    return model.eval(), tokenizer


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


def load_model_to_train(model_args, adapter: str | None, seed: int):
    """The base of a recipe with what is trained on it: a new adapter, the one to start from, or all of the base.

    Args:
        model_args: TRL's ModelConfig.
        adapter: folder or Hub id of the adapter to start from, if any.
        seed: of whatever is new, the adapter's matrices and a reward model's head.

    Raises:
        UsageError: an adapter of another base or shape, or one without `use_peft`.
        ModelError: something cannot be loaded.
    """
    from peft import (
        PeftModel,
        get_peft_model,
        get_peft_model_state_dict,
        load_peft_weights,
        set_peft_model_state_dict,
    )
    from transformers import set_seed
    from trl import get_peft_config

    if adapter is not None:
        check_adapter(adapter, model_args)
    set_seed(seed)
    model = load_base(model_args)
    if not model_args.use_peft:
        return model
    if adapter is None:
        return get_peft_model(model, get_peft_config(model_args))
    if model_args.lora_task_type == "CAUSAL_LM":
        policy = PeftModel.from_pretrained(model, adapter, is_trainable=True)
        # Where the base lies: PEFT reads its config at every checkpoint, and would ask the Hub for one called 'tiny'.
        policy.peft_config["default"].base_model_name_or_path = model.config.name_or_path
        return policy
    # A reward model: the walker's adapter goes on, under a head of its own (Ouyang et al., 2022).
    model = get_peft_model(model, get_peft_config(model_args))
    heads = {name: weight for name, weight in get_peft_model_state_dict(model).items() if "lora_" not in name}
    set_peft_model_state_dict(model, {**heads, **load_peft_weights(adapter, device="cpu")})
    return model


def check_adapter(adapter: str, model_args) -> None:
    """See that the adapter to start from goes with the recipe.

    Raises:
        UsageError: it is of another base or shape than the recipe says, or the recipe trains the whole model.
        ModelError: there is no such adapter.
    """
    from peft import PeftConfig

    if not model_args.use_peft:
        raise UsageError(
            "'adapter_name_or_path' needs 'use_peft: true'; to train a whole model further, name its folder as "
            "'model_name_or_path'"
        )
    try:
        config = PeftConfig.from_pretrained(adapter)
    except (OSError, ValueError) as error:
        raise _cannot_load("adapter", adapter, error) from error
    base = config.base_model_name_or_path
    if resolve_model(base or "") != resolve_model(model_args.model_name_or_path or ""):
        raise UsageError(
            f"'{adapter}' is an adapter of '{base}', and this recipe's base is '{model_args.model_name_or_path}'; "
            f"give --model_name_or_path {base}, or an adapter of that base"
        )
    shape = {"lora_r": "r", "lora_alpha": "lora_alpha", "use_dora": "use_dora", "use_rslora": "use_rslora"}
    for key, name in shape.items():
        wanted, found = getattr(model_args, key), getattr(config, name, None)
        if wanted != found:
            raise UsageError(f"{key} is {wanted}, and '{adapter}', which this run starts from, has {found}")
    check_adapter_weights(adapter)


def check_adapter_weights(adapter: str, revision: str | None = None) -> None:
    """See that an adapter's weights are safetensors; PEFT would fall back to torch's pickles.

    Raises:
        ModelError: they are not there in that format.
    """
    from huggingface_hub import hf_hub_download
    from peft.utils import SAFETENSORS_WEIGHTS_NAME

    if Path(adapter).is_dir():
        if not (Path(adapter) / SAFETENSORS_WEIGHTS_NAME).is_file():
            raise ModelError(f"'{adapter}' has no {SAFETENSORS_WEIGHTS_NAME}; no other format is read")
        return
    try:
        hf_hub_download(adapter, SAFETENSORS_WEIGHTS_NAME, revision=revision)
    except (OSError, ValueError) as error:
        raise _cannot_load("adapter", adapter, error) from error


def load_base(model_args):
    """The model that a recipe names, quantised as it says, on this process's device.

    Args:
        model_args: TRL's ModelConfig; `lora_task_type` SEQ_CLS gives a model with a head of one number, the reward.

    Raises:
        UsageError: no model named.
        ModelError: it cannot be loaded.
    """
    import torch
    from accelerate import PartialState
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
    from trl import get_quantization_config

    if not model_args.model_name_or_path:
        raise UsageError("no 'model_name_or_path'; give a Hub id, a folder, or 'tiny'")
    quantization = get_quantization_config(model_args)
    device_map = {"": PartialState().local_process_index if torch.cuda.is_available() else "cpu"}
    scores = model_args.lora_task_type == "SEQ_CLS"
    model_class = AutoModelForSequenceClassification if scores else AutoModelForCausalLM
    try:
        model = model_class.from_pretrained(
            resolve_model(model_args.model_name_or_path),
            revision=model_args.model_revision,
            dtype=model_args.dtype,
            attn_implementation=model_args.attn_implementation,
            quantization_config=quantization,
            device_map=device_map if quantization else None,
            use_safetensors=True,
            **({"num_labels": 1} if scores else {}),
        )
    except (OSError, ValueError) as error:
        raise _cannot_load("model", model_args.model_name_or_path, error) from error
    keep_trainable_on_cpu(model)
    if model_args.load_in_4bit and not scores and not torch.cuda.is_available():
        dequantise_once_for_generation(model)
    return model


def _cannot_load(what: str, name: str, error: Exception) -> ModelError:
    return ModelError(f"cannot load the {what} of '{name}': {reason(error)}")
