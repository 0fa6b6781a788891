"""What an adapter adds to the base's weights: how much, in how many directions, and which of them adapters share."""

import itertools

import numpy as np

from .models import Models
from .schema import Overlap
from .similarity import entropy_rank


def updates(models: Models, name: str) -> list[dict]:
    """Every weight update dW = s B A of an adapter, in the order of the layers; dW is never materialised.

    Returns:
        For each module `module`, its name; `layer`, of 1 to the number of decoder layers, None outside them; `kind`,
        the last part of its name; `norm`, the Frobenius norm of dW, and `relative`, its ratio to the base weight's;
        `effective_rank` of dW; `columns` (outputs, rank), an orthonormal basis of its column space, not for JSON.
        With DoRA it is the direction's part of the update.
    """
    import torch
    from peft.tuners.lora import LoraLayer
    from peft.utils.integrations import dequantize_module_weight

    layer_of = {id(module): number for number, layer in enumerate(models.layers, 1) for module in layer.modules()}
    found = []
    for path, module in models.model.named_modules():
        if not isinstance(module, LoraLayer) or name not in module.lora_B:
            continue
        with torch.no_grad():
            b = module.lora_B[name].weight.double().cpu().numpy() * module.scaling[name]
            a = module.lora_A[name].weight.double().cpu().numpy()
            base = float(dequantize_module_weight(module.get_base_layer()).float().norm())
        values, columns = factor(b, a)
        norm = float(np.sqrt((values**2).sum()))
        found.append(
            {
                "module": path.removeprefix("base_model.model."),
                "layer": layer_of.get(id(module)),
                "kind": path.rsplit(".", 1)[-1],
                "norm": norm,
                "relative": norm / base,
                "effective_rank": entropy_rank(values),
                "columns": columns,
            }
        )
    return found


def factor(b: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values of B A, largest first, and the orthonormal basis (outputs, rank) of its column space.

    Args:
        b: float64 (outputs, r).
        a: float64 (r, inputs).
    """
    from scipy.linalg import qr, svd

    left, upper = qr(b, mode="economic")
    lower = qr(a.T, mode="r")[0][: a.shape[0]].T
    turned, values, _ = svd(upper @ lower, full_matrices=False)
    rank = int((values > values.max(initial=0.0) * 1e-6).sum()) if values.any() else 0
    return values, left @ turned[:, :rank]


def overlap(one: np.ndarray, two: np.ndarray) -> float | None:
    """How much of the smaller of two column spaces lies in the other, 0-1: the mean squared cosine of their principal
    angles (Björck & Golub, 1973). None where one has no direction.
    """
    from scipy.linalg import subspace_angles

    if not one.shape[1] or not two.shape[1]:
        return None
    return float((np.cos(subspace_angles(one, two)) ** 2).mean())


def overlaps(updates_by_name: dict[str, list[dict]]) -> list[Overlap]:
    """`overlap` of every two adapters at every module that both change.

    Returns:
        For each: `a`, `b`, `module`, `layer`, `kind`, `overlap`, and `by_chance`, what random subspaces of those
        dimensions share on average.
    """
    found: list[Overlap] = []
    for (a, first), (b, second) in itertools.combinations(updates_by_name.items(), 2):
        others = {update["module"]: update for update in second}
        for mine in first:
            theirs = others.get(mine["module"])
            if theirs is None:
                continue
            shared = overlap(mine["columns"], theirs["columns"])
            if shared is not None:
                larger = max(mine["columns"].shape[1], theirs["columns"].shape[1])
                found.append(
                    {
                        "a": a,
                        "b": b,
                        "module": mine["module"],
                        "layer": mine["layer"],
                        "kind": mine["kind"],
                        "overlap": shared,
                        "by_chance": larger / len(mine["columns"]),
                    }
                )
    return found
