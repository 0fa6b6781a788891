"""Heads and MLPs as they write to the residual stream: their outputs, and the model run with replaced ones.

A head's output is a slice of the input of its layer's output projection, times the rows of that projection, so an
adapter on the projection counts as part of the heads that it changes. (Elhage et al., 2021.)
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import AsciiMazeError
from .models import ATTENTION, Models, watching
from .odds import log_odds
from .positions import TokenisedWalk
from .reading import read, starting_after

# The projection from the heads to the residual stream, by its names in various model families.
PROJECTIONS = ("o_proj", "out_proj", "c_proj", "dense", "wo")


class Part(NamedTuple):
    """One head, or the MLP, of a decoder layer.

    Attributes:
        layer: from 1 on.
        head: from 0 on; None is the MLP.
    """

    layer: int
    head: int | None


class Taps(NamedTuple):
    """The activations of one model on a batch.

    Attributes:
        per_layer: heads of a layer.
        states: after the embedding and each layer, (batch, tokens, width).
        heads: the input of each layer's output projection, (batch, tokens, inputs).
        mlps: the output of each MLP, (batch, tokens, width).
        weights: of each output projection, (inputs, width), the adapter included.
    """

    per_layer: int
    states: list
    heads: list
    mlps: list
    weights: list


def parts_of(models: Models) -> list[Part]:
    """All heads and MLPs, layer by layer."""
    heads = (*range(_heads(models)), None)
    return [Part(layer, head) for layer in range(1, len(models.layers) + 1) for head in heads]


def _heads(models: Models) -> int:
    return int(models.model.config.get_text_config().num_attention_heads)


def tap(models: Models, ids) -> Taps:
    """Run the active model over a whole batch, and keep the outputs of its heads and MLPs.

    Args:
        ids: int64 (batch, tokens).

    Raises:
        AsciiMazeError: they cannot be found in this family.
    """
    import torch

    taps = Taps(_heads(models), [], [], [], [])
    projections = [output_projection(layer) for layer in models.layers]
    keep = [
        projection.register_forward_pre_hook(lambda module, given: taps.heads.append(given[0]))
        for projection in projections
    ]

    def visit(site: str, layer: int, tensor) -> None:
        if site != "attention":
            (taps.states if site == "hidden" else taps.mlps).append(tensor)

    try:
        read(models, ids, None, visit, parts=True)
    finally:
        for hook in keep:
            hook.remove()
    for projection, given in zip(projections, taps.heads):
        width = given.shape[-1]
        if width % taps.per_layer:
            raise AsciiMazeError(f"{width} inputs of an output projection are not those of {taps.per_layer} heads")
        with torch.inference_mode():
            nothing, each = given.new_zeros(1, width), torch.eye(width, dtype=given.dtype, device=given.device)
            taps.weights.append(projection(each) - projection(nothing))
    return taps


def output_projection(layer) -> Any:
    """The module of a decoder layer through which its heads write.

    Raises:
        AsciiMazeError: there is none by a known name.
    """
    attention = next((child for name, child in layer.named_children() if name in ATTENTION), None)
    found = (
        next((child for name, child in attention.named_children() if name in PROJECTIONS), None) if attention else None
    )
    if found is None:
        raise AsciiMazeError(f"cannot find the heads of a {type(layer).__name__}")
    return found


def change_of(part: Part, after: Taps, before: Taps) -> Any:
    """A component's output in one model minus that in another: (batch, tokens, width)."""
    index = part.layer - 1
    if part.head is None:
        return after.mlps[index] - before.mlps[index]
    size = len(after.weights[index]) // after.per_layer
    inputs = slice(part.head * size, (part.head + 1) * size)
    written = (taps.heads[index][..., inputs] @ taps.weights[index][inputs] for taps in (after, before))
    return next(written) - next(written)


def run_with(models: Models, part: Part, change, own: Taps, ids) -> Any:
    """The last layer's states of the active model, (batch, tokens, width), with one component's output changed.

    Args:
        change: of its output, (batch, tokens, width).
        own: of the active model on this batch.
    """
    site = "mlp" if part.head is None else "attention"
    last: list = []

    def visit(where: str, layer: int, tensor):
        if where == "hidden":
            last[:] = [tensor]
        return tensor + change if (where, layer) == (site, part.layer) else None

    below = part.layer - 1
    with starting_after(models, below, own.states[below]):
        read(models, ids, None, visit, parts=True)
    return last[0]


def gradients(models: Models, ids, walks: Sequence[TokenisedWalk], asked: Sequence) -> tuple[list, list]:
    """The gradient of the log odds of right moves by the outputs of attention and MLP of each layer, active model.

    Args:
        ids: int64 (batch, tokens).
        walks: those of the batch; `asked` is of each, of `odds.asked_moves`.

    Returns:
        For attention and for MLP, of each layer (batch, tokens, width).
    """
    import torch

    seen: dict[str, list] = {"hidden": [], "attention": [], "mlp": []}

    def visit(site: str, layer: int, tensor):
        if (site, layer) == ("hidden", 0):
            return tensor.detach().requires_grad_()
        seen[site].append(tensor)
        return None

    device = models.model.device
    with torch.enable_grad():
        with watching(models, visit, parts=True):
            models.model(input_ids=ids.to(device), use_cache=False, logits_to_keep=1)
        total = log_odds(models, seen["hidden"][-1], walks, asked).sum()
        found = torch.autograd.grad(total, [*seen["attention"], *seen["mlp"]])
    return list(found[: len(models.layers)]), list(found[len(models.layers) :])


def attribute(parts: Sequence[Part], after: Taps, before: Taps, slopes: tuple[list, list]) -> np.ndarray:
    """The effect of every component's change on the log odds of right moves, to first order.

    Args:
        parts: of `parts_of`.
        slopes: of `gradients`, under one of the two models.

    Returns:
        float64 (components, batch).
    """
    heads = []
    for index, slope in enumerate(slopes[0]):
        # The gradient by the projection's input: all heads at once, without a tensor for each.
        sides = [of.heads[index] * (slope @ of.weights[index].T) for of in (after, before)]
        change = (sides[0] - sides[1]).unflatten(-1, (after.per_layer, -1))
        heads.append(change.sum(dim=(1, 3)).double().cpu().numpy())  # (batch, heads)
    mlps = [
        ((one - other) * slope).sum(dim=(1, 2)).double().cpu().numpy()
        for one, other, slope in zip(after.mlps, before.mlps, slopes[1])
    ]
    return np.array([mlps[p.layer - 1] if p.head is None else heads[p.layer - 1][:, p.head] for p in parts])
