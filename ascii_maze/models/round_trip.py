"""Checks that a tokenizer and its chat template preserve a dataset's rows, and that the scorer reads them back.

A template may trim a maze, leave out the rules, put an empty thought before an answer or nothing after it. The loss
still falls, but the model scores 0. So rows make the full round trip before any weight is loaded: rendered,
tokenised and masked by the trainer, decoded, and parsed by the scorer.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..mazes.prompts import Message
from ..metrics.path_validity.scoring import opened_thought, parse_moves
from .chat import read_answers, render_prompt, turn_ends
from .templates import SENTENCE, can_spell


class Taught(NamedTuple):
    """One conversation as tokenised by a trainer.

    Attributes:
        prompt: its messages.
        answer: the answer in the dataset.
        prompt_ids: tokens that carry no loss.
        answer_ids: tokens that do.
        calls: tool calls, if the answer has any.
        tools: their JSON schemas.
    """

    prompt: list[Message]
    answer: str
    prompt_ids: list[int]
    answer_ids: list[int]
    calls: list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None


def find_problem(tokenizer, taught: Taught) -> str | None:
    """A description of what the template or the tokenizer does wrong to a conversation; None if nothing."""
    text = render_prompt(tokenizer, taught.prompt, **({"tools": taught.tools} if taught.tools else {}))
    of_template = f"the chat template of '{tokenizer.name_or_path}'"
    problem = _prompt_problem(tokenizer, taught, text) or _answer_problem(tokenizer, taught, text)
    return problem and f"{of_template} {problem}"


def _prompt_problem(tokenizer, taught: Taught, text: str) -> str | None:
    system, maze = _content(taught.prompt, "system"), taught.prompt[-1]["content"]
    if maze not in text:
        trimmed = maze.strip() in text or all(line.strip() in text for line in maze.split("\n"))
        return "trims the maze: the blanks at its edges are gone" if trimmed else "changes the maze"
    if system not in text and can_spell(tokenizer, SENTENCE):
        return "leaves out the rules (the system message)"
    if maze not in tokenizer.decode(taught.prompt_ids, clean_up_tokenization_spaces=False):
        return "leads to tokens that do not decode to the same maze"
    return _boundary_problem(tokenizer, taught.prompt_ids, tokenizer(text, add_special_tokens=False)["input_ids"])


def _boundary_problem(tokenizer, trained: list[int], asked: list[int]) -> str | None:
    """The difference between the prompts of training and of generation."""
    bos = tokenizer.bos_token_id
    if bos is not None and asked[:2] == [bos, bos]:
        return f"begins with two {tokenizer.bos_token}"
    if trained == asked:
        return None
    if trained == asked[: len(trained)]:
        return (
            "renders a prompt that is not a prefix of prompt and answer: it ends in "
            f"{tokenizer.decode(asked[len(trained) :])!r}, but the whole continues differently"
        )
    if asked == trained[: len(asked)]:
        return f"leaves {tokenizer.decode(trained[len(asked) :])!r} before the answer, which no prompt has"
    return "leads to different prompt tokens in training and in generation"


def _answer_problem(tokenizer, taught: Taught, text: str) -> str | None:
    ends, opened = turn_ends(tokenizer), opened_thought(text)
    end = next((place for place, token in enumerate(taught.answer_ids) if token in ends), None)
    if end is None:
        return "writes no token that ends an answer: a model would never learn to stop"
    (read,) = read_answers(tokenizer, [taught.answer_ids], ends, opened)
    if taught.calls:
        return _calls_problem(tokenizer, taught, read)
    if parse_moves(read) != parse_moves(taught.answer):
        return _misread(read, taught.answer, opened)
    if read != taught.answer and not (opened and _same_but_for_blanks(read, taught.answer)):
        return _misread(read, taught.answer, opened)
    if rest := taught.answer_ids[end + 1 :]:
        return f"continues after the end of an answer with {tokenizer.decode(rest)!r}, which is trained on too"
    return None


def _calls_problem(tokenizer, taught: Taught, read: str) -> str | None:
    """The fault of a rendered tool call, parsed by the tokenizer itself if it can."""
    if getattr(tokenizer, "response_template", None) is not None:
        found = tokenizer.parse_response(taught.answer_ids, prefix=taught.prompt_ids).get("tool_calls")
        return None if found == taught.calls else f"writes a tool call as {read[:60]!r}, which is read back as {found}"
    words = [call["function"]["name"] for call in taught.calls or ()]
    return None if all(word in read for word in words) else f"writes a tool call as {read[:60]!r}"


def _misread(read: str, answer: str, opened: str) -> str:
    if opened and read == opened + answer:
        return f"opens a thought ({opened}) that the answer {answer[:40]!r} does not close; leave out 'thinking'"
    if before := read.removesuffix(answer) if read.endswith(answer) else "":
        return f"puts {before!r} before the answer, which is trained on: the model would learn to write it"
    return f"writes the answer {answer[:60]!r} as {read[:60]!r}"


def _same_but_for_blanks(one: str, other: str) -> bool:
    return "".join(one.split()) == "".join(other.split())


def _content(prompt: Sequence[Message], role: str) -> str:
    return next((message["content"] for message in prompt if message["role"] == role), "")
