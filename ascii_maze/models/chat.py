"""Renders conversations for a model, decodes its answers, and finds the tokens that end its turn."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from ..errors import AsciiMazeError, reason
from ..mazes.prompts import Message
from ..metrics.path_validity.scoring import THOUGHTS, opened_thought

# An answer that no template changes or repeats, for finding what a template writes after an answer.
_PROBE = "RRDDLLUU"
THINKING_TOKENS = 1_024
# The key of a tokenizer's `Reading` in tokenizer_config.json.
NOTE = "ascii_maze"


class Chat(NamedTuple):
    """Options for rendering conversations; None leaves a choice to the tokenizer.

    Attributes:
        template: Jinja to replace the tokenizer's own template, or `plain` to concatenate the messages.
        thinking: leave room for a thought before the answer, if the family's template has a switch for it.
        thinking_tokens: the most tokens of a thought, in addition to those of the answer.
    """

    template: str | None = None
    thinking: bool | None = None
    thinking_tokens: int | None = None


AS_IT_IS = Chat()


class Reading(NamedTuple):
    """How conversations are rendered for a tokenizer, as stored in records.

    Attributes:
        template: `own`, that of its family; `plain`; or `given`, from a file.
        thinking_tokens: 0 without thinking.
        pinned_date: the ISO date that a template with a date writes.
    """

    template: str = "own"
    thinking: bool = False
    thinking_tokens: int = 0
    pinned_date: str | None = None


def how_read(tokenizer) -> Reading:
    """The `Reading` that `templates.set_chat_template` stored in a tokenizer and that is saved with it."""
    return reading_of(tokenizer.init_kwargs)


def describe_reading(tokenizer) -> dict[str, Any]:
    """How conversations are rendered for a tokenizer, for records: its `Reading` and the digest of its template."""
    digest = hashlib.sha256(str(tokenizer.chat_template).encode()).hexdigest()
    return {**how_read(tokenizer)._asdict(), "template_sha256": digest}


def reading_of(config: Mapping[str, Any]) -> Reading:
    """The `Reading` in a tokenizer_config.json, which is untrusted; invalid values are ignored."""
    noted = config.get(NOTE)
    noted = noted if isinstance(noted, Mapping) else {}
    template, date, room = (noted.get(key) for key in ("template", "pinned_date", "thinking_tokens"))
    room = room if isinstance(room, int) and 0 < room < 2**31 else 0
    return Reading(
        template if template in ("plain", "given") else "own",
        noted.get("thinking") is True,
        room if noted.get("thinking") is True else 0,
        date if isinstance(date, str) and len(date) == 10 else None,
    )


def note_reading(tokenizer, reading: Reading) -> None:
    """Store a `Reading` in a tokenizer."""
    tokenizer.init_kwargs[NOTE] = reading._asdict()


def apply_template(tokenizer, talk, **options: Any) -> Any:
    """`tokenizer.apply_chat_template`, of a template that may be anyone's.

    Raises:
        AsciiMazeError: the template fails, as one that refuses these messages does.
    """
    try:
        return tokenizer.apply_chat_template(talk, **options)
    except Exception as error:  # what a template calls may raise anything
        raise AsciiMazeError(f"the chat template of '{tokenizer.name_or_path}' fails: {reason(error)}") from error


def render_prompt(tokenizer, prompt: list[Message], **options: Any) -> str:
    """The text that the model is given to complete.

    Args:
        options: variables of the template, such as `enable_thinking`.

    Raises:
        AsciiMazeError: the template fails.
    """
    return apply_template(tokenizer, prompt, tokenize=False, add_generation_prompt=True, **options)


def count_tokens(tokenizer, text: str) -> int:
    """The number of tokens of a text, without special tokens."""
    return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])  # may be longer than the context


def thought_of_prompts(tokenizer, **options: Any) -> str:
    """The opening tag of a thought with which every prompt ends, which an answer then continues; or "".

    Args:
        options: variables of the template, such as `enable_thinking`.
    """
    return opened_thought(render_prompt(tokenizer, [{"role": "user", "content": "S G"}], **options))


def read_answers(tokenizer, answers: Sequence[Sequence[int]], ends: Sequence[int], opened: str = "") -> list[str]:
    """New tokens -> what was answered: up to the first token that ends a turn, without special tokens.

    The tags of thoughts are kept even if they are special tokens, such as the channels of GPT-OSS: without them a
    thought could not be told from the answer.

    Args:
        answers: tokens that were generated after one prompt or several.
        ends: from `turn_ends`.
        opened: from `thought_of_prompts`; the answer continues that thought.
    """
    kept = [list(takewhile(lambda token: token not in ends, tokens)) for tokens in answers]
    marks = special_marks(tokenizer, ends)
    if not marks:
        return [opened + text for text in tokenizer.batch_decode(kept, skip_special_tokens=True)]
    return [opened + _decode_with(tokenizer, tokens, marks) for tokens in kept]


def special_marks(tokenizer, ends: Sequence[int]) -> dict[int, str]:
    """Special tokens that are part of the tags of thoughts, and that decoding would skip: token -> text.

    Args:
        ends: from `turn_ends`; a token that ends an answer is not a tag, such as Phi's `<|end|>`.
    """
    special = {
        number: token.content
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special and token.content.strip() and number not in ends
    }
    return {
        number: text for number, text in special.items() if any(text in mark for pair in THOUGHTS for mark in pair)
    }


def _decode_with(tokenizer, tokens: Sequence[int], marks: Mapping[int, str]) -> str:
    text, begin = "", 0
    for place, token in enumerate([*tokens, None]):
        if token is None or token in marks:
            mark = "" if token is None else marks[token]
            text += tokenizer.decode(tokens[begin:place], skip_special_tokens=True) + mark
            begin = place + 1
    return text


def turn_ends(tokenizer, model=None) -> list[int]:
    """The tokens that end an answer: the tokenizer's eos, the model's, and the one that the template writes after a
    turn.

    The template's need not be the eos: `<|im_end|>` and `<|endoftext|>`, for example. A model trained on the
    template ends its answers with the former, and would otherwise generate up to the token limit.
    """
    config = getattr(model, "generation_config", None)
    own = getattr(config, "eos_token_id", None)
    ends = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own]), written_after_a_turn(tokenizer)}
    return sorted(ends - {None})


def written_after_a_turn(tokenizer) -> int | None:
    """The special token that the chat template writes after an answer; None if it writes none."""
    talk = [{"role": "user", "content": "S G"}, {"role": "assistant", "content": _PROBE}]
    try:
        text = apply_template(tokenizer, talk, tokenize=False)
    except AsciiMazeError:  # a template may reject any conversation
        return None
    _, _, after = text.rpartition(_PROBE)
    tokens = tokenizer(after.lstrip(), add_special_tokens=False)["input_ids"]
    return tokens[0] if tokens and tokens[0] in tokenizer.added_tokens_decoder else None
