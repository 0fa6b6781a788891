"""An engine completes prompts: vLLM where it is installed and there is a CUDA device, else transformers."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..mazes.prompts import Message
from .generation import Decoding, complete
from .loading import load_source
from .sources import Source, describe, find_model


class Engine(NamedTuple):
    """A loaded model that completes prompts.

    Attributes:
        tokenizer: with the chat template that renders the prompts.
        complete: (prompts, max_new_tokens, Decoding, on_progress) -> for each prompt its completions.
        facts: what results.json says of it: engine, base, revision, dtype, quantisation, device.
    """

    tokenizer: Any
    complete: Callable[[Sequence[list[Message]], int, Decoding, Callable[[int], None]], list[list[str]]]
    facts: dict[str, Any]


def load_engine(name: str | Source) -> Engine:
    """The engine of a model.

    Args:
        name: as `loading.load_model` takes it, or what `find_model` found.

    Raises:
        AsciiMazeError: as `loading.load_model`.
    """
    import torch

    source = name if isinstance(name, Source) else find_model(name)
    if torch.cuda.is_available() and importlib.util.find_spec("vllm") and not source.model_args.load_in_8bit:
        from .vllm_engine import load_vllm

        tokenizer, answer = load_vllm(source)
        return Engine(tokenizer, answer, {"engine": "vllm", **describe(source)})
    model, tokenizer = load_source(source)

    def answer_here(prompts, max_new_tokens, decoding, on_progress):
        return complete(model, tokenizer, prompts, max_new_tokens, decoding, on_progress)

    return Engine(tokenizer, answer_here, {"engine": "transformers", **describe(source)})
