"""Prompts -> completions, greedy or sampled, with transformers."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from ..errors import AsciiMazeError
from ..mazes.baselines import open_positions
from ..mazes.prompts import PLAIN, Message, PromptStyle, format_answer, style_of
from ..mazes.reasoning import longest_thought, wrap
from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import opened_thought
from .chat import count_tokens, how_read, read_answers, render_prompt, turn_ends
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


def rows_at_once(model, tokens: int) -> int:
    """How many completions to generate at once: on a GPU those whose keys and values take an eighth of its memory, so
    that the number is the same whatever else runs on it; 64 elsewhere, where more are no faster.

    Args:
        tokens: of the longest row, prompt and completion.
    """
    if model.device.type != "cuda":
        return 64
    import torch

    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    kept = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize * tokens
    return max(1, torch.cuda.get_device_properties(model.device).total_memory // 8 // kept)


def answer_budget(tokenizer, moves: int, style: PromptStyle = PLAIN) -> int:
    """The number of tokens of an answer of `moves` moves, with its end token and without a thought."""
    answer = format_answer("RD" * (moves // 2 + 1), style)
    return count_tokens(tokenizer, answer) + 2


def thought_budget(tokenizer, maze: Maze, style: PromptStyle) -> int:
    """The most new tokens of a thought of this style, including the text between it and the path.

    This is twice a search through all of the maze, since another maze of its size may have more junctions, or
    a line for every place; 0 for a style without a thought.
    """
    if style.reasoning == "none":
        return 0
    times = 1 if style.reasoning == "steps" else 2
    thought = count_tokens(tokenizer, longest_thought(maze, style.reasoning))
    return times * thought + count_tokens(tokenizer, wrap("", ""))


def budget_for(tokenizer, mazes: Iterable[str], prompts: Iterable[list[Message]]) -> int:
    """The most new tokens of a completion: a walk through every place of the largest maze.

    A thought has its own budget in addition: that of the prompts' styles, and `thinking_tokens` if the tokenizer's
    template lets a model think first.

    Args:
        mazes: as text.
        prompts: their styles determine how moves and thoughts are written.
    """
    largest = max((Maze.from_ascii(maze) for maze in mazes), key=open_positions)
    styles = {style_of(prompt) for prompt in prompts}
    return how_read(tokenizer).thinking_tokens + largest_budget(tokenizer, largest, styles)


def largest_budget(tokenizer, largest: Maze, styles: Iterable[PromptStyle]) -> int:
    """The most new tokens of thought and answer in the largest maze, over all styles."""
    moves = open_positions(largest)
    return max(answer_budget(tokenizer, moves, style) + thought_budget(tokenizer, largest, style) for style in styles)


def tokens_read(tokenizer, prompts: Sequence[list[Message]], answers: Sequence[Sequence[str]]) -> int:
    """The number of tokens of prompts and answers, with end tokens; a prompt counts once per answer."""
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
    check_context(model, max(map(len, rows), default=0), max_new_tokens)
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


def check_context(model, longest: int, max_new_tokens: int) -> None:
    """Check that prompts and answers are no longer than what a model reads; rotary positions beyond it would only give
    worse answers.

    Args:
        longest: tokens of the longest prompt.

    Raises:
        AsciiMazeError: they are longer.
    """
    most = context_of(model)
    if most is None or longest + max_new_tokens <= most:
        return
    remedy = "give a smaller --max-new-tokens, or" if longest < most else "take"
    raise AsciiMazeError(
        f"the model reads {most:,} tokens at most, the longest prompt has {longest:,}, and its answer may have "
        f"{max_new_tokens:,}; {remedy} smaller mazes, or a model of more positions"
    )


def next_turns(
    model, tokenizer, memory: Memory, names: Sequence[Hashable], rows: list[list[int]], most: int, decoding: dict
) -> list[list[int]]:
    """New tokens of each conversation; only tokens that are not in the memory are read.

    Args:
        rows: their tokens.
        most: the largest number of new tokens of each.
        decoding: arguments of `model.generate`, including `eos_token_id`.
    """
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
