"""Activation patching: the base runs with the hidden states of a fine-tune at one layer.

Patched at every position after layer l, the base is the fine-tune up to layer l and itself above it. While it
generates, the adapter is therefore enabled in those layers only, which is equivalent (a test compares the two). Along
the reference solution states are actually replaced, everywhere or at the positions of the prompt or of the answer
only, and only what lies above the layer is computed. (Vig et al., 2020; Meng et al., 2022.)

No answer is generated where every move of the reference solution, and then the end, is the most likely token: the
answer is that solution. One forward pass over all walks finds these, and saves most of the time.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np

from ..metrics.path_validity.scoring import score_path
from ..models.generation import Decoding, answer_mazes
from .activations import Activations, states_at
from .lens import read_out
from .models import BASE, Models
from .positions import TokenisedWalk
from .reading import (
    BATCH,
    Batch,
    Prefix,
    Recording,
    batches,
    cut_prefix,
    patch_prefix,
    read,
    read_from,
    read_prefix,
    record,
)
from .schema.causes import Accuracy

# Which positions are patched: those before the answer's first move is decided, or those from there on.
ROLES = ("prompt", "answer")


def own_answers(
    models: Models, activations: Activations, name: str, rows: Sequence[dict], walks: Sequence[TokenisedWalk]
):
    """Greedy answers of one model; its stored last layer says which are the reference solution."""
    models.switch(name)
    last = activations.layers - 1
    states = activations.read(name, last, "moves"), activations.read(name, last, "answer_end")
    return _answers(models, rows, walks, _right(models, walks, *states))


def patched_answers(
    models: Models, recorded: Recording, layer: int, rows: Sequence[dict], walks: Sequence[TokenisedWalk]
) -> list[str]:
    """Greedy answers of the base with the hidden states of a fine-tune after a layer, at every position.

    Args:
        recorded: the fine-tune on these walks.
    """
    models.switch(BASE)
    right: list = [None] * len(walks)
    prefix = patch_prefix(models, recorded.prefix, layer)
    for batch in recorded.batches:
        for index, each in zip(batch.chosen, _read_on(models, batch, layer, batch.states[layer], prefix)):
            right[index] = each
    models.switch(recorded.name, range(layer + 1))
    return _answers(models, rows, walks, right)


def partial_answers(
    models: Models, name: str, stages: range, rows: Sequence[dict], walks: Sequence[TokenisedWalk]
) -> list[str]:
    """Greedy answers of the base with an adapter in some layers only; see `Models.switch`."""
    models.switch(name, stages)
    ids, cut = cut_prefix(models, walks)
    prefix, right = read_prefix(models, ids), [np.zeros(0, dtype=bool)] * len(walks)
    for chosen, tokens, mask in batches(cut, BATCH):
        last: deque = deque(maxlen=1)
        read(models, tokens, mask, prefix, lambda site, here, hidden, last=last: last.append(hidden))
        for index, each in zip(chosen, _judge(models, [cut[index] for index in chosen], last[0])):
            right[index] = each
    return _answers(models, rows, walks, right)


def solved(rows: Sequence[dict], completions: Sequence[str]) -> np.ndarray:
    """Which answers are valid, bool (n,)."""
    return np.array([score_path(row["maze"], answer).valid for row, answer in zip(rows, completions)])


def patched_accuracy(
    models: Models, name: str, walks: Sequence[TokenisedWalk], layers: Sequence[int] | None = None
) -> Accuracy:
    """The share of right next moves along the reference solution, with the base patched at one layer at a time.

    Args:
        layers: that are patched, of 0 (the embedding's output) to the last; all by default.

    Returns:
        By role, layer 0 to the last, None where it was not patched; `base` and `fine_tune` are the share without
        patching, as a list of one.
    """
    last, moves = len(models.layers), sum(len(walk.moves) for walk in walks)
    layers = range(last + 1) if layers is None else layers
    tuned, base = (record(models, model, walks) for model in (name, BASE))  # the base stays active
    hits = {role: dict.fromkeys(layers, 0) for role in ROLES}
    for layer in layers:
        prefixes = {"prompt": patch_prefix(models, tuned.prefix, layer), "answer": base.prefix}
        for one, other in zip(tuned.batches, base.batches):
            for role in ROLES:
                where = _positions(one.walks, one.ids.shape, role).to(models.model.device)
                mixed = one.states[layer].where(where[..., None], other.states[layer])
                hits[role][layer] += _moves_right(_read_on(models, one, layer, mixed, prefixes[role]))
    plain = {}
    for model, recorded in ((BASE, base), (name, tuned)):
        models.switch(model)  # with its own norm and head
        plain[model] = sum(_moves_right(_judge(models, batch.walks, batch.states[last])) for batch in recorded.batches)
    prompt, answer = (
        [counts[n] / moves if n in counts else None for n in range(last + 1)] for counts in hits.values()
    )
    return Accuracy(
        prompt=prompt,
        answer=answer,
        base=[plain[BASE] / moves],
        fine_tune=[plain[name] / moves],
    )


def _positions(walks: Sequence[TokenisedWalk], shape: tuple[int, int], role: str):
    """The positions of a role in a batch, bool (batch, tokens)."""
    import torch

    before = torch.arange(shape[1]) < torch.tensor([walk.last_prompt for walk in walks])[:, None]
    return before if role == "prompt" else ~before


def _read_on(models: Models, batch: Batch, layer: int, states, prefix: Prefix | None) -> list[np.ndarray]:
    """Run the active model from states (batch, tokens, width) after a layer on: for each walk as `_right`."""
    return _judge(models, batch.walks, read_from(models, batch, layer, states, prefix))


def _judge(models: Models, walks: Sequence[TokenisedWalk], states) -> list[np.ndarray]:
    """Of the last layer's states (batch, tokens, width), for each walk as `_right`."""
    ends = states_at(states, [np.array([walk.answer_end]) for walk in walks])
    return _right(models, walks, states_at(states, [walk.moves for walk in walks]), ends)


def _right(models: Models, walks: Sequence[TokenisedWalk], moves: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    """For each walk, bool (moves + 1,): whether each move, and then the end, is the most likely token.

    Args:
        moves: float32 (sum of moves, width), the last layer's states.
        ends: float32 (walks, width).
    """
    chosen, stops = (
        np.concatenate([logits.argmax(-1).cpu().numpy() for _, logits in read_out(models, states)])
        for states in (moves, ends)
    )
    right = chosen == np.concatenate([walk.ids[walk.moves + 1] for walk in walks])
    ended = np.isin(stops, models.ends)
    parts = np.split(right, np.cumsum([len(walk.moves) for walk in walks])[:-1])
    return [np.append(part, stop) for part, stop in zip(parts, ended)]


def _moves_right(right: Sequence[np.ndarray]) -> int:
    return sum(int(each[:-1].sum()) for each in right)


def _answers(
    models: Models, rows: Sequence[dict], walks: Sequence[TokenisedWalk], right: Sequence[np.ndarray]
) -> list[str]:
    """The reference solution where the model would give it, and generated text elsewhere."""
    texts = [models.tokenizer.decode(walk.ids[walk.last_prompt + 1 :], skip_special_tokens=True) for walk in walks]
    others = [index for index, each in enumerate(right) if not each.all()]
    asked, decoding = [rows[index] for index in others], Decoding(batch_size=256)
    for index, (text,) in zip(others, answer_mazes(models.model, models.tokenizer, asked, decoding)):
        texts[index] = text
    return texts
