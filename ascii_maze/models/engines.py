"""Engines that complete prompts: vLLM if installed, with a CUDA device and a supported model, else transformers."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..mazes.prompts import Message
from .adapters import read_weights, weights_digest
from .chat import describe_reading
from .generation import Decoding, complete, conversing
from .loading import context_of, load_source
from .sources import Source, describe, find_model

# Keys of PEFT's config that make a LoRA more than two matrices of one rank for each module.
NOT_PLAIN = (
    *("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "trainable_token_indices"),
    *("target_parameters", "lora_bias", "use_qalora"),
)


def vllm_reads(source: Source) -> bool:
    """Whether vLLM computes what a model was trained to compute; the only adapters it supports are plain LoRA.

    It silently ignores ranks and scales of single modules, and rejects adapters with their own vocabulary, trained
    biases or whole modules, DoRA and all other kinds.
    """
    config = source.adapter
    if source.model_args.load_in_8bit:
        return False
    if config is None:
        return True
    plain = config.peft_type == "LORA" and not any(getattr(config, key, None) for key in NOT_PLAIN)
    weights = read_weights(source.name, source.revision)[1] if plain else {}
    return plain and all(".lora_A." in key or ".lora_B." in key for key in weights)


class Engine(NamedTuple):
    """A loaded model that completes prompts.

    Attributes:
        tokenizer: with the chat template that renders the prompts.
        complete: (prompts, max_new_tokens, Decoding, on_progress) -> the completions of each prompt.
        facts: its entry in results.json: engine, base, revision, dtype, quantisation, device, and how
            conversations are rendered.
        context: the most tokens that it reads, including the answer; None if its config does not say.
        converse: a function that begins conversations, see `generation.conversing`; None if `complete` itself
            caches what it has read.
    """

    tokenizer: Any
    complete: Callable[[Sequence[list[Message]], int, Decoding, Callable[[int], None]], list[list[str]]]
    facts: dict[str, Any]
    context: int | None
    converse: Callable[[], Callable] | None = None


def load_engine(name: str | Source) -> Engine:
    """The engine of a model.

    Args:
        name: as `loading.load_model` takes it, or what `find_model` found.

    Raises:
        AsciiMazeError: as `loading.load_model`.
    """
    import torch

    source = name if isinstance(name, Source) else find_model(name)
    if torch.cuda.is_available() and importlib.util.find_spec("vllm") and vllm_reads(source):
        from .vllm_engine import load_vllm

        tokenizer, answer, context = load_vllm(source)
        return Engine(tokenizer, answer, facts_of("vllm", source, tokenizer), context)
    model, tokenizer = load_source(source)

    def answer_here(prompts, max_new_tokens, decoding, on_progress):
        return complete(model, tokenizer, prompts, max_new_tokens, decoding, on_progress)

    facts = facts_of("transformers", source, tokenizer)
    return Engine(tokenizer, answer_here, facts, context_of(model), lambda: conversing(model, tokenizer))


def facts_of(engine: str, source: Source, tokenizer) -> dict[str, Any]:
    """What results.json says about how a model was loaded."""
    adapter = {"adapter_sha256": weights_digest(source.name, source.revision)} if source.adapter else {}
    return {"engine": engine, **describe(source), **adapter, "chat": describe_reading(tokenizer)}
