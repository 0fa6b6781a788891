"""Base and fine-tunes as one model in memory: all adapters on one base, switched by name and by layer."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import AsciiMazeError, UsageError
from ..models.chat import AS_IT_IS, Chat, turn_ends
from ..models.folding import forget_folded
from ..models.loading import context_of
from ..models.sources import Source, how_loaded
from ..references import Reference
from .seeds import methods_of

BASE = "base"
# The name of an adapter, with its seed after @: used in file names, PEFT's names, and ids of the page.
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}(@[A-Za-z0-9_-]{1,16})?")
# Submodules of a decoder layer that write to the residual stream, by their names in various model families.
ATTENTION = ("self_attn", "attn", "attention", "self_attention")
MLP = ("mlp", "feed_forward", "block_sparse_moe", "ffn")


@dataclass(frozen=True)
class Models:
    """Base and adapters on it.

    Attributes:
        model: PEFT's, with every adapter loaded; without adapters, the model itself.
        tokenizer: that the adapters were trained with.
        names: `base`, then the adapters.
        layers: the decoder layers, first to last.
        norm: the normalisation before the output head.
        head: hidden states -> logits.
        context: the longest input, in tokens.
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

    def switch(self, name: str, stages: range | None = None, elsewhere: str = BASE) -> None:
        """Activate one model, or parts of two.

        Args:
            stages: where the adapter is enabled: 0 is the embedding, 1 to `len(layers)` the decoder layers, and one
                more everything after them; everywhere by default.
            elsewhere: the model at the other stages.
        """
        if name != BASE:
            self.model.set_adapter(name, inference_mode=True)
        for stage, module in self._adapted():
            here = name if stages is None or stage in stages else elsewhere
            if here not in (BASE, name) and _has(module, here):
                module.set_adapter(here, inference_mode=True)
            module.enable_adapters(here != BASE and _has(module, here))
            forget_folded(module)

    def stages(self, name: str) -> set[int]:
        """The stages at which an adapter has weights; see `switch`."""
        return {stage for stage, module in self._adapted() if _has(module, name)}

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


def _has(module, name: str) -> bool:
    """Whether an adapter has weights in a module that carries adapters."""
    return any(name in getattr(module, attribute, ()) for attribute in module.adapter_layer_names)


def find_adapters(base: str, adapters: dict[str, str], chat: Chat = AS_IT_IS) -> dict[str, Source]:
    """Check that adapters can be compared on one base, before any weights are loaded.

    Args:
        base: `tiny`, a folder or a Hub id; without a revision, that which the adapters were trained on.
        adapters: name -> folder or Hub id.
        chat: how they read conversations; always without reasoning, whose text would differ between models.

    Raises:
        UsageError: no adapter, an unusable name, a whole model, an adapter of another base or quantisation, or one
            adapter as two seeds.
        AsciiMazeError: a location cannot be read, or holds a reward model.
    """
    from ..models.sources import find_model, find_named, find_on

    if not adapters:
        raise UsageError("no adapter to compare with the base; give --adapter NAME=FOLDER, once or more")
    known = {BASE, "default"}  # the second is PEFT's own
    for name in adapters:
        if not NAME.fullmatch(name) or name.casefold() in known:
            raise UsageError(
                f"an adapter cannot be called '{name}'; give --adapter NAME={adapters[name]}, with a NAME of letters, "
                "digits, - and _ that no other adapter has, and not 'base'; NAME@SEED is one seed of several"
            )
        known.add(name.casefold())  # names become file names, and some file systems ignore case
    wanted, chat = find_named(base), chat._replace(thinking=False)
    sources = {name: find_on(base, partial(find_model, at, chat=chat)) for name, at in adapters.items()}
    for name, source in sources.items():
        _check_adapter(name, source, wanted)
        _check_same_base(name, source, *next(iter(sources.items())))
    for seeds in methods_of(list(sources)).values():
        if len(seeds) > 1:
            _check_seeds({name: sources[name] for name in seeds})
    return sources


def load_models(sources: dict[str, Source]) -> Models:
    """Load the base once, as the adapters were trained on it, and every adapter by name.

    Args:
        sources: of `find_adapters`.

    Raises:
        AsciiMazeError: something cannot be loaded.
    """
    from ..models.adapters import put_adapter
    from ..models.devices import this_device
    from ..models.loading import check_vocabulary, load_base, load_tokenizer_of

    first_name, first = next(iter(sources.items()))
    model, tokenizer = load_base(first.model_args), load_tokenizer_of(first)
    for name, source in sources.items():
        if not _read_alike(tokenizer, load_tokenizer_of(source)):
            raise UsageError(
                f"adapter '{name}' ({source.name}) was trained with another tokenizer or chat template than "
                f"'{first_name}': they read different tokens; make a report for each"
            )
        model = put_adapter(model, source, name)
    check_vocabulary(model, tokenizer, first.name)
    if not getattr(model, "is_quantized", False):
        model = model.to(this_device().kind)
    return as_models(model.eval(), tokenizer, list(sources))


def load_unquantised(models: Models, source: Source) -> Models:
    """The base of quantised models in full precision, beside them.

    Args:
        source: of one of the adapters.

    Raises:
        AsciiMazeError: there is no room for it.
    """
    import copy

    import torch

    from ..models.devices import free_memory
    from ..models.loading import load_base

    args = copy.copy(source.model_args)
    args.load_in_4bit = args.load_in_8bit = False
    width = getattr(torch, str(args.dtype), torch.float32).itemsize
    needed, free = width * models.model.num_parameters(), free_memory(models.model.device)
    if 1.2 * needed > free:
        raise AsciiMazeError(f"the base in full precision takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} are free")
    base = load_base(args).to(models.model.device).eval()
    return as_models(base, models.tokenizer, [])


def _read_alike(one, other) -> bool:
    """Whether two tokenizers make the same tokens of the same conversation."""
    mine, theirs = ((t.chat_template, t.bos_token, t.eos_token, t.get_vocab()) for t in (one, other))
    return mine == theirs  # a template may write the two tokens by name


def as_models(model, tokenizer, adapters: list[str]) -> Models:
    """`Models` of a PeftModel that is loaded already, or of a model without adapters.

    Raises:
        AsciiMazeError: its decoder layers, last normalisation or head cannot be found.
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
        raise AsciiMazeError(f"cannot find the decoder layers of a {type(base).__name__}")
    decoder, layers = found
    norms = [module for name, module in decoder.named_children() if re.search(r"norm|^ln", name)]
    if not norms:
        raise AsciiMazeError(f"cannot find the last normalisation of a {type(base).__name__}")
    context = context_of(base) or 2**31
    names = [BASE, *adapters]
    return Models(model, tokenizer, names, list(layers), norms[-1], head, context, turn_ends(tokenizer, base))


def _check_adapter(name: str, source: Source, base: Reference) -> None:
    """Check that a source is a LoRA adapter of the base."""
    from ..models.sources import is_same_model

    given = f"'{name}' ({source.name})"
    if source.adapter is None or source.adapter.peft_type != "LORA":
        raise UsageError(f"{given} is not a LoRA adapter; the report compares LoRA adapters on one base")
    trained_on, revision = source.model_args.model_name_or_path, source.model_args.model_revision or "main"
    if not is_same_model(trained_on, base.name) or base.revision not in (None, revision):
        trained_on += f"@{revision}" * (revision != "main")
        raise UsageError(
            f"adapter {given} was trained on '{trained_on}' and not on '{base}'; give --base {trained_on}, or an "
            f"adapter of '{base}'"
        )


def _check_same_base(name: str, source: Source, other_name: str, other: Source) -> None:
    """Check that two adapters were trained on a base that was loaded in the same way."""
    mine, theirs = how_loaded(source), how_loaded(other)
    for key, value in mine.items():
        if value != theirs[key]:
            raise UsageError(
                f"adapter '{name}' ({source.name}) was trained with {key} {value}, and '{other_name}' with "
                f"{theirs[key]}: their bases differ; make a report for each"
            )


def _check_seeds(sources: dict[str, Source]) -> None:
    """Check that no two seeds of a method are one adapter: seeds would seem not to differ, and so methods to do."""
    from ..models.adapters import weights_digest

    found: dict[str | None, str] = {}
    for name, source in sources.items():
        digest = weights_digest(source.name, source.revision)
        if digest is not None and (other := found.setdefault(digest, name)) != name:
            raise UsageError(
                f"'{other}' and '{name}' ({source.name}) are the same adapter, not two seeds; name one only"
            )


def adapter_is_zero(models: Models, name: str) -> bool:
    """Whether an adapter adds nothing: every B of its products is zero, as before the first step of training."""
    return not any(weight.any() for key, weight in models.model.named_parameters() if f"lora_B.{name}." in key)


@contextmanager
def watching(models: Models, visit: Callable[[str, int, Any], Any], parts: bool = False):
    """Pass every hidden state to a function while the model runs; it may return a replacement.

    Args:
        visit: called with `hidden`, `attention` or `mlp`, the layer (0 is the embedding's output, 1 the first decoder
            layer's) and the tensor (batch, tokens, width); what it returns, if anything, replaces the tensor.
        parts: also pass what attention and MLP of each layer add to the residual stream.

    Raises:
        AsciiMazeError: with `parts`, if they cannot be found.
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
        # Some models scale the embedding's output or add positions: layer 0 is what the first layer reads.
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
                    raise AsciiMazeError(f"cannot find the {site} of a {type(layer).__name__}")
                handles.append(part.register_forward_hook(after(site, number)))
        yield
    finally:
        for handle in handles:
            handle.remove()
