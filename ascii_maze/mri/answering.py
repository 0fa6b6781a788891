"""Answers of a model that has read the mazes with their reference solutions.

Reading a solution gives the model's choice at each move. Up to the first move that it would not make, often to the
end, the solution is its answer. From there on it generates, reusing the keys and values of the tokens already read if
possible (`can_go_on`), so that no token is read twice; otherwise it starts from the prompt.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..models.budgets import budget_for
from ..models.chat import read_answers, render_prompt
from ..models.generation import Decoding, answer_mazes, go_on
from .activations import states_at
from .lens import read_out
from .models import Models
from .positions import TokenisedWalk
from .reading import Batch, Prefix, reaches_back


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
    """Whether keys and values of walks already read can be reused to continue from a prompt with part of an answer.

    Not if a model reasons first, since a walk contains the reference's reasoning; nor if its attention does not
    reach back to the prompt, or its positions are not those of the tokens.
    """
    if not reaches_back(models, max(len(walk.ids) for walk in walks) + _budget(models, rows)):
        return False
    texts = [render_prompt(models.tokenizer, row["prompt"]) for row in rows]
    prompts = models.tokenizer(texts, add_special_tokens=False)["input_ids"]
    return all(prompt == walk.ids[: walk.last_prompt + 1].tolist() for prompt, walk in zip(prompts, walks))


class Begun(NamedTuple):
    """An answer whose first tokens are known.

    Attributes:
        maze: its index.
        tokens: of prompt and answer; all but the last have been read.
        prompt: how many of them are the prompt's.
        caches: key and value of each layer, (heads, tokens - 1, size) each.
    """

    maze: int
    tokens: list[int]
    prompt: int
    caches: list[tuple]


class Answers:
    """The greedy answers of one model to mazes that it reads in batches, with their solutions.

    Attributes:
        texts: of each maze, once `finish` has been called.
    """

    def __init__(self, models: Models, rows: Sequence[dict], prefix: Prefix | None) -> None:
        """Begin.

        Args:
            prefix: of all mazes.
        """
        self.models, self.rows = models, rows
        self.before = [] if prefix is None else prefix.ids.tolist()
        self.texts = [""] * len(rows)
        self.begun: list[Begun] = []
        self.unread: list[int] = []

    def add(self, batch: Batch) -> None:
        """Take the parts of the answers that agree with the solutions of a batch.

        Args:
            batch: with the last layer's states; with keys and values of all layers, if `can_go_on`.
        """
        for place, chosen in enumerate(tokens_after(self.models, batch.walks, batch.states[-1])):
            walk, index = batch.walks[place], batch.chosen[place]
            right = are_right(self.models, walk, chosen)
            if right.all():
                self.texts[index] = _solution(self.models, walk)
            elif not batch.caches:
                self.unread.append(index)
            else:
                wrong = int((~right).argmax())
                last = int(np.append(walk.moves, walk.answer_end)[wrong])
                tokens = [*self.before, *walk.ids[: last + 1].tolist(), int(chosen[wrong])]
                caches = [(k[place, :, : len(tokens) - 1], v[place, :, : len(tokens) - 1]) for k, v in batch.caches]
                self.begun.append(Begun(index, tokens, len(self.before) + walk.last_prompt + 1, caches))

    def finish(self) -> list[str]:
        """Generate the rest with the active model, which must be the one that read the batches; return all texts."""
        models, budget = self.models, _budget(self.models, self.rows)
        answers = {each.maze: each.tokens[each.prompt :] for each in self.begun}
        unfinished = [each for each in self.begun if each.tokens[-1] not in models.ends]
        for each, tokens in zip(unfinished, _generate(models, unfinished, budget)):
            answers[each.maze] += tokens
        if answers:
            whole = read_answers(models.tokenizer, [tokens[:budget] for tokens in answers.values()], models.ends)
            for index, text in zip(answers, whole):
                self.texts[index] = text
        return _from_prompts(models, self.rows, self.texts, self.unread) if self.unread else self.texts


def reference_or_generated(
    models: Models, rows: Sequence[dict], walks: Sequence[TokenisedWalk], right: Sequence[np.ndarray]
) -> list[str]:
    """The reference solution as far as the active model agrees with it, and generated text otherwise.

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
    """The texts, with those of some rows generated."""
    asked, decoding = [rows[index] for index in others], Decoding(batch_size=256)
    for index, (text,) in zip(others, answer_mazes(models.model, models.tokenizer, asked, decoding)):
        texts[index] = text
    return texts


def _generate(models: Models, begun: Sequence[Begun], budget: int) -> list[list[int]]:
    """The new tokens of some answers, which lose their keys and values.

    Args:
        budget: tokens of a whole answer.
    """
    import torch
    from torch.nn.functional import pad

    if not begun:
        return []
    device, width = models.model.device, max(len(each.tokens) for each in begun)
    tokens = torch.full((len(begun), width), models.tokenizer.pad_token_id)
    mask = torch.zeros_like(tokens)
    for row, each in enumerate(begun):
        tokens[row, -len(each.tokens) :] = torch.tensor(each.tokens)
        mask[row, -len(each.tokens) :] = 1
    missing = [width - len(each.tokens) for each in begun]

    def by_layer() -> Iterator[list]:
        # A layer at a time, and each is let go once it is copied: together they are what takes most memory here.
        for layer in range(len(begun[0].caches)):
            given = [each.caches[layer] for each in begun]
            for each in begun:
                each.caches[layer] = ()
            yield [torch.stack([pad(side, (0, 0, gap, 0)) for side, gap in zip(of, missing)]) for of in zip(*given)]

    most = budget - min(len(each.tokens) - each.prompt for each in begun)
    return go_on(models.model, models.tokenizer, tokens.to(device), mask.to(device), by_layer(), most)
