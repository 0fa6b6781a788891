"""What an adapter adds to the base's weights: how much, in how many directions, and which of them adapters share."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np

from .models import BASE, Models
from .schema.weights import Alignment, Overlap, Update
from .similarity import entropy_rank


class FactoredUpdate(Update):
    """What an adapter adds to one module, with the arrays that mri.json does not hold.

    Attributes:
        columns: float (outputs, rank), an orthonormal basis of dW's column space.
        factors: (outputs, r) and (r, inputs), whose product is dW.
    """

    columns: np.ndarray
    factors: tuple[np.ndarray, np.ndarray]


def updates(models: Models, name: str, start: str = BASE) -> list[FactoredUpdate]:
    """Every weight update dW = s B A of an adapter, in the order of the layers; dW is never materialised.

    With DoRA it is the direction's part of the update.

    Args:
        start: another adapter, whose update is subtracted.
    """
    import torch
    from peft.tuners.lora import LoraLayer
    from peft.utils.integrations import dequantize_module_weight

    layer_of = {id(module): number for number, layer in enumerate(models.layers, 1) for module in layer.modules()}
    found: list[FactoredUpdate] = []
    for path, module in models.model.named_modules():
        if not isinstance(module, LoraLayer) or not {name, start} & set(module.lora_B):
            continue
        with torch.no_grad():
            base = float(dequantize_module_weight(module.get_base_layer()).float().norm())
        b, a = _product(module, name, start)
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
                "factors": (b, a),
            }
        )
    return found


def _product(module, name: str, start: str) -> tuple[np.ndarray, np.ndarray]:
    """Factors (outputs, r) and (r, inputs) of an adapter's update of a module, minus the start's."""
    left, right = [], []
    for adapter, sign in ((name, 1.0), (start, -1.0)):
        if adapter in module.lora_B:
            left.append(module.lora_B[adapter].weight.detach().double().cpu().numpy() * sign * module.scaling[adapter])
            right.append(module.lora_A[adapter].weight.detach().double().cpu().numpy())
    b, a = np.concatenate(left, axis=1), np.concatenate(right)
    if len(left) == 2 and np.array_equal(left[0], -left[1]) and np.array_equal(*right):
        b[:] = 0.0  # equal updates must differ by exactly 0
    return b, a


def is_product(models: Models, name: str) -> bool:
    """Whether an adapter is products of two factors and nothing else, so that `randomised` replaces all of it."""
    config = models.model.peft_config[name]
    return not (config.use_dora or config.modules_to_save or config.trainable_token_indices)


@contextmanager
def randomised(models: Models, name: str, seed: int, start: str = BASE) -> Iterator[None]:
    """Within the block each update of an adapter is replaced by a random one of the same rank and Frobenius norm.

    Args:
        start: another adapter, whose update is subtracted before the norm is taken.
    """
    import torch
    from peft.tuners.lora import LoraLayer

    rng = torch.Generator().manual_seed(seed)
    kept = []
    for module in models.model.modules():
        if not isinstance(module, LoraLayer) or name not in module.lora_B:
            continue
        pair = [module.lora_A[name].weight, module.lora_B[name].weight]
        kept += [(weight, weight.data) for weight in pair]
        a, b = (torch.randn(weight.shape, generator=rng) for weight in pair)
        change, drawn = (
            np.sqrt(max(0.0, inner(factors, factors)))
            for factors in (_product(module, name, start), (b.double().numpy(), a.double().numpy()))
        )
        scaling = module.scaling[name]
        b *= float(change / drawn) / scaling if scaling else 0.0
        for weight, data in zip(pair, (a, b)):
            weight.data = data.to(weight)
    try:
        yield
    finally:
        for weight, data in kept:
            weight.data = data


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


def inner(one: tuple[np.ndarray, np.ndarray], two: tuple[np.ndarray, np.ndarray]) -> float:
    """The inner product of two updates, each given as factors (outputs, r) and (r, inputs)."""
    return float(((one[0].T @ two[0]) * (one[1] @ two[1].T)).sum())


def cosine(first: Sequence[FactoredUpdate], second: Sequence[FactoredUpdate]) -> float | None:
    """The cosine of two adapters' updates over some modules, taken as one vector each; None where one is zero.

    Args:
        first: of `updates`, or some of them; so is `second`. A module that one of them lacks counts as zero there.
    """
    others = {update["module"]: update for update in second}
    both = [(mine, others[mine["module"]]) for mine in first if mine["module"] in others]
    product = sum(inner(mine["factors"], theirs["factors"]) for mine, theirs in both)
    norms = [np.sqrt(sum(update["norm"] ** 2 for update in each)) for each in (first, second)]
    return float(product / (norms[0] * norms[1])) if all(norms) else None


def align(updates_by_name: Mapping[str, list[FactoredUpdate]], reference: str, layers: int) -> list[Alignment]:
    """The cosine of every two adapters' updates: of all weights, of each layer, and of each kind of module.

    Random directions in such high dimension have a cosine of nearly 0.

    Args:
        updates_by_name: of `updates`, all relative to the same reference.
        layers: the number of decoder layers.
    """
    kinds = list(dict.fromkeys(one["kind"] for found in updates_by_name.values() for one in found))
    return [
        Alignment(
            a=a,
            b=b,
            reference=reference,
            whole=cosine(first, second),
            by_layer=[cosine(*(_of(each, "layer", n) for each in (first, second))) for n in range(1, layers + 1)],
            by_kind={kind: cosine(*(_of(each, "kind", kind) for each in (first, second))) for kind in kinds},
        )
        for (a, first), (b, second) in itertools.combinations(updates_by_name.items(), 2)
    ]


def _of(updates: Sequence[FactoredUpdate], key: Literal["layer", "kind"], value) -> list[FactoredUpdate]:
    return [update for update in updates if update[key] == value]


def overlap(one: np.ndarray, two: np.ndarray) -> float | None:
    """The share of the smaller of two column spaces that is in the other, 0-1: the mean squared cosine of their
    principal angles (Björck & Golub, 1973). None where one has no direction.
    """
    from scipy.linalg import subspace_angles

    if not one.shape[1] or not two.shape[1]:
        return None
    return float((np.cos(subspace_angles(one, two)) ** 2).mean())


def overlaps(updates_by_name: Mapping[str, list[FactoredUpdate]]) -> list[Overlap]:
    """`overlap` of every two adapters at every module that both change."""
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
