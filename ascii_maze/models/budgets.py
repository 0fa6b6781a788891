"""How many tokens an answer may have, how many rows fit a device, and what a model can read."""

from collections.abc import Iterable, Sequence

from ..errors import AsciiMazeError
from ..mazes.baselines import open_positions
from ..mazes.prompts import PLAIN, Message, PromptStyle, format_answer, style_of
from ..mazes.reasoning import longest_thought, wrap
from ..metrics.path_validity.maze import Maze
from .chat import count_tokens, how_read, render_prompt

ROOM = 2 * 2**30  # bytes of keys and values of a batch without a GPU


def rows_at_once(model, tokens: int) -> int:
    """How many completions to generate at once: on a GPU those whose keys and values take an eighth of its memory, so
    that the number is the same whatever else runs on it; elsewhere those whose take `ROOM` bytes, and at most 64,
    since more are no faster.

    Args:
        tokens: of the longest row, prompt and completion.
    """
    import torch

    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    kept = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize * tokens
    if model.device.type != "cuda":
        return min(64, max(1, ROOM // kept))
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


def check_context(most: int | None, longest: int, max_new_tokens: int) -> None:
    """Check that prompts and answers are no longer than what a model reads; rotary positions beyond it would only give
    worse answers.

    Args:
        most: tokens that the model reads; None if its config does not say.
        longest: tokens of the longest prompt.

    Raises:
        AsciiMazeError: they are longer.
    """
    if most is None or longest + max_new_tokens <= most:
        return
    remedy = "give a smaller --max-new-tokens, or" if longest < most else "take"
    raise AsciiMazeError(
        f"the model reads {most:,} tokens at most, the longest prompt has {longest:,}, and its answer may have "
        f"{max_new_tokens:,}; {remedy} smaller mazes, or a model of more positions"
    )
