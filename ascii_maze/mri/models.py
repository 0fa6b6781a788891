"""Base and fine-tunes as one model in memory: every adapter on one base, switched by name and by layer."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import AsciiMazeError, UsageError, reason

BASE = "base"
# Submodules of a decoder layer that write to the residual stream, by the names that model families give them.
ATTENTION = ("self_attn", "attn", "attention", "self_attention")
MLP = ("mlp", "feed_forward", "block_sparse_moe", "ffn")


@dataclass(frozen=True)
class Models:
    """Base and adapters on it.

    Attributes:
        model: PEFT's, with every adapter loaded; without adapters, the model itself.
        tokenizer: of the base.
        names: `base`, then the adapters.
        layers: the decoder layers, first to last.
        norm: the normalisation before the output head.
        head: hidden states -> logits.
        context: tokens that the model reads at most.
        ends: tokens that end an answer.
    """

    model: Any
    tokenizer: Any
    names: list[str]
    layers: list
    norm: Any
    head: Any
    context: int
    ends: list[int]

    def switch(self, name: str, stages: range | None = None) -> None:
        """Make the model `name` the one that runs.

        Args:
            stages: where alone the adapter is at work, of 0 (embedding), 1 (first decoder layer) to `len(layers)`, and
                one more for what follows; everywhere by default.
        """
        if name != BASE:
            self.model.set_adapter(name, inference_mode=True)
        for stage, module in self._adapted():
            module.enable_adapters(name != BASE and (stages is None or stage in stages))

    def stages(self, name: str) -> set[int]:
        """The stages at which an adapter has weights; see `switch`."""
        return {
            stage
            for stage, module in self._adapted()
            if any(name in getattr(module, attribute, ()) for attribute in module.adapter_layer_names)
        }

    def _adapted(self) -> Iterator[tuple[int, Any]]:
        """The modules that carry adapters, with their stages."""
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils.other import AuxiliaryTrainingWrapper

        stage_of = {id(module): stage for stage, layer in enumerate(self.layers, 1) for module in layer.modules()}
        embedding = {id(module) for module in self.model.get_input_embeddings().modules()}
        for module in self.model.modules():
            if isinstance(module, BaseTunerLayer | AuxiliaryTrainingWrapper):
                after = 0 if id(module) in embedding else len(self.layers) + 1
                yield stage_of.get(id(module), after), module


def load_models(base: str, adapters: dict[str, str]) -> Models:
    """Load the base once, as the adapters were trained on it, and every adapter by name.

    Args:
        base: `tiny`, a folder or a Hub id.
        adapters: name -> folder or Hub id, at least one.

    Raises:
        UsageError: a name that cannot serve, a whole model or a reward model, or an adapter of another base.
        AsciiMazeError: something cannot be loaded.
    """
    from peft import PeftModel

    from ..models.generation import find_model, split_revision
    from ..models.loading import check_adapter_weights, load_base, load_tokenizer

    arguments = {name: find_model(location).model_args for name, location in adapters.items()}
    for name in adapters:
        _check_adapter(name, adapters[name], base, arguments)
    first = next(iter(arguments.values()))
    model = load_base(first)
    tokenizer = load_tokenizer(first.model_name_or_path, first.model_revision)
    for name, location in adapters.items():
        source, revision = split_revision(location)
        check_adapter_weights(source, revision)
        try:
            if isinstance(model, PeftModel):
                model.load_adapter(source, adapter_name=name, revision=revision)
            else:
                model = PeftModel.from_pretrained(model, source, adapter_name=name, revision=revision)
        except (RuntimeError, ValueError, OSError) as error:
            raise AsciiMazeError(
                f"adapter '{name}' ({location}) cannot be put on '{base}': {reason(error)}"
            ) from error
    return as_models(model.eval(), tokenizer, list(adapters))


def as_models(model, tokenizer, adapters: list[str]) -> Models:
    """`Models` of a PeftModel that is loaded already, or of a model without adapters.

    Raises:
        AsciiMazeError: its decoder layers, last normalisation or head cannot be told.
    """
    import torch

    base = model.get_base_model() if adapters else model
    config = base.config.get_text_config()
    found = next(
        (
            (parent, module)
            for parent in model.modules()
            for module in parent.children()
            if isinstance(module, torch.nn.ModuleList) and len(module) == config.num_hidden_layers
        ),
        None,
    )
    head = base.get_output_embeddings()
    if found is None or head is None:
        raise AsciiMazeError(f"cannot tell the decoder layers of a {type(base).__name__}")
    decoder, layers = found
    norms = [module for name, module in decoder.named_children() if re.search(r"norm|^ln", name)]
    if not norms:
        raise AsciiMazeError(f"cannot tell the last normalisation of a {type(base).__name__}")
    context = getattr(config, "max_position_embeddings", None) or 2**31
    ends = base.generation_config.eos_token_id
    ends = [tokenizer.eos_token_id] if ends is None else [ends] if isinstance(ends, int) else list(ends)
    return Models(model, tokenizer, [BASE, *adapters], list(layers), norms[-1], head, context, ends)


def _check_adapter(name: str, location: str, base: str, arguments: dict) -> None:
    from ..models.loading import resolve_model

    first_name, first = next(iter(arguments.items()))
    mine = arguments[name]
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name in (BASE, "default"):
        raise UsageError(f"an adapter cannot be called '{name}'; use letters, digits, - and _, and not 'base'")
    if mine.lora_task_type == "SEQ_CLS":
        raise UsageError(f"adapter '{name}' ({location}) is a reward model, which does not walk")
    if not is_lora(location):
        raise UsageError(f"'{name}' ({location}) is no LoRA adapter; the report compares LoRA adapters on one base")
    if resolve_model(mine.model_name_or_path) != resolve_model(base):
        raise UsageError(
            f"adapter '{name}' ({location}) was trained on '{mine.model_name_or_path}' and not on '{base}'; give "
            f"--base {mine.model_name_or_path}, or an adapter of '{base}'"
        )
    for key in ("load_in_4bit", "load_in_8bit", "bnb_4bit_quant_type", "use_bnb_nested_quant", "dtype"):
        if getattr(mine, key) != getattr(first, key):
            raise UsageError(
                f"adapter '{name}' ({location}) was trained with {key} {getattr(mine, key)}, and '{first_name}' with "
                f"{getattr(first, key)}: their bases differ; report on them one by one"
            )


def is_lora(location: str) -> bool:
    """Whether a folder or Hub id holds a LoRA adapter."""
    from peft import PeftConfig

    try:
        return PeftConfig.from_pretrained(location).peft_type == "LORA"
    except (OSError, ValueError):
        return False


def adapter_is_zero(models: Models, name: str) -> bool:
    """Whether an adapter adds nothing: every B of its products is zero, as before the first step of training."""
    return not any(weight.any() for key, weight in models.model.named_parameters() if f"lora_B.{name}." in key)


@contextmanager
def watching(models: Models, visit: Callable[[str, int, Any], Any], parts: bool = False):
    """Show every hidden state to a function while the model runs, and let it put another in its place.

    Args:
        visit: called with `hidden`, `attention` or `mlp`, the layer (0 is the embedding's output, 1 the first decoder
            layer's) and the tensor (batch, tokens, width); what it returns, if anything, goes on instead.
        parts: also show what attention and MLP of each layer add to the stream.

    Raises:
        AsciiMazeError: with `parts`, where they cannot be told.
    """

    def after(site: str, layer: int):
        def hook(module, arguments, output):
            tensor = output[0] if isinstance(output, tuple) else output
            changed = visit(site, layer, tensor)
            if changed is None:
                return None
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        return hook

    def before(module, arguments, keywords):
        # The embedding's output, where a model scales it or adds positions, is what the first layer reads.
        tensor = arguments[0] if arguments else keywords["hidden_states"]
        changed = visit("hidden", 0, tensor)
        if changed is None:
            return None
        if arguments:
            return (changed, *arguments[1:]), keywords
        return arguments, {**keywords, "hidden_states": changed}

    handles = [models.layers[0].register_forward_pre_hook(before, with_kwargs=True)]
    try:
        for number, layer in enumerate(models.layers, 1):
            handles.append(layer.register_forward_hook(after("hidden", number)))
            for site, names in (("attention", ATTENTION), ("mlp", MLP)) if parts else ():
                part = next((child for name, child in layer.named_children() if name in names), None)
                if part is None:
                    raise AsciiMazeError(f"cannot tell the {site} of a {type(layer).__name__}")
                handles.append(part.register_forward_hook(after(site, number)))
        yield
    finally:
        for handle in handles:
            handle.remove()
