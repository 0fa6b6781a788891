"""Reads a batch without reading a token twice: a prefix shared by several rows is computed once, with gradient.

In a causal model the states of a prefix do not depend on what follows. The rules are the same in every prompt (82 of
145 tokens for SmolLM2), and both completions of a pair, or a group of rollouts, share a prompt. Such
tokens are found by comparing the rows, and a batch is read in up to three passes of the backbone (`prefix_plan`).

Each pass finds the keys and values of those before it in a `DynamicCache`, repeated for the rows that continue them,
so the gradients of those rows add up in the shared one. The states are then gathered into the shape of the
batch: heads, losses and adapters get the same input as without it, up to rounding.

It costs one or two more passes and a copy of the keys and values, so a batch that shares little is read in a single
pass.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .prefix_plan import PASS, WORTH, Plan, plan_batch

SHORTEST = 16  # tokens; the shortest constant prefix whose cache is worth keeping throughout an evaluation
# Of `disagreement`. Rounding errors are 1e-6 in float32 and a few 1e-2 in bfloat16; unsupported attention
# deviates by a tenth and more.
TOLERANCE = 0.05
EXACT_WITH = ("sdpa", "eager")


class SharedPrefix:
    """Replaces the `forward` of a model's backbone (without the head), and reads batches by `plan_batch`.

    Calls that it cannot serve exactly are passed on unchanged: embeddings in place of tokens, custom positions
    (padding-free batches), masks of another shape, a non-empty cache, a batch wider than a sliding window.
    A prefill, a call with an empty cache, is served too: prompts that several rows share are read once.

    Attributes:
        tokens: number read with gradient since installation, without padding, shared or not.
    """

    def __init__(self, backbone, constant: Sequence[int] = (), pass_cost: int = PASS):
        """Install it in the backbone, until `remove`.

        Args:
            backbone: a transformers model without head, for which `why_not` returned None.
            constant: tokens that all batches begin with, which are then read only in the first batch. Valid only while
                the weights do not change, and without gradient.
            pass_cost: see `plan_batch`.
        """
        self.backbone, self.forward = backbone, backbone.forward
        self.constant, self.pass_cost = constant, pass_cost
        self.tokens = 0
        self.window = window_of(backbone)
        self.kept: tuple[list, Any] | None = None
        backbone.forward = self

    def remove(self) -> None:
        """Restore the backbone's own `forward`."""
        self.backbone.forward = self.forward

    def __call__(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        inputs_embeds=None,
        use_cache=None,
        **kwargs,
    ):
        """The backbone's `forward`."""
        import torch
        from transformers import DynamicCache
        from transformers.modeling_outputs import BaseModelOutputWithPast

        plan = None
        odd = any(value is not None and value is not False for name, value in kwargs.items() if name != "return_dict")
        if input_ids is not None and inputs_embeds is None and not odd:
            mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            if mask.shape == input_ids.shape and self._can_serve(mask, position_ids, past_key_values, use_cache):
                plan = plan_batch(input_ids.cpu().numpy(), mask.cpu().numpy(), self.constant, self.pass_cost)
                if plan is not None and sum(stage.ids.shape[1] for stage in plan.stages) >= self.window:
                    plan = None
            if torch.is_grad_enabled():
                self.tokens += plan.tokens if plan else int(mask.sum())
        if plan is None:
            return self.forward(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=past_key_values,
                inputs_embeds=inputs_embeds,
                use_cache=use_cache,
                **kwargs,
            )
        cache = DynamicCache(config=self.backbone.config) if past_key_values is None else past_key_values
        states = self._read(plan, cache, input_ids.device)
        if past_key_values is not None:
            column = torch.from_numpy(plan.column).to(input_ids.device)[:, None, :, None]
            for layer in _filled(cache):
                layer.keys, layer.values = (x.take_along_dim(column, 2) for x in (layer.keys, layer.values))
        return BaseModelOutputWithPast(last_hidden_state=states, past_key_values=past_key_values)

    def _can_serve(self, mask, positions, cache, use_cache) -> bool:
        import torch

        if positions is not None:
            counted = mask.long().cumsum(-1) - 1
            if positions.shape != mask.shape or bool(((positions != counted) & (mask == 1)).any()):
                return False
        if cache is None:
            return not use_cache
        plain = all(type(layer).__name__ in ("DynamicLayer", "GrowingLayer") for layer in cache.layers)
        return plain and cache.get_seq_length() == 0 and not torch.is_grad_enabled()

    def _read(self, plan: Plan, cache, device):
        """The states of a batch, shape (batch, tokens, hidden size); the cache then holds its keys and values."""
        import torch
        from torch.nn.functional import embedding

        states, seen = [], torch.zeros(1, 0, dtype=torch.int64, device=device)
        for number, stage in enumerate(plan.stages):
            parents, ids, mask, positions = (torch.from_numpy(array).to(device) for array in stage)
            if number:
                _repeat(cache, parents)
            seen = torch.cat([seen[parents], mask], 1)
            if number == 0 and plan.constant and self.kept is not None:
                keys, kept = self.kept
                for index, (key, value) in enumerate(keys):
                    cache.update(key, value, index)
                states.append(kept)
                continue
            output = self.forward(
                input_ids=ids, attention_mask=seen, position_ids=positions, past_key_values=cache, use_cache=True
            ).last_hidden_state.flatten(0, 1)
            states.append(output)
            if number == 0 and plan.constant and not torch.is_grad_enabled():
                self.kept = [(layer.keys, layer.values) for layer in cache.layers], output
        # `embedding` gathers with a gradient that is summed in a deterministic order.
        return embedding(torch.from_numpy(plan.place).to(device), torch.cat(states))


def _filled(cache) -> list:
    return [layer for layer in cache.layers if layer.is_initialized]


def _repeat(cache, parents) -> None:
    """Select the rows `parents` of a cache, in place."""
    for layer in _filled(cache):
        if len(layer.keys) == 1:  # the gradient of `expand` is a simple sum
            layer.keys, layer.values = (x.expand(len(parents), -1, -1, -1) for x in (layer.keys, layer.values))
        else:
            layer.keys, layer.values = (x.index_select(0, parents) for x in (layer.keys, layer.values))


def window_of(model) -> float:
    """The number of tokens that every layer of a model can look back; infinite without a sliding window."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    sliding = kinds is None or "sliding_attention" in kinds
    return float((getattr(config, "sliding_window", None) if sliding else None) or "inf")


def without_adapter(model):
    """The transformers model inside PEFT's, or the model itself; its layers keep the adapter's parts."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def backbone_of(model):
    """The part of a transformers model below its head; None if the two cannot be told apart."""
    whole = without_adapter(model)
    return None if whole.base_model is whole else whole.base_model


def why_not(model) -> str | None:
    """The reason, in a few words, why a model's batches cannot be read with a shared prefix; None if they can.

    Args:
        model: a transformers model with a head, or PEFT's around one.
    """
    from transformers import DynamicCache

    if any(config.is_prompt_learning for config in getattr(model, "peft_config", {}).values()):
        return "its adapter puts a prefix of its own before every row"
    backbone = backbone_of(model)
    if backbone is None:
        return "its head cannot be told from the rest"
    config = backbone.config.get_text_config()
    if getattr(config, "is_encoder_decoder", False) or not getattr(config, "is_causal", True):
        return "its attention is not causal"
    attention = getattr(config, "_attn_implementation", None)
    if attention not in EXACT_WITH:
        return f"attn_implementation is {attention}, and it is tested with {' and '.join(EXACT_WITH)}"
    if not any("rotary" in name for name, _ in backbone.named_modules()):
        return "its positions are not rotary"
    if getattr(config, "output_router_logits", False):
        return "its loss has a term for its router"
    if kinds := set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}:
        return f"it has layers of another kind ({', '.join(sorted(kinds))})"
    layers = DynamicCache(config=config).layers
    odd = {type(layer).__name__ for layer in layers} - {"DynamicLayer", "DynamicSlidingWindowLayer"}
    return f"its cache holds more than keys and values ({', '.join(sorted(odd))})" if odd else None


@contextmanager
def sharing(model, rows: list[list[int]], copies: int = 1) -> Iterator[None]:
    """Context in which a model reads shared prefixes of prompts once, if it supports that and it saves time.

    Args:
        rows: the tokens of every prompt. Their common prefix is read once, in the first batch.
        copies: completions of each prompt.
    """
    import torch

    low, high = min(rows), max(rows)
    most = min(map(len, rows)) - 1
    common = next((i for i in range(most) if low[i] != high[i]), most)
    pays = copies > 1 or (len(rows) > 1 and common * len(rows) > WORTH * sum(map(len, rows)))
    # Several processes with sharded weights must make equally many passes.
    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    if not (pays and alone) or why_not(model) is not None or not disagreement(model) <= TOLERANCE:
        yield
        return
    shared = SharedPrefix(backbone_of(model), low[:common] if common >= SHORTEST else ())
    try:
        yield
    finally:
        shared.remove()


def disagreement(model) -> float:
    """The deviation of states and gradients of a small batch from those without a shared prefix.

    Returns:
        The larger of two relative errors: of the states, and of the gradients of some trained weights, if any are.
    """
    import torch

    backbone = backbone_of(model)
    embedded = backbone.get_input_embeddings().weight
    ids = torch.randint(embedded.shape[0], (4, 24), generator=torch.Generator().manual_seed(0)).to(embedded.device)
    ids[:, :8] = ids[0, :8]
    ids[1::2, :16] = ids[::2, :16]
    mask = torch.ones_like(ids)
    mask[3, 20:] = 0
    trained = [weight for weight in model.parameters() if weight.requires_grad and torch.is_grad_enabled()]
    trained = trained[:4] + trained[4:][-4:]

    def states_and_gradients() -> list:
        states = backbone(ids, attention_mask=mask, use_cache=False).last_hidden_state.float()[mask.bool()]
        pull = torch.randn(states.shape, generator=torch.Generator().manual_seed(1)).to(states.device)
        gradients = torch.autograd.grad((states * pull).sum(), trained, allow_unused=True) if trained else []
        return [states.detach(), *(gradient for gradient in gradients if gradient is not None)]

    plain = states_and_gradients()
    shared = SharedPrefix(backbone, pass_cost=0)
    try:
        other = states_and_gradients()
    finally:
        shared.remove()
    return max(float((a - b).norm() / (a.norm() + 1e-12)) for a, b in zip(plain, other))
