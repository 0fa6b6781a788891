"""The divergence of two models on given answers, and how many of the tokens a model ranks first.

The divergence of two models on an answer is the sum, over its tokens and its end, of the divergence of their whole
next-token distributions there. Its mean over answers sampled from the first model is an unbiased estimate of the
divergence of their distributions over answers, with less variance than the log ratio of the answers alone.
"""

from collections.abc import Iterator, Sequence

from ...metrics.path_validity.scoring import opened_thought
from ...models.chat import render_prompt
from .questions import Said

MOST_LOGITS = 2**25  # largest batch, in elements


def divergences(one, other, tokenizer, said: Sequence[Said]) -> list[tuple[float, int]]:
    """KL(one || other) on each answer, in nats, and over how many tokens.

    Args:
        one: a model; the answers are samples of it.
        other: a model of the same vocabulary.
        tokenizer: of both.
    """
    found = []
    for (mine, _), (others, _) in zip(log_shares(one, tokenizer, said), log_shares(other, tokenizer, said)):
        shares = mine.exp()
        nats = (shares * (mine - others))[shares > 0].sum()  # a token of probability 0 adds nothing
        found.append((float(nats), len(mine)))
    return found


def log_shares(model, tokenizer, said: Sequence[Said]) -> Iterator[tuple]:
    """Of each answer the log probabilities at its tokens and its end, float32 (tokens + 1, vocabulary), and tokens."""
    import torch

    pairs = [_tokens_of(tokenizer, one) for one in said]
    longest = max(len(prompt) + len(answer) for prompt, answer in pairs)
    width = model.get_output_embeddings().weight.shape[0]
    each = max(1, min(64, MOST_LOGITS // (longest * width)))
    for start in range(0, len(pairs), each):
        batch = pairs[start : start + each]
        length = max(len(prompt) + len(answer) for prompt, answer in batch)
        ids, mask = (
            torch.zeros(len(batch), length, dtype=torch.long),
            torch.zeros(len(batch), length, dtype=torch.long),
        )
        for row, (prompt, answer) in enumerate(batch):
            ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
            mask[row, : len(prompt) + len(answer)] = 1
        with torch.inference_mode():
            logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
        for row, (prompt, answer) in enumerate(batch):
            mine = logits[row, len(prompt) - 1 : len(prompt) + len(answer)].float()
            yield mine.log_softmax(-1).cpu(), answer


def _tokens_of(tokenizer, said: Said) -> tuple[list[int], list[int]]:
    """The tokens of a prompt and of the answer after it, without its end."""
    prompt = render_prompt(tokenizer, said.prompt)
    answer = said.answer.removeprefix(opened_thought(prompt))
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, answer))


def most_likely(model, tokenizer, said: Sequence[Said]) -> tuple[int, float]:
    """The number of tokens of some answers at which there is a choice, and the share of them that a model ranks first.

    Where an answer says of each move whether that was a choice, and a token is a move, the other moves do not count.
    """
    right = count = 0
    for one, (shares, answer) in zip(said, log_shares(model, tokenizer, said)):
        chosen = one.chosen if len(one.chosen) == len(answer) else (True,) * len(answer)
        hits = [token == mine for token, mine, counts in zip(answer, shares.argmax(-1).tolist(), chosen) if counts]
        right, count = right + sum(hits), count + len(hits)
    return count, right / count if count else 0.0
