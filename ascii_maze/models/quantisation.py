"""Corrects training with 4-bit weights, and makes them generate fast on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager


class Dequantised:
    """The `forward` of a 4-bit layer whose weight, (outputs, inputs), is stored in the computing precision."""

    def __init__(self, weight, bias) -> None:
        self.weight, self.bias = weight, bias

    def __call__(self, x):
        """The product of x (..., inputs) and the weight, in the precision of x: (..., outputs)."""
        from torch.nn.functional import linear

        return linear(x.to(self.weight.dtype), self.weight, self.bias).to(x.dtype)


@contextmanager
def dequantised(model) -> Iterator[None]:
    """Context in which a model's 4-bit weights are dequantised once; bitsandbytes does so at every call.

    On a CPU that is most of the time of generation with a small model. The results are the same; the weights take
    their full size in memory. A nested block has no effect.
    """
    try:
        from bitsandbytes.functional import dequantize_4bit
        from bitsandbytes.nn import Linear4bit
    except ImportError:
        yield
        return

    layers = [m for m in model.modules() if isinstance(m, Linear4bit) and "forward" not in vars(m)]
    for layer in layers:
        weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(layer.compute_dtype or model.dtype)
        layer.forward = Dequantised(weight, layer.bias)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def keep_trainable_on_cpu(model) -> None:
    """Stop bitsandbytes from repacking 4-bit weights for a CPU kernel that has no gradient.

    On CPUs with AVX512-BF16 a forward pass in eval mode repacks every `Linear4bit`, `train()` does not undo it, and
    from then on gradients are wrong without an error (bitsandbytes 0.50): an evaluation during training would ruin
    the run.
    """
    try:
        from bitsandbytes.nn import Linear4bit
    except ImportError:
        return
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def trained_weights(model) -> dict:
    """Copies of an adapter's weights by name, for `restore_weights`; empty if the whole model is trained."""
    if not hasattr(model, "peft_config"):
        return {}
    return {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}


def restore_weights(model, weights: dict) -> None:
    """Restore an adapter's precision, which TRL reduces, in place; call it before the optimizer is created.

    TRL casts the adapter on a 4-bit base to bfloat16. In that precision AdamW steps with a small learning rate are
    lost to rounding; a policy would differ at the start from its reference model, which is copied before the cast; and
    a resumed run, whose adapter is loaded from the checkpoint in float32, would differ from an uninterrupted one.
    """
    parameters = dict(model.named_parameters())
    for name, weight in weights.items():
        parameters[name].data = weight.float().to(parameters[name].device)
