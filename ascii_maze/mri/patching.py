"""Activation patching: the base runs with the hidden states of a fine-tune at one layer.

Patched at every position after layer l, the base is the fine-tune up to layer l and itself above it. For generation
the adapter is therefore enabled in those layers only, which is equivalent (a test compares the two). Along the
reference solution states are actually replaced, at all positions or only at those of the prompt or of the answer, and
only the layers above are computed. (Vig et al., 2020; Meng et al., 2022.)

A patched model reads each maze with its reference solution, and answers from there; see `answering`.
"""

from collections.abc import Sequence

import numpy as np

from ..metrics.path_validity.scoring import score_path
from .activations import Activations
from .answering import Answers, are_right, can_go_on, choose_tokens, reference_or_generated, tokens_after
from .models import BASE, Models
from .positions import TokenisedWalk
from .reading import TOGETHER, Batch, Recording, patch_prefix, read_from, read_walks, record, tail_of
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
    chosen = choose_tokens(models, walks, *states)
    return reference_or_generated(models, rows, walks, [are_right(models, *each) for each in zip(walks, chosen)])


def record_to_patch(models: Models, name: str, rows: Sequence[dict], walks: Sequence[TokenisedWalk]) -> Recording:
    """A model's states on walks, as `patched_answers` needs them."""
    return record(models, name, walks, keep=can_go_on(models, rows, walks))


def patched_answers(
    models: Models, recorded: Recording, layer: int, rows: Sequence[dict], walks: Sequence[TokenisedWalk]
) -> list[str]:
    """Greedy answers of the base with the hidden states of a fine-tune after a layer, at every position.

    Args:
        recorded: the fine-tune on these walks, of `record_to_patch`.
    """
    models.switch(BASE)
    prefix = patch_prefix(models, recorded.prefix, layer)
    answers = Answers(models, rows, prefix)
    for batch in recorded.batches:
        answers.add(read_from(models, batch, layer, batch.states[layer], prefix, keep=bool(batch.caches)))
    models.switch(recorded.name, range(layer + 1))
    return answers.finish()


def partial_answers(
    models: Models, name: str, stages: range, rows: Sequence[dict], walks: Sequence[TokenisedWalk]
) -> list[str]:
    """Greedy answers of the base with an adapter in some layers only; see `Models.switch`."""
    models.switch(name, stages)
    prefix, read = read_walks(models, walks, keep=can_go_on(models, rows, walks))
    answers = Answers(models, rows, prefix)
    for batch in read:
        answers.add(batch)
    return answers.finish()


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
    tuned, base = (
        record(models, model, walks, TOGETHER, keep=model == BASE) for model in (name, BASE)
    )  # the base stays active
    tails = [tail_of(batch, base.prefix) for batch in base.batches]
    hits = {role: dict.fromkeys(layers, 0) for role in ROLES}
    for layer in layers:
        prefix = patch_prefix(models, tuned.prefix, layer)
        for one, other, (tail, before) in zip(tuned.batches, base.batches, tails):
            prompts = _prompts(one.walks, one.ids.shape).to(models.model.device)[..., None]
            at_prompt = one.states[layer].where(prompts, other.states[layer])
            at_answer = other.states[layer].where(prompts, one.states[layer])[:, -tail.ids.shape[1] :]
            if not at_prompt.equal(other.states[layer]):  # as at the embedding, which adapters seldom change
                other = read_from(models, one, layer, at_prompt, prefix)
            hits["prompt"][layer] += _moves_right(models, other)
            hits["answer"][layer] += _moves_right(models, read_from(models, tail, layer, at_answer, before))
    plain = {}
    for model, recorded in ((BASE, base), (name, tuned)):
        models.switch(model)  # with its own norm and head
        plain[model] = sum(_moves_right(models, batch) for batch in recorded.batches)
    prompt, answer = (
        [counts[n] / moves if n in counts else None for n in range(last + 1)] for counts in hits.values()
    )
    return Accuracy(
        prompt=prompt,
        answer=answer,
        base=[plain[BASE] / moves],
        fine_tune=[plain[name] / moves],
    )


def _prompts(walks: Sequence[TokenisedWalk], shape: tuple[int, int]):
    """The tokens of a batch before the last one of the prompt, bool (batch, tokens)."""
    import torch

    return torch.arange(shape[1]) < torch.tensor([walk.last_prompt for walk in walks])[:, None]


def _moves_right(models: Models, batch: Batch) -> int:
    chosen = tokens_after(models, batch.walks, batch.states[-1])
    return sum(int(are_right(models, *each)[:-1].sum()) for each in zip(batch.walks, chosen))
