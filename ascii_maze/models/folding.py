"""Adapters folded into the weights they belong to, while they read or generate.

PEFT runs three products of matrices, a copy and a sum where one product does, with W + s B A in the place of W. The
numbers are the same up to rounding, so it is done in float32 alone; a module with more than a plain LoRA on it (DoRA,
a bias) runs as PEFT has it.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .quantisation import dequantised


def fold_for_generation(model) -> None:
    """Give a model on a CPU a `generate` whose weights are dequantised once, with the adapters at work folded in.

    A small model spends most of its time there on calls of small operations, of which this leaves a quarter.
    """
    generate = model.generate

    @functools.wraps(generate)
    def generate_folded(*args, **kwargs):
        with dequantised(model), folded(model):
            return generate(*args, **kwargs)

    model.generate = generate_folded


class Folded:
    """Stands in for the `forward` of a LoRA layer.

    What is at work there is looked up at the first call after `forget`.
    """

    def __init__(self, layer) -> None:
        """Put it there; `remove` takes it away."""
        self.layer = layer
        self.run: Any = None
        layer.forward = self

    def __call__(self, x, *arguments, **keywords):
        """The layer's `forward`."""
        if self.run is None:
            self.run = _product(self.layer) or type(self.layer).forward.__get__(self.layer)
        return self.run(x, *arguments, **keywords)

    def forget(self) -> None:
        """Another adapter, or none, is at work from here on."""
        self.run = None

    def remove(self) -> None:
        """Give the layer its own `forward` back."""
        del self.layer.forward


@contextmanager
def folded(model) -> Iterator[None]:
    """While it lasts, the adapters of a model run folded where they can; `forget_folded` whenever they are switched.

    Args:
        model: PEFT's, in a block of `quantisation.dequantised` if it is quantised.
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
    """Say that other adapters are at work in a module."""
    stand_in = vars(module).get("forward")
    if isinstance(stand_in, Folded):
        stand_in.forget()


def _product(layer):
    """The function that a LoRA layer computes, as one product; None where it is not one, or not in float32."""
    import torch
    from torch.nn.functional import linear

    base = layer.get_base_layer()
    if layer.disable_adapters:
        return base
    names = [name for name in layer.active_adapters if name in getattr(layer, "lora_A", ())]
    if not names:
        return base
    # What `dequantised` has put in the place of a 4-bit layer knows its weight.
    weight = getattr(vars(base).get("forward"), "weight", base.weight if type(base) is torch.nn.Linear else None)
    if weight is None or any(name in layer.lora_variant or layer.lora_bias[name] for name in names):
        return None
    if layer.training and any(type(layer.lora_dropout[name]) is not torch.nn.Identity for name in names):
        return None
    with torch.inference_mode(False), torch.no_grad():  # a pass back may need it, where tensors of inference are not
        deltas = [layer.get_delta_weight(name) for name in names]
        if any(each.dtype != torch.float32 for each in (weight, *deltas)):
            return None
        whole = weight + sum(deltas)
    return lambda x: linear(x, whole, base.bias)
