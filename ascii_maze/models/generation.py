"""Prompts -> completions, greedy or sampled, by transformers."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from ..mazes.baselines import open_positions
from ..mazes.prompts import PLAIN, Message, PromptStyle, format_answer, style_of
from ..mazes.reasoning import longest_thought, wrap
from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import opened_thought
from .chat import count_tokens, how_read, read_answers, render_prompt, turn_ends
from .shared_prefix import sharing
from .turns import Memory, can_keep

FIRST_STAGE = 8  # tokens, see `generate_tokens`
NO_SAMPLING: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}


class Decoding(NamedTuple):
    """How completions are drawn.

    Attributes:
        samples: completions of each prompt.
        temperature: 0 is greedy; 1 draws from the model as it is.
        seed: the same completions with the same seed, prompts, batch size and device.
        batch_size: completions that are drawn at once, by transformers.
    """

    samples: int = 1
    temperature: float = 0.0
    seed: int = 0
    batch_size: int = 64

    def for_part(self, part: str) -> "Decoding":
        """The same with a seed of its own, so that a resumed run draws what an uninterrupted one draws.

        Args:
            part: its name, as `test/512`.
        """
        drawn = hashlib.blake2b(f"{self.seed}/{part}".encode(), digest_size=6).digest()
        return self._replace(seed=int.from_bytes(drawn))

    def __str__(self) -> str:
        if not self.temperature:
            return "greedy"
        return f"{self.samples} sample{'s' * (self.samples > 1)} at temperature {self.temperature:g}"


GREEDY = Decoding()


def answer_budget(tokenizer, moves: int, style: PromptStyle = PLAIN) -> int:
    """How many new tokens an answer of `moves` moves takes, with its end and without a thought."""
    answer = format_answer("RD" * (moves // 2 + 1), style)
    return count_tokens(tokenizer, answer) + 2


def thought_budget(tokenizer, maze: Maze, style: PromptStyle) -> int:
    """How many new tokens a thought of this style may take, with what parts it from the path.

    It is a search of the maze that goes everywhere, twice, since another maze of its size may have more junctions; or
    a line for every place; 0 for a style that does not think.
    """
    if style.reasoning == "none":
        return 0
    times = 1 if style.reasoning == "steps" else 2
    thought = count_tokens(tokenizer, longest_thought(maze, style.reasoning))
    return times * thought + count_tokens(tokenizer, wrap("", ""))


def budget_for(tokenizer, mazes: Iterable[str], prompts: Iterable[list[Message]]) -> int:
    """How many new tokens a completion may take: in the largest of some mazes, a walk that stands everywhere once.

    A thought has room of its own beside that: that of the prompts' styles, and where the tokenizer's template lets a
    model think first, its `thinking_tokens`.

    Args:
        mazes: as text.
        prompts: whose styles say how moves are written, and what is thought before.
    """
    largest = max((Maze.from_ascii(maze) for maze in mazes), key=open_positions)
    styles = {style_of(prompt) for prompt in prompts}
    return how_read(tokenizer).thinking_tokens + largest_budget(tokenizer, largest, styles)


def largest_budget(tokenizer, largest: Maze, styles: Iterable[PromptStyle]) -> int:
    """How many new tokens thought and answer may take in the largest maze, in whichever style takes most."""
    moves = open_positions(largest)
    return max(answer_budget(tokenizer, moves, style) + thought_budget(tokenizer, largest, style) for style in styles)


def tokens_read(tokenizer, prompts: Sequence[list[Message]], answers: Sequence[Sequence[str]]) -> int:
    """Tokens of prompts and of the answers to each, with their ends; a prompt counts as often as it was answered."""
    asked = sum(
        len(given) * count_tokens(tokenizer, render_prompt(tokenizer, prompt))
        for prompt, given in zip(prompts, answers)
    )
    return asked + sum(count_tokens(tokenizer, text) + 1 for given in answers for text in given)


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
        on_progress: called with the number of rows done so far.
        max_new_tokens: `budget_for` these rows by default.

    Returns:
        For each row its `decoding.samples` completions.
    """
    if not rows:
        return []
    prompts = [row["prompt"] for row in rows]
    budget = max_new_tokens or budget_for(tokenizer, (row["maze"] for row in rows), prompts)
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
        on_progress: called with the number of prompts done so far.
        memory: what was read of these conversations in earlier turns, and the name of each; of each one completion.

    Returns:
        For each prompt its `decoding.samples` completions.
    """
    import torch

    samples, temperature, seed, batch_size = decoding
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
    """A function that completes conversations turn by turn, and reads of each only what is new, where it can.

    Returns:
        (names of the conversations, conversations, max_new_tokens, Decoding) -> the completion of each.
    """
    memory = Memory(model) if can_keep(model) else None

    def converse(names, prompts, max_new_tokens, decoding) -> list[str]:
        known = None if memory is None else (memory, names)
        return [answer for (answer,) in complete(model, tokenizer, prompts, max_new_tokens, decoding, None, known)]

    return converse


def _complete(
    model, tokenizer, prompts, max_new_tokens, batch_size, on_progress, decoding: dict, memory=None
) -> list[list[str]]:
    """Batches are made of prompts of like length, so that little is padding."""
    import torch

    texts, ends = [render_prompt(tokenizer, prompt) for prompt in prompts], turn_ends(tokenizer, model)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]), reverse=True)
    completions: list[list[str]] = [[] for _ in texts]
    decoding = {**decoding, "eos_token_id": ends}
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
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
            # A thought that the prompt opens is part of what was written, or it could not be told from the answer.
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
    """New tokens of each conversation, of which only those are read that the memory has not kept.

    Args:
        rows: their tokens.
        most: new tokens of each.
        decoding: arguments of `model.generate`, `eos_token_id` among them.
    """
    tokens, mask, cache = memory.take(names, rows, tokenizer.pad_token_id)

    def keep(row: int, ids, columns, cache, place: int) -> None:
        memory.keep(names[row], ids[columns].tolist(), columns, cache, place)

    return generate_tokens(model, tokenizer, tokens, mask, most, decoding, cache, keep)


def go_on(model, tokenizer, tokens, mask, caches: Sequence[Sequence], most: int) -> list[list[int]]:
    """The greedy continuation of rows of which all but the last token have been read already.

    Args:
        tokens: int64 (rows, tokens), padded on the left; `mask` is 1 for tokens and 0 for padding.
        caches: keys and values of each layer, (rows, heads, tokens - 1, size) each.
        most: new tokens of each row.

    Returns:
        The new tokens of each row, its end among them; after that there may be more.
    """
    import torch
    from transformers import DynamicCache

    if most <= 0:
        return [[] for _ in range(len(tokens))]
    cache = DynamicCache(config=model.config.get_text_config())
    for layer, (keys, values) in enumerate(caches):
        cache.update(keys, values, layer)
    decoding = {**NO_SAMPLING, "eos_token_id": turn_ends(tokenizer, model)}
    with torch.inference_mode():
        return generate_tokens(model, tokenizer, tokens, mask, most, decoding, cache)


def generate_tokens(
    model, tokenizer, tokens, mask, max_new_tokens: int, decoding: dict, cache=None, keep: Callable | None = None
) -> list[list[int]]:
    """New tokens of each row: `model.generate`, in stages after which the rows that have ended are left out.

    A few endless answers would otherwise cost as much as if all were as long. Stages are of 8, 8, 16, 32 tokens...

    Args:
        cache: of the first tokens of all rows.
        keep: called for each row that has ended, with its number, the tokens of its batch's row, a mask of those that
            are its own, the cache, and its place there.
    """
    import torch

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
