"""What a model answers that has read the mazes with their reference solutions.

Having read a solution it has decided on each move. Up to the first one that it would not make, the solution is its
answer, and often to the end. From there on it generates, with the keys and values of what it has read where they can
be used (`can_go_on`), so that no token is read twice; elsewhere from the prompt on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..models.chat import read_answers, render_prompt
from ..models.generation import Decoding, answer_mazes, budget_for, go_on
from .activations import states_at
from .lens import read_out
from .models import Models
from .positions import TokenisedWalk
from .reading import Batch, reaches_back


def choose_tokens(
    models: Models, walks: Sequence[TokenisedWalk], moves: np.ndarray, ends: np.ndarray
) -> list[np.ndarray]:
    """For each walk the likeliest token at each move and at the end, int64 (moves + 1,).

    Args:
        moves: float32 (sum of moves, width), the last layer's states where moves are decided.
        ends: float32 (walks, width), those of the last tokens.
    """
    chosen, stops = (
        np.concatenate([logits.argmax(-1).cpu().numpy() for _, logits in read_out(models, states)])
        for states in (moves, ends)
    )
    parts = np.split(chosen, np.cumsum([len(walk.moves) for walk in walks])[:-1])
    return [np.append(part, stop) for part, stop in zip(parts, stops)]


def tokens_after(models: Models, walks: Sequence[TokenisedWalk], states) -> list[np.ndarray]:
    """`choose_tokens` of the last layer's states of a batch, (batch, tokens, width)."""
    ends = states_at(states, [np.array([walk.answer_end]) for walk in walks])
    return choose_tokens(models, walks, states_at(states, [walk.moves for walk in walks]), ends)


def are_right(models: Models, walk: TokenisedWalk, chosen: np.ndarray) -> np.ndarray:
    """Whether each move of the solution, and then the end, is the token that was chosen: bool (moves + 1,)."""
    return np.append(chosen[:-1] == walk.ids[walk.moves + 1], np.isin(chosen[-1], models.ends))


def can_go_on(models: Models, rows: Sequence[dict], walks: Sequence[TokenisedWalk]) -> bool:
    """Whether keys and values of walks that were read are those of the prompts with the beginning of an answer.

    Not where a model thinks first, since a walk has the thought of the reference; nor where attention is of a kind
    that does not reach back to the prompt, or positions are not those of the tokens.
    """
    if not reaches_back(models, max(len(walk.ids) for walk in walks) + _budget(models, rows)):
        return False
    texts = [render_prompt(models.tokenizer, row["prompt"]) for row in rows]
    prompts = models.tokenizer(texts, add_special_tokens=False)["input_ids"]
    return all(prompt == walk.ids[: walk.last_prompt + 1].tolist() for prompt, walk in zip(prompts, walks))


class _Begun(NamedTuple):
    """An answer of which the first tokens are known.

    Attributes:
        place: row of the batch.
        tokens: of prompt and answer; all but the last have been read.
        prompt: how many of them are the prompt's.
    """

    place: int
    tokens: list[int]
    prompt: int


def answers_of(models: Models, rows: Sequence[dict], batch: Batch, before: np.ndarray) -> list[str]:
    """The active model's greedy answers to the mazes of a batch, after it has read it.

    Args:
        rows: of the batch.
        batch: with the last layer's states; with keys and values of all layers, if `can_go_on`.
        before: int64 (tokens,), the tokens of the prefix.
    """
    chosen = tokens_after(models, batch.walks, batch.states[-1])
    right = [are_right(models, *each) for each in zip(batch.walks, chosen)]
    if not batch.caches:
        return reference_or_generated(models, rows, batch.walks, right)
    texts, budget = [_solution(models, walk) for walk in batch.walks], _budget(models, rows)
    begun = [
        _begin(place, before, batch.walks[place], chosen[place], int((~each).argmax()))
        for place, each in enumerate(right)
        if not each.all()
    ]
    answers = [each.tokens[each.prompt :] for each in begun]
    unfinished = [number for number, each in enumerate(begun) if each.tokens[-1] not in models.ends]
    more = _generate(models, batch, [begun[number] for number in unfinished], budget)
    for number, tokens in zip(unfinished, more):
        answers[number] += tokens
    whole = read_answers(models.tokenizer, [tokens[:budget] for tokens in answers], models.ends) if begun else []
    for each, text in zip(begun, whole):
        texts[each.place] = text
    return texts


def _begin(place: int, before: np.ndarray, walk: TokenisedWalk, chosen: np.ndarray, wrong: int) -> _Begun:
    """A solution up to its first wrong token, and the one that was chosen there.

    Args:
        chosen: of `tokens_after`; `wrong`, the index of the first that is not the solution's.
    """
    last = int(np.append(walk.moves, walk.answer_end)[wrong])
    tokens = [*before.tolist(), *walk.ids[: last + 1].tolist(), int(chosen[wrong])]
    return _Begun(place, tokens, len(before) + walk.last_prompt + 1)


def reference_or_generated(
    models: Models, rows: Sequence[dict], walks: Sequence[TokenisedWalk], right: Sequence[np.ndarray]
) -> list[str]:
    """The reference solution where the active model would give it, and generated text elsewhere.

    Args:
        right: of each walk, of `are_right`.
    """
    texts = [_solution(models, walk) for walk in walks]
    return _from_prompts(models, rows, texts, [index for index, each in enumerate(right) if not each.all()])


def _solution(models: Models, walk: TokenisedWalk) -> str:
    return models.tokenizer.decode(walk.ids[walk.last_prompt + 1 :], skip_special_tokens=True)


def _budget(models: Models, rows: Sequence[dict]) -> int:
    return budget_for(models.tokenizer, (row["maze"] for row in rows), [row["prompt"] for row in rows])


def _from_prompts(models: Models, rows: Sequence[dict], texts: list[str], others: Sequence[int]) -> list[str]:
    """The texts with those of some rows generated."""
    asked, decoding = [rows[index] for index in others], Decoding(batch_size=256)
    for index, (text,) in zip(others, answer_mazes(models.model, models.tokenizer, asked, decoding)):
        texts[index] = text
    return texts


def _generate(models: Models, batch: Batch, begun: Sequence[_Begun], budget: int) -> list[list[int]]:
    """The new tokens of each of some answers.

    Args:
        budget: tokens of a whole answer.
    """
    import torch

    if not begun:
        return []
    device, width = models.model.device, max(len(each.tokens) for each in begun)
    tokens = torch.full((len(begun), width), models.tokenizer.pad_token_id)
    mask = torch.zeros_like(tokens)
    for row, each in enumerate(begun):
        tokens[row, -len(each.tokens) :] = torch.tensor(each.tokens)
        mask[row, -len(each.tokens) :] = 1
    # Keys stood at the left of their rows, and go to the right; what is then before them is masked.
    columns = (torch.arange(width - 1) - (1 - mask).sum(1, keepdim=True)).clamp(min=0)[:, None, :, None].to(device)
    rows = torch.tensor([each.place for each in begun], device=device)
    caches = [[side.index_select(0, rows).take_along_dim(columns, 2) for side in layer] for layer in batch.caches]
    most = budget - min(len(each.tokens) - each.prompt for each in begun)
    return go_on(models.model, models.tokenizer, tokens.to(device), mask.to(device), caches, most)
