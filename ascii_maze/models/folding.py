"""Folds adapters into the base's weights while a model reads or generates.

PEFT computes three matrix products, a copy and a sum where a single product with W + s B A in place of W suffices. The
results are equal up to rounding, so this is done in float32 only; modules with more than a plain LoRA (DoRA, a bias)
use PEFT's own code.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .quantisation import dequantised


def fold_for_generation(model) -> None:
    """Give a model on a CPU a `generate` whose weights are dequantised once, with the active adapters folded in.

    A small model spends most of its time there on launching small operations; one product of matrices takes the place
    of PEFT's three, a copy and a sum.
    """
    generate = model.generate

    @functools.wraps(generate)
    def generate_folded(*args, **kwargs):
        with dequantised(model), folded(model):
            return generate(*args, **kwargs)

    model.generate = generate_folded


class Folded:
    """Replaces the `forward` of a LoRA layer.

    The active adapters are looked up at the first call after `forget`.
    """

    def __init__(self, layer) -> None:
        """Install it in the layer, until `remove`."""
        self.layer = layer
        self.run: Any = None
        layer.forward = self

    def __call__(self, x, *arguments, **keywords):
        """The layer's `forward`."""
        if self.run is None:
            self.run = _product(self.layer) or type(self.layer).forward.__get__(self.layer)
        return self.run(x, *arguments, **keywords)

    def forget(self) -> None:
        """Discard the folded weight, since the active adapters have changed."""
        self.run = None

    def remove(self) -> None:
        """Restore the layer's own `forward`."""
        del self.layer.forward


@contextmanager
def folded(model) -> Iterator[None]:
    """Context in which a model's adapters run folded where possible; call `forget_folded` whenever they are switched.

    Args:
        model: PEFT's; if it is quantised, inside a `quantisation.dequantised` block.
    """
    from peft.tuners.lora import LoraLayer

    put = [
        Folded(module) for module in model.modules() if isinstance(module, LoraLayer) and "forward" not in vars(module)
    ]
    try:
        yield
    finally:
        for one in put:
            one.remove()


def forget_folded(module) -> None:
    """Discard the folded weights of a module, after a switch of its active adapters."""
    stand_in = vars(module).get("forward")
    if isinstance(stand_in, Folded):
        stand_in.forget()


def _product(layer):
    """The function that a LoRA layer computes, as one product; None if it is not one product, or not in float32."""
    import torch
    from torch.nn.functional import linear

    base = layer.get_base_layer()
    if layer.disable_adapters:
        return base
    if not isinstance(base, torch.nn.Linear):  # an embedding's matrices are elsewhere
        return None
    names = [name for name in layer.active_adapters if name in getattr(layer, "lora_A", ())]
    if not names:
        return base
    # In a 4-bit layer, the `forward` installed by `dequantised` has the weight.
    weight = getattr(vars(base).get("forward"), "weight", base.weight if type(base) is torch.nn.Linear else None)
    if weight is None or any(name in layer.lora_variant or layer.lora_bias[name] for name in names):
        return None
    if layer.training and any(type(layer.lora_dropout[name]) is not torch.nn.Identity for name in names):
        return None
    with (
        torch.inference_mode(False),
        torch.no_grad(),
    ):  # a backward pass may need it, which inference tensors do not allow
        deltas = [layer.get_delta_weight(name) for name in names]
        if any(each.dtype != torch.float32 for each in (weight, *deltas)):
            return None
        whole = weight + sum(deltas)
    return lambda x: linear(x, whole, base.bias)
