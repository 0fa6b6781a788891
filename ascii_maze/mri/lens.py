"""What each layer would predict if it were the last (the logit lens), and the divergence of next tokens from the base.

nostalgebraist (2020), "interpreting GPT: the logit lens": the final normalisation and the output head are applied to
every layer's hidden state.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..terminal import OnProgress
from .activations import Activations
from .models import Models
from .positions import TokenisedWalk
from .schema.states import Lens

# Most rows, and most numbers, of the logits that are held in memory at once.
ROWS, LOGITS = 1_024, 2**24


def logit_lens(
    models: Models,
    activations: Activations,
    walks: Sequence[TokenisedWalk],
    decisions: np.ndarray,
    on_progress: OnProgress | None = None,
) -> dict[str, Lens]:
    """For each model and layer, the probability of the right move where it is decided.

    Args:
        decisions: bool (moves,), where the walker has a choice.

    Returns:
        model -> `probability`, the mean over moves, and `first`, the share of moves that are the likeliest token; and
        the same at decisions, NaN if there are none; all per layer.
    """
    import torch

    targets = torch.from_numpy(np.concatenate([walk.ids[walk.moves + 1] for walk in walks]))
    lens: dict[str, Lens] = {}
    for name in activations.models:
        models.switch(name)
        mine = lens[name] = {"probability": [], "first": [], "probability_at_decisions": [], "first_at_decisions": []}
        for layer in range(activations.layers):
            probability, first = np.zeros(len(targets)), np.zeros(len(targets), dtype=bool)
            for rows, logits in read_out(models, activations.read(name, layer, "moves")):
                aim = targets[rows, None].to(logits.device)
                probability[rows] = logits.softmax(-1).gather(-1, aim)[:, 0].cpu().numpy()
                first[rows] = (logits.argmax(-1, keepdim=True) == aim)[:, 0].cpu().numpy()
            mine["probability"].append(float(probability.mean()))
            mine["first"].append(float(first.mean()))
            mine["probability_at_decisions"].append(mean_at(probability, decisions))
            mine["first_at_decisions"].append(mean_at(first, decisions))
        if on_progress:
            on_progress("logit lens", len(lens), len(activations.models))
    return lens


def mean_at(values: np.ndarray, where: np.ndarray) -> float:
    """The mean of values (n,) at a mask (n,); NaN where that is empty."""
    return float(values[where].mean()) if where.any() else float("nan")


def next_token_kl(models: Models, activations: Activations, reference: str, name: str) -> np.ndarray:
    """Kullback-Leibler divergence in nats of the next token where each move is decided, float64 (moves, 2).

    The columns are KL(name || reference), what the penalty of RLHF counts where the reference is the start, though on
    the policy's own answers; and KL(reference || name). Exactly 0 where nothing differs.
    """
    last = activations.layers - 1
    before, after = (
        log_probabilities(models, model, activations.read(model, last, "moves")) for model in (reference, name)
    )
    return divergence(before, after)


def log_probabilities(models: Models, name: str, hidden: np.ndarray) -> Iterator[Any]:
    """Those of the next token after hidden states (rows, width) of one model: tensors (some of the rows, vocabulary).

    Two models in memory at once can be read in turn: each is activated for every tensor.
    """
    for rows in slices(models, len(hidden)):
        models.switch(name)
        ((_, logits),) = read_out(models, hidden[rows])
        yield logits.log_softmax(-1).cpu()


def divergence(before: Iterable, after: Iterable) -> np.ndarray:
    """KL(after || before) and KL(before || after) of log-probabilities, parts of (rows, vocabulary): (rows, 2)."""
    import torch
    from torch.nn.functional import kl_div

    parts = [
        torch.stack([kl_div(x, y, reduction="none", log_target=True).sum(-1) for x, y in ((one, two), (two, one))], 1)
        for one, two in zip(before, after, strict=True)
    ]
    return torch.cat(parts).double().numpy()


def slices(models: Models, count: int) -> Iterator[slice]:
    """Slices of so many rows that their logits fit `ROWS` and `LOGITS`."""
    most = max(1, min(ROWS, LOGITS // models.model.config.get_text_config().vocab_size))
    return (slice(first, first + most) for first in range(0, count, most))


def read_out(models: Models, hidden: np.ndarray) -> Iterator[tuple[slice, Any]]:
    """The logits of hidden states (rows, width) under the active model: slices of rows, and float32 tensors
    (rows of the slice, vocabulary).
    """
    import torch

    for rows in slices(models, len(hidden)):
        states = torch.from_numpy(hidden[rows]).to(models.model.device, models.model.dtype)
        with torch.inference_mode():  # not around the yield: with two interleaved iterators one would leave it on
            logits = models.head(models.norm(states)).float()
        yield rows, logits
