"""Loads a model and its tokenizer, to generate or train: the base, quantised as in its recipe, and an adapter."""

import json
from typing import Any

from ..errors import UsageError, reason
from ..references import is_on_hub
from .adapter_config import CONFIG, ModelError, fetch, read_config, resolve_patterns
from .adapters import mismatch, put_adapter, read_weights, refuse_misfit
from .chat import AS_IT_IS, Chat, how_read, note_reading
from .devices import this_device
from .folding import fold_for_generation
from .quantisation import keep_trainable_on_cpu
from .sources import Source, check_base_unchanged, find_model, find_named, is_same_model, loadable, settle_name
from .templates import set_chat_template
from .whole import check_numbers, check_stored, check_whole

# Recipe key -> key of LoRA's configuration, of what an adapter keeps when it is trained further.
SHAPE = {"lora_r": "r", "lora_alpha": "lora_alpha", "use_dora": "use_dora", "use_rslora": "use_rslora"}


def load_model(name: str, task: str = "CAUSAL_LM", base: str | None = None, chat: Chat = AS_IT_IS) -> tuple[Any, Any]:
    """A model and its tokenizer, ready to generate.

    Args:
        name: `tiny`, a folder or a Hub id, of a model or of an adapter; `ORG/NAME@REVISION` is one commit, branch or
            tag. An adapter is put on the base that it was trained on, quantised as in training if the recipe of its
            run is in the same folder.
        task: SEQ_CLS loads a reward model, which gives a number instead of moves.
        base: the location of an adapter's base, if it is not that in its config.
        chat: how conversations are rendered; by default with the tokenizer's own settings.

    Raises:
        AsciiMazeError: the name cannot be loaded, or is a model for another task.
    """
    return load_source(find_model(name, task, base, chat))


def load_source(source: Source) -> tuple[Any, Any]:
    """The transformers model of a source, and its tokenizer.

    Raises:
        ModelError: it cannot be loaded, or the adapter does not fit its base.
    """
    model = load_base(source.model_args)
    if source.adapter is not None:
        model = put_adapter(model, source)
        if source.adapter.task_type == "SEQ_CLS":
            # its head was trained in float32 under autocast, which is off here
            model.get_base_model().score.to(model.dtype)
    tokenizer = load_tokenizer_of(source)
    check_vocabulary(model, tokenizer, source.name)
    model.config.pad_token_id = tokenizer.pad_token_id  # a reward model uses it to find the end of an answer
    if not getattr(model, "is_quantized", False):
        model = model.to(this_device().kind)
    return model.eval(), tokenizer


def load_tokenizer_of(source: Source):
    """The tokenizer and chat template that a model was trained with: an adapter's own, if its folder has them.

    Raises:
        ModelError: there is none, or it has no chat template.
    """
    args, tokenizer = source.model_args, read_tokenizer_of(source)
    if source.adapter is not None and tokenizer.chat_template is None and source.chat.template is None:
        of_base = load_tokenizer(args.model_name_or_path, args.model_revision, source.chat)
        tokenizer.chat_template = of_base.chat_template
        note_reading(tokenizer, how_read(of_base))
    set_chat_template(tokenizer, source.chat)
    return tokenizer


def read_tokenizer_of(source: Source):
    """The tokenizer of a model as it was saved, with or without a chat template of its own.

    Raises:
        ModelError: there is none.
    """
    if source.adapter is not None and fetch(source.name, source.revision, "tokenizer_config.json"):
        return _read_tokenizer(source.name, source.revision)
    return _read_tokenizer(source.model_args.model_name_or_path, source.model_args.model_revision)


def load_tokenizer_to_train(model_args, adapter: str | None, chat: Chat = AS_IT_IS):
    """The tokenizer of a run: that of the adapter to start from, if any, else its base's.

    Args:
        model_args: TRL's ModelConfig.
        adapter: folder or Hub id of the adapter to start from, if any.
        chat: how it renders conversations; by default with its own settings.

    Raises:
        ModelError: there is none.
        UsageError: it has no chat template; or as `find_start`.
    """
    if adapter is None:
        return load_tokenizer(model_args.model_name_or_path or "", model_args.model_revision, chat)
    return load_tokenizer_of(find_start(adapter, model_args)._replace(chat=chat))


def vocabulary_of(model) -> int:
    """The number of tokens in a model's vocabulary."""
    return model.get_input_embeddings().weight.shape[0]


def context_of(model) -> int | None:
    """The most positions of a model, in tokens; None if its config sets no limit."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def check_vocabulary(model, tokenizer, name: str) -> None:
    """Check that a model has a row for every token that its tokenizer may write.

    Raises:
        ModelError: it has fewer.
    """
    rows, tokens = vocabulary_of(model), max(tokenizer.get_vocab().values()) + 1
    if tokens > rows:
        raise ModelError(f"the tokenizer of '{name}' has {tokens} tokens, and its model reads {rows}")


def load_tokenizer(name: str, revision: str | None = None, chat: Chat = AS_IT_IS):
    """The tokenizer of a model, padding on the left as generation needs it, its chat template set by `templates`.

    Args:
        chat: how it renders conversations; by default with its own settings.

    Raises:
        ModelError: there is none.
        UsageError: it has no chat template, or one that loses messages.
    """
    tokenizer = _read_tokenizer(name, revision)
    set_chat_template(tokenizer, chat)
    return tokenizer


def _read_tokenizer(name: str, revision: str | None):
    from transformers import AutoTokenizer

    place = loadable(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            place, revision=revision, padding_side="left", trust_remote_code=False
        )
    except Exception as error:  # transformers and tokenizers may raise anything on malformed files
        raise _cannot_load("tokenizer", name, error) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        raise ModelError(
            f"the tokenizer of '{name}' has no end of text and no padding; name one as 'eos_token' in its "
            "tokenizer_config.json"
        )
    tokenizer.name_or_path = name  # for messages; not the folder where a GGUF file was unpacked
    return tokenizer


def load_model_to_train(model_args, adapter: str | None, seed: int):
    """The model that a recipe trains: the base with a new adapter or the one to start from, or all of the base.

    Args:
        model_args: TRL's ModelConfig.
        adapter: folder or Hub id of the adapter to start from, if any.
        seed: of new weights: the adapter's matrices and a reward model's head.

    Raises:
        UsageError: an adapter of another base or shape, one with a vocabulary of its own, or one without `use_peft`.
        ModelError: something cannot be loaded.
    """
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
    from transformers import set_seed
    from trl import get_peft_config

    start = None if adapter is None else find_start(adapter, model_args)
    set_seed(seed)
    model = load_base(model_args)
    if not model_args.use_peft:
        return model
    if start is None:
        config = get_peft_config(model_args)
        resolve_patterns(config, [key for key, _ in model.named_modules() if key], "the recipe's adapter")
        return get_peft_model(model, config)
    if model_args.lora_task_type == "CAUSAL_LM":
        rows = vocabulary_of(model)
        policy = put_adapter(model, start, trainable=True)
        if vocabulary_of(policy) != rows:
            raise UsageError(
                f"'{adapter}' has a vocabulary of its own, which a run would not save; merge it (`ascii-maze merge`), "
                "and name the result as 'model_name_or_path'"
            )
        # The base's path: PEFT reads its config at every checkpoint, and would ask the Hub for a model named 'tiny'.
        policy.peft_config["default"].base_model_name_or_path = model.config.name_or_path
        return policy
    # A reward model: training continues from the policy's adapter, under a scalar head (Ouyang et al., 2022).
    config, modules = get_peft_config(model_args), [name for name, _ in model.named_modules() if name]
    resolve_patterns(config, modules, "the recipe's adapter")
    resolve_patterns(start.adapter, modules, f"{CONFIG} of '{start.name}'")
    config.rank_pattern, config.alpha_pattern = start.adapter.rank_pattern, start.adapter.alpha_pattern
    model = get_peft_model(model, config)
    heads = {name: weight for name, weight in get_peft_model_state_dict(model).items() if "lora_" not in name}
    _, weights = read_weights(start.name, start.revision)
    what = f"the adapter '{adapter}' does not fit '{model_args.model_name_or_path}'"
    try:
        loaded = set_peft_model_state_dict(model, {**heads, **weights})
    except RuntimeError as error:  # torch's, of shapes
        raise ModelError(f"{what}: {mismatch(error)}") from error
    refuse_misfit(loaded, "default", what)
    return model


def find_start(adapter: str, model_args) -> Source:
    """The adapter to start from, checked against the recipe.

    Raises:
        UsageError: its base or shape differs from the recipe's, or the recipe trains the whole model.
        ModelError: there is no such adapter, or the weights of its base have changed.
    """
    if not model_args.use_peft:
        raise UsageError(
            "'adapter_name_or_path' needs 'use_peft: true'; to train a whole model further, name its folder as "
            "'model_name_or_path'"
        )
    reference = find_named(adapter)
    config = read_config(reference.name, reference.revision)
    if config is None:
        raise ModelError(f"cannot load the adapter of '{adapter}': it has no {CONFIG}")
    if config.task_type == "SEQ_CLS" and model_args.lora_task_type != "SEQ_CLS":
        raise UsageError(f"'{adapter}' is a reward model; this run has to start from an adapter that writes paths")
    base = settle_name(config.base_model_name_or_path or "")
    if not is_same_model(base, model_args.model_name_or_path or ""):
        raise UsageError(
            f"'{adapter}' is an adapter of '{base}', and this recipe's base is '{model_args.model_name_or_path}'; "
            f"give --model_name_or_path {base}, or an adapter of that base"
        )
    for key, name in SHAPE.items():
        wanted, found = getattr(model_args, key), getattr(config, name, None)
        if wanted != found:
            raise UsageError(f"{key} is {wanted}, and '{adapter}', which this run starts from, has {found}")
    start = Source(reference.name, reference.revision, config, model_args)
    check_base_unchanged(start)
    return start


def load_base(model_args):
    """The base model of a recipe, quantised as in the recipe, on this process's device.

    Args:
        model_args: TRL's ModelConfig; `lora_task_type` SEQ_CLS gives a model with a scalar head, the reward.

    Raises:
        UsageError: the recipe names no model, or an adapter.
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
    place = loadable(model_args.model_name_or_path)
    if fetch(place, model_args.model_revision, CONFIG):  # transformers would load the adapter and its base
        raise UsageError(
            f"cannot load the model of '{model_args.model_name_or_path}': it is an adapter; name the model that it "
            "was trained on, or merge both (`ascii-maze merge`)"
        )
    check_stored(place, model_args.model_revision, model_args.model_name_or_path)
    try:
        model, found = model_class.from_pretrained(
            place,
            revision=model_args.model_revision,
            dtype=model_args.dtype,
            attn_implementation=model_args.attn_implementation,
            quantization_config=quantization,
            device_map=device_map if quantization else None,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **({"num_labels": 1} if scores else {}),
        )
    except Exception as error:  # the libraries may raise anything on malformed files
        raise _cannot_load("model", model_args.model_name_or_path, error) from error
    check_whole(model, found, model_args.model_name_or_path, new_head=scores)
    if getattr(model, "is_quantized", False):
        check_numbers(place, model_args.model_revision, model_args.model_name_or_path)
    keep_trainable_on_cpu(model)
    generate_unmodified(model)
    if not scores and not torch.cuda.is_available():
        fold_for_generation(model)
    return model


def generate_unmodified(model) -> None:
    """Let a model generate from its own distribution: of the generation settings that came with it, which may penalise
    repetitions (a path is nothing else) or turn the cache off, only the special tokens remain.

    Raises:
        ModelError: one of them is not the number of a token, nor a list of such.
    """
    from transformers import GenerationConfig

    if (config := getattr(model, "generation_config", None)) is not None:
        names = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
        special = {name: value for name in names if (value := getattr(config, name)) is not None}
        for name, value in special.items():
            if not all(isinstance(token, int) for token in (value if isinstance(value, list) else [value])):
                raise ModelError(
                    f"cannot load the model of '{model.config.name_or_path}': {name} of its generation_config.json is "
                    f"{json.dumps(value)[:60]}; expected the number of a token"
                )
        model.generation_config = GenerationConfig(**special)


def _cannot_load(what: str, name: str, error: Exception) -> ModelError:
    from huggingface_hub import constants

    fix = ""
    if constants.HF_HUB_OFFLINE and is_on_hub(name):
        fix = f"; name a folder that holds the model, or run `hf download {name}` where the Hub can be reached"
    return ModelError(f"cannot load the {what} of '{name}': {reason(error)}{fix}")
