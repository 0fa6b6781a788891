"""Runs the active model over walks without computing anything twice.

The common prefix of all walks, such as the rules, is read once per model: in a causal model the states of a prefix do
not depend on what follows. A model whose states are replaced after a layer is computed from that layer on. Both are
exact up to rounding; if the first is not (see `models.shared_prefix.why_not`), walks are read whole.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..models.shared_prefix import SHORTEST, TOLERANCE, backbone_of, disagreement, why_not, window_of
from .models import Models, watching
from .positions import TokenisedWalk

BATCH = 32  # walks per batch: larger batches are no faster on a CPU, and have more padding
TOGETHER = 8  # walks per batch of tails: their prompts are similar, so a tail contains little of the prompt


class Prefix(NamedTuple):
    """The common prefix of all walks as one model reads it; or a prefix for each row of a batch, see `tail_of`.

    Attributes:
        ids: int64 (tokens,); if rows differ, only their number is used.
        caches: key and value of each layer, (1 or batch, heads, tokens, size) each.
        states: of the embedding and of each layer, (1, tokens, width).
    """

    ids: np.ndarray
    caches: list[tuple[Any, Any]]
    states: list


class Batch(NamedTuple):
    """A batch as one model has read it.

    Attributes:
        chosen: the indices of its walks.
        walks: those walks, without the prefix.
        ids: int64 (batch, tokens), padded on the right.
        states: of the embedding and of each layer, (batch, tokens, width).
        caches: key and value of each layer, (batch, heads, tokens of prefix and row, size) each; none unless kept.
    """

    chosen: list[int]
    walks: list[TokenisedWalk]
    ids: Any
    states: list
    caches: Sequence[tuple[Any, Any]] = ()


class Recording(NamedTuple):
    """All states of one model on some walks; 2 MB per walk for 30 layers of 576 and 60 tokens.

    Attributes:
        name: of the model.
        prefix: None where the walks are read whole.
        batches: longest walks first.
    """

    name: str
    prefix: Prefix | None
    batches: list[Batch]


def reaches_back(models: Models, longest: int) -> bool:
    """Whether keys and values of tokens already read can be used for later ones, in rows of this many tokens."""
    return why_not(models.model) is None and longest < window_of(backbone_of(models.model))


def cut_prefix(models: Models, walks: Sequence[TokenisedWalk]) -> tuple[np.ndarray, list[TokenisedWalk]]:
    """The common prefix of all walks, if reading it once is exact and saves time, and the walks without it.

    Returns:
        int64 (tokens,), empty if walks are to be read whole; and walks with positions counted from its end.
    """
    import torch

    most = min(int(walk.maze[0]) for walk in walks)  # every position that is recorded comes after it
    heads = np.array([walk.ids[:most] for walk in walks])
    differ = (heads != heads[0]).any(axis=0)
    common = int(differ.argmax()) if differ.any() else most
    if common < SHORTEST or not reaches_back(models, max(len(walk.ids) for walk in walks)):
        return np.zeros(0, dtype=np.int64), list(walks)
    with torch.inference_mode():
        if not disagreement(models.model) <= TOLERANCE:
            return np.zeros(0, dtype=np.int64), list(walks)
    return heads[0, :common], [_cut(walk, common) for walk in walks]


def _cut(walk: TokenisedWalk, count: int) -> TokenisedWalk:
    return replace(
        walk,
        ids=walk.ids[count:],
        last_prompt=walk.last_prompt - count,
        start=walk.start - count,
        goal=walk.goal - count,
        maze=walk.maze - count,
        moves=walk.moves - count,
        answer_end=walk.answer_end - count,
        cells=walk.cells - count,
    )


def batches(walks: Sequence[TokenisedWalk], batch_size: int) -> Iterator[tuple[list[int], Any]]:
    """Batches of walks of similar length, longest first: indices, and token ids (batch, tokens).

    They are padded on the right, and need no mask: in a causal model no token sees what follows it.
    """
    import torch

    order = sorted(range(len(walks)), key=lambda index: len(walks[index].ids), reverse=True)
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        ids = torch.zeros(len(chosen), len(walks[chosen[0]].ids), dtype=torch.long)
        for row, index in enumerate(chosen):
            ids[row, : len(walks[index].ids)] = torch.from_numpy(walks[index].ids)
        yield chosen, ids


def read_prefix(models: Models, ids: np.ndarray) -> Prefix | None:
    """Read the common prefix of all walks with the active model; None if it is empty."""
    if not len(ids):
        return None
    states: list = []
    caches = _fill(models, ids, lambda site, layer, hidden: states.append(hidden))
    return Prefix(ids, caches, states)


def patch_prefix(models: Models, prefix: Prefix | None, layer: int) -> Prefix | None:
    """The prefix as the active model continues it from another model's states after a layer."""
    if prefix is None:
        return None
    with starting_after(models, layer, prefix.states[layer]):
        caches = _fill(models, prefix.ids)
    return Prefix(prefix.ids, [*prefix.caches[:layer], *caches[layer:]], prefix.states)


def _fill(models: Models, ids: np.ndarray, visit: Callable | None = None) -> list[tuple[Any, Any]]:
    """Run the active model over one row, and return the keys and values of each layer; None where it was skipped."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache(config=models.model.config.get_text_config())
    tokens = torch.from_numpy(ids)[None].to(models.model.device)
    with watching(models, visit or _ignore), torch.inference_mode():
        models.model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return [(layer.keys, layer.values) for layer in cache.layers]


def read(
    models: Models,
    ids,
    prefix: Prefix | None = None,
    visit: Callable | None = None,
    parts: bool = False,
    keep: bool = False,
) -> list[tuple[Any, Any]]:
    """Run the active model over a batch, and pass its hidden states to `visit`; see `models.watching`.

    Args:
        ids: int64 (batch, tokens), without the prefix.
        prefix: as the active model reads it.
        parts: also pass what attention and MLP add.
        keep: also keep keys and values.

    Returns:
        Those of each layer if they are kept, as in `Batch`; None in place of tensors if a layer was skipped.
    """
    import torch
    from transformers import DynamicCache

    device, past = models.model.device, {}
    if keep or prefix is not None:
        past = {"past_key_values": DynamicCache(config=models.model.config.get_text_config())}
    if prefix is not None:
        for layer, (keys, values) in enumerate(prefix.caches):
            rows = (x.expand(len(ids), -1, -1, -1) for x in (keys, values))
            past["past_key_values"].update(*rows, layer)
    with watching(models, visit or _ignore, parts), torch.inference_mode():
        models.model(input_ids=ids.to(device), use_cache=bool(past), logits_to_keep=1, **past)
    return [(layer.keys, layer.values) for layer in past["past_key_values"].layers] if keep else []


def record(
    models: Models, name: str, walks: Sequence[TokenisedWalk], batch_size: int = BATCH, keep: bool = False
) -> Recording:
    """Every state of one model on walks, whose prefix is read once.

    Args:
        keep: also keep keys and values, if they can be used.
    """
    models.switch(name)
    prefix, found = read_walks(models, walks, batch_size, keep)
    return Recording(name, prefix, list(found))


def read_walks(
    models: Models, walks: Sequence[TokenisedWalk], batch_size: int = BATCH, keep: bool = False
) -> tuple[Prefix | None, Iterator[Batch]]:
    """The prefix of walks as the active model reads it, and an iterator over batches of them.

    Args:
        keep: also keep keys and values, if they can be used.
    """
    ids, cut = cut_prefix(models, walks)
    prefix, keep = read_prefix(models, ids), keep and reaches_back(models, max(len(walk.ids) for walk in walks))
    return prefix, (read_batch(models, cut, *batch, prefix, keep) for batch in batches(cut, batch_size))


def read_batch(
    models: Models, walks: Sequence[TokenisedWalk], chosen: list[int], ids, prefix: Prefix | None, keep: bool
) -> Batch:
    """A batch of `batches` as the active model reads it, with the states of all layers.

    Args:
        walks: without the prefix; the batch has the chosen ones of them.
        prefix: as the active model reads it.
        keep: also keep keys and values.
    """
    states: list = []
    caches = read(models, ids, prefix, lambda site, layer, hidden: states.append(hidden), keep=keep)
    return Batch(chosen, [walks[index] for index in chosen], ids, states, caches)


def read_from(models: Models, batch: Batch, layer: int, states, prefix: Prefix | None, keep: bool = False) -> Batch:
    """The batch as the active model reads it from states of a layer on.

    Args:
        batch: with the keys and values up to that layer, if these are kept.
        states: after that layer, (batch, tokens, width).
        prefix: as the active model continues it.
        keep: also keep keys and values.

    Returns:
        The batch, of its states only the last layer's.
    """
    last: deque = deque(maxlen=1)
    with starting_after(models, layer, states):
        above = read(models, batch.ids, prefix, lambda site, here, hidden: last.append(hidden), False, keep)
    return batch._replace(states=list(last), caches=[*batch.caches[:layer], *above[layer:]])


def tail_of(batch: Batch, prefix: Prefix | None) -> tuple[Batch, Prefix | None]:
    """The columns of a batch from the first end of a prompt on, and the columns before as a prefix.

    Changes from there on do not affect the columns before, which therefore need not be read again.

    Args:
        batch: with the keys and values of the model that will read it; without them both are returned unchanged.
        prefix: of the batch.
    """
    if not batch.caches:
        return batch, prefix
    column = min(walk.last_prompt for walk in batch.walks)
    before = column + (0 if prefix is None else len(prefix.ids))
    walks, states = [_cut(walk, column) for walk in batch.walks], [each[:, column:] for each in batch.states]
    caches = [(keys[:, :, :before], values[:, :, :before]) for keys, values in batch.caches]
    return Batch(batch.chosen, walks, batch.ids[:, column:], states), Prefix(
        np.zeros(before, dtype=np.int64), caches, []
    )


@contextmanager
def starting_after(models: Models, layer: int, states) -> Iterator[None]:
    """Within the block the model computes only the layers above a given one, from the given states of that one.

    Args:
        layer: 0 is the embedding's output, which is computed, and replaced.
        states: (batch, tokens, width), of the batch that will be read.
    """
    wrapped = _returns_tuples(models) if layer else False

    def give(value):
        return (value,) if wrapped else value

    def passing(hidden_states, *arguments, **keywords):
        return give(hidden_states)

    def replaced(*arguments, **keywords):
        return give(states)

    skipped = models.layers[:layer]
    for module in skipped:
        module.forward = replaced if module is skipped[-1] else passing
    try:
        with watching(models, lambda site, here, hidden: states if here == layer == 0 else None):
            yield
    finally:
        for module in skipped:
            del module.forward


def _returns_tuples(models: Models) -> bool:
    """Whether decoder layers return tuples, as in some families, instead of a tensor."""
    import torch

    found: list[bool] = []
    hook = models.layers[0].register_forward_hook(lambda module, given, output: found.append(type(output) is tuple))
    try:
        with torch.inference_mode():
            models.model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=models.model.device), use_cache=False)
    finally:
        hook.remove()
    return found[0]


def _ignore(site: str, layer: int, hidden) -> None:
    """A visitor that changes nothing."""
