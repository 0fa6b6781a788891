"""Prompts -> completions, greedy or sampled, with transformers."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from ..mazes.prompts import Message
from ..metrics.path_validity.scoring import opened_thought
from .budgets import budget_for, check_context, rows_at_once
from .chat import count_tokens, read_answers, render_prompt, turn_ends
from .loading import context_of
from .shared_prefix import sharing
from .turns import Memory, can_keep

FIRST_STAGE = 8  # tokens, see `generate_tokens`
NO_SAMPLING: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}


class Decoding(NamedTuple):
    """How completions are generated.

    Attributes:
        samples: completions of each prompt.
        temperature: 0 is greedy; 1 samples from the unmodified distribution.
        seed: the same completions with the same seed, prompts, batch size and device.
        batch_size: completions generated at once, with transformers; 0 for `rows_at_once`.
    """

    samples: int = 1
    temperature: float = 0.0
    seed: int = 0
    batch_size: int = 64

    def for_part(self, part: str) -> "Decoding":
        """The same with a seed of its own, so that a resumed run samples the same as an uninterrupted one.

        Args:
            part: its name, such as `test/512`.
        """
        drawn = hashlib.blake2b(f"{self.seed}/{part}".encode(), digest_size=6).digest()
        return self._replace(seed=int.from_bytes(drawn))

    def __str__(self) -> str:
        if not self.temperature:
            return "greedy"
        return f"{self.samples} sample{'s' * (self.samples > 1)} at temperature {self.temperature:g}"


GREEDY = Decoding()


def answer_mazes(
    model,
    tokenizer,
    rows: Sequence[dict[str, Any]],
    decoding: Decoding = GREEDY,
    on_progress: Callable[[int], None] | None = None,
    max_new_tokens: int | None = None,
) -> list[list[str]]:
    """A model's answers to rows of a dataset, in their order.

    Args:
        rows: `prompt` and `maze` of each.
        on_progress: called with the number of rows done.
        max_new_tokens: `budget_for` these rows by default, or as many as the model can still read after the prompts.

    Returns:
        The `decoding.samples` completions of each row.

    Raises:
        AsciiMazeError: as `check_context`.
    """
    if not rows:
        return []
    prompts = [row["prompt"] for row in rows]
    budget = max_new_tokens or budget_for(tokenizer, (row["maze"] for row in rows), prompts)
    if max_new_tokens is None and (most := context_of(model)):
        longest = max(count_tokens(tokenizer, render_prompt(tokenizer, prompt)) for prompt in prompts)
        budget = min(budget, most - longest) if longest < most else budget
    return complete(model, tokenizer, prompts, budget, decoding, on_progress)


def generate(
    model,
    tokenizer,
    prompts: Sequence[list[Message]],
    max_new_tokens: int,
    batch_size: int = 64,
) -> list[str]:
    """The greedy completion of each prompt, in their order; see `complete`."""
    decoding = GREEDY._replace(batch_size=batch_size)
    return [answer for (answer,) in complete(model, tokenizer, prompts, max_new_tokens, decoding)]


def complete(
    model,
    tokenizer,
    prompts: Sequence[list[Message]],
    max_new_tokens: int,
    decoding: Decoding = GREEDY,
    on_progress: Callable[[int], None] | None = None,
    memory: tuple[Memory, Sequence[Hashable]] | None = None,
) -> list[list[str]]:
    """Completions of each prompt, in the order of the prompts.

    Args:
        prompts: chat messages, without an answer.
        on_progress: called with the number of prompts done.
        memory: the cache of these conversations' earlier turns, and their names; each gets one completion.

    Returns:
        The `decoding.samples` completions of each prompt.

    Raises:
        AsciiMazeError: as `check_context`.
    """
    import torch

    samples, temperature, seed, batch_size = decoding
    if not batch_size:
        longest = max(count_tokens(tokenizer, render_prompt(tokenizer, prompt)) for prompt in prompts)
        batch_size = rows_at_once(model, longest + max_new_tokens)
    if not temperature:
        return _complete(model, tokenizer, prompts, max_new_tokens, batch_size, on_progress, {**NO_SAMPLING}, memory)
    how: dict[str, Any] = {
        "do_sample": True,
        "temperature": temperature,
        "top_p": 1.0,
        "top_k": 0,
        "num_return_sequences": samples,
    }
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        batch_size = max(1, batch_size // samples)
        return _complete(model, tokenizer, prompts, max_new_tokens, batch_size, on_progress, how, memory)


def conversing(model, tokenizer) -> Callable[[Sequence[Hashable], Sequence[list[Message]], int, Decoding], list[str]]:
    """A function that completes conversations turn by turn, and reads only the new tokens of each, if possible.

    Returns:
        (names of the conversations, conversations, max_new_tokens, Decoding) -> the completion of each. Conversations
            that are not named have ended.
    """
    memory = Memory(model) if can_keep(model) else None

    def converse(names, prompts, max_new_tokens, decoding) -> list[str]:
        known = None if memory is None else (memory, names)
        if memory:
            memory.forget_others(names)
        return [answer for (answer,) in complete(model, tokenizer, prompts, max_new_tokens, decoding, None, known)]

    return converse


def _complete(
    model, tokenizer, prompts, max_new_tokens, batch_size, on_progress, decoding: dict, memory=None
) -> list[list[str]]:
    """`complete`, with batches of prompts of similar length, so that there is little padding."""
    import torch

    texts, ends = [render_prompt(tokenizer, prompt) for prompt in prompts], turn_ends(tokenizer, model)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]), reverse=True)
    completions: list[list[str]] = [[] for _ in texts]
    decoding = {**decoding, "eos_token_id": ends}
    rows = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    longest = max(map(len, rows), default=0)
    check_context(context_of(model), longest, max_new_tokens)
    if memory:  # conversations grow up to the model's context
        batch_size = min(batch_size, rows_at_once(model, longest + max_new_tokens))
    with torch.inference_mode(), sharing(model, rows, decoding.get("num_return_sequences", 1)):
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            if memory:
                names = [memory[1][i] for i in indices]
                tokens = next_turns(
                    model, tokenizer, memory[0], names, [rows[i] for i in indices], max_new_tokens, decoding
                )
            else:
                batch = tokenizer(
                    [texts[i] for i in indices], return_tensors="pt", padding=True, add_special_tokens=False
                ).to(model.device)
                tokens = generate_tokens(
                    model, tokenizer, batch["input_ids"], batch["attention_mask"], max_new_tokens, decoding
                )
            # A thought opened by the prompt is counted as part of the completion, to tell it from the answer.
            answers = read_answers(tokenizer, tokens, ends, opened_thought(texts[indices[0]]))
            each = len(answers) // len(indices)
            for place, index in enumerate(indices):
                completions[index] = answers[place * each : (place + 1) * each]
            if on_progress:
                on_progress(start + len(indices))
    return completions


def next_turns(
    model, tokenizer, memory: Memory, names: Sequence[Hashable], rows: list[list[int]], most: int, decoding: dict
) -> list[list[int]]:
    """New tokens of each conversation; only tokens that are not in the memory are read.

    Args:
        rows: their tokens.
        most: the largest number of new tokens of each.
        decoding: arguments of `model.generate`, including `eos_token_id`.
    """
    memory.read_ahead(names, rows, tokenizer.pad_token_id)
    tokens, mask, cache = memory.take(names, rows, tokenizer.pad_token_id)

    def keep(row: int, ids, columns, cache, place: int) -> None:
        memory.keep(names[row], ids[columns].tolist(), columns, cache, place)

    return generate_tokens(model, tokenizer, tokens, mask, most, decoding, cache, keep)


def go_on(model, tokenizer, tokens, mask, caches: Iterable[Sequence], most: int) -> list[list[int]]:
    """The greedy continuation of rows whose tokens, except the last, are in the cache.

    Args:
        tokens: int64 (rows, tokens), padded on the left; `mask` is 1 for tokens and 0 for padding.
        caches: keys and values of each layer, (rows, heads, tokens - 1, size) each.
        most: the largest number of new tokens of each row.

    Returns:
        The new tokens of each row, including its end token, after which there may be more.
    """
    import torch

    from .growing_cache import growing_cache

    if most <= 0:
        return [[] for _ in range(len(tokens))]
    cache = growing_cache(model.config.get_text_config())
    for layer, (keys, values) in enumerate(caches):
        cache.update(keys, values, layer)
    decoding = {**NO_SAMPLING, "eos_token_id": turn_ends(tokenizer, model)}
    with torch.inference_mode():
        return generate_tokens(model, tokenizer, tokens, mask, most, decoding, cache)


def generate_tokens(
    model, tokenizer, tokens, mask, max_new_tokens: int, decoding: dict, cache=None, keep: Callable | None = None
) -> list[list[int]]:
    """New tokens of each row, by `model.generate` in stages, after each of which finished rows are dropped.

    Otherwise a few endless answers would cost as much as if all rows were as long. The stages have 8, 8, 16, 32, ...
    tokens.

    Args:
        cache: of the first tokens of all rows.
        keep: called for each finished row with its number, the tokens of its row in the batch, a mask that excludes
            padding, the cache, and its row in the cache.
    """
    import torch

    from .growing_cache import growing_cache

    if cache is None and can_keep(model):
        cache = growing_cache(model.config.get_text_config())
    # Several processes with sharded weights must call `generate` equally often.
    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    width = tokens.shape[1]
    answers: dict[int, list[int]] = {}
    ends = torch.as_tensor(decoding["eos_token_id"], device=tokens.device)
    rows = torch.arange(len(tokens) * decoding.get("num_return_sequences", 1))
    while True:
        made = tokens.shape[1] - width
        stage = min(max(made, FIRST_STAGE), max_new_tokens - made) if alone else max_new_tokens
        output = model.generate(
            input_ids=tokens,
            attention_mask=mask,
            past_key_values=cache,
            max_new_tokens=stage,
            pad_token_id=tokenizer.pad_token_id,
            return_dict_in_generate=True,
            **decoding,
        )
        tokens, cache = output.sequences, output.past_key_values
        running = ~torch.isin(tokens[:, width + made :], ends).any(dim=1)
        if tokens.shape[1] - width >= max_new_tokens:
            running[:] = False
        answers |= {
            row: tokens[place, width:].tolist() for place, row in enumerate(rows.tolist()) if not running[place]
        }
        mask = mask.repeat_interleave(len(tokens) // len(mask), dim=0)
        mask = torch.cat([mask, mask.new_ones(len(mask), tokens.shape[1] - mask.shape[1])], dim=1)
        for place, row in enumerate(rows.tolist()):
            if keep and not running[place]:
                keep(row, tokens[place], mask[place].bool(), cache, place)
        if not running.any():
            return [answers[row] for row in sorted(answers)]
        mask = mask[running]
        tokens, rows = tokens[running], rows[running.cpu()]
        cache.batch_select_indices(running.nonzero().squeeze(1))
        decoding = {**decoding, "num_return_sequences": 1}
