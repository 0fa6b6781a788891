"""Activation patching: the base runs with the hidden states of a fine-tune at one layer.

Patched at every position after layer l, the base is the fine-tune up to layer l and itself above it. For answers the
adapter is therefore enabled in those layers only, which is equivalent (a test compares the two). Along the reference
solution states are actually replaced, at the positions of the prompt or of the answer only. (Vig et al., 2020; Meng et
al., 2022.)

No answer is generated where every move of the reference solution, and then the end, is the most likely token: the
answer is that solution. One forward pass over all walks finds these, and saves most of the time.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ..metrics.path_validity.scoring import score_path
from ..models.generation import Decoding, answer_mazes
from .activations import Activations, batches, states_at
from .lens import read_out
from .models import BASE, Models, watching
from .positions import TokenisedWalk
from .schema import Accuracy

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
    models: Models, name: str, layer: int, rows: Sequence[dict], walks: Sequence[TokenisedWalk], batch_size: int = 64
) -> list[str]:
    """Greedy answers of the base with the hidden states of `name` after a layer, at every position."""
    models.switch(name, range(layer + 1))
    right: list = [None] * len(walks)
    for chosen, ids, mask in batches(walks, batch_size):
        of_batch = [walks[index] for index in chosen]
        for index, each in zip(chosen, _read(models, of_batch, ids, mask)):
            right[index] = each
    return _answers(models, rows, walks, right)


def solved(rows: Sequence[dict], completions: Sequence[str]) -> np.ndarray:
    """Which answers are valid, bool (n,)."""
    return np.array([score_path(row["maze"], answer).valid for row, answer in zip(rows, completions)])


def patched_accuracy(models: Models, name: str, walks: Sequence[TokenisedWalk], batch_size: int = 64) -> Accuracy:
    """The share of right next moves along the reference solution, with the base patched at each layer in turn.

    Returns:
        By role, layer 0 (the embedding's output) to the last; `base` and `fine_tune` are the share without patching,
        as a list of one.
    """
    hits: dict[str, np.ndarray] = {role: np.zeros(len(models.layers) + 1) for role in ROLES}
    plain = {BASE: np.zeros(1), "fine_tune": np.zeros(1)}
    for chosen, ids, mask in batches(walks, batch_size):
        of_batch = [walks[index] for index in chosen]
        states: list = []

        def keep(site, layer, hidden, states=states):
            states.append(hidden)

        models.switch(name)
        plain["fine_tune"] += _moves_right(_read(models, of_batch, ids, mask, keep))
        models.switch(BASE)
        plain[BASE] += _moves_right(_read(models, of_batch, ids, mask))
        for role, counts in hits.items():
            where = _positions(of_batch, ids.shape, role).to(models.model.device)
            for layer, state in enumerate(states):
                counts[layer] += _moves_right(_read(models, of_batch, ids, mask, _put(layer, state, where)))
    moves = sum(len(walk.moves) for walk in walks)
    prompt, answer, base, fine_tune = (
        (counts / moves).tolist() for counts in (*map(hits.__getitem__, ROLES), plain[BASE], plain["fine_tune"])
    )
    return Accuracy(prompt=prompt, answer=answer, base=base, fine_tune=fine_tune)


def _put(layer: int, state, where) -> Callable:
    """A visitor that replaces the states of one layer at the positions in `where`."""
    import torch

    def put(site, here, hidden):
        return torch.where(where[..., None], state, hidden) if here == layer else None

    return put


def _positions(walks: Sequence[TokenisedWalk], shape: tuple[int, int], role: str):
    """The positions of a role in a batch, bool (batch, tokens)."""
    import torch

    before = torch.arange(shape[1]) < torch.tensor([walk.last_prompt for walk in walks])[:, None]
    return before if role == "prompt" else ~before


def _read(
    models: Models, walks: Sequence[TokenisedWalk], ids, mask, visit: Callable | None = None
) -> list[np.ndarray]:
    """Run the active model on a batch: for each walk as `_right`."""
    import torch

    last: dict = {}

    def keep(site, layer, hidden):
        changed = visit(site, layer, hidden) if visit else None
        if layer == len(models.layers):
            last["states"] = hidden if changed is None else changed
        return changed

    device = models.model.device
    with watching(models, keep), torch.inference_mode():
        models.model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False, logits_to_keep=1)
    ends = states_at(last["states"], [np.array([walk.answer_end]) for walk in walks])
    return _right(models, walks, states_at(last["states"], [walk.moves for walk in walks]), ends)


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
