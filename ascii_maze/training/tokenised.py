"""Rows tokenised and masked as TRL's trainers do it, by their own code, before there is a model.

TRL tokenises and masks in methods of its trainers. They are called here on uninitialised trainers with the few
attributes that they read; tests compare the result with that of a real trainer.
"""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

from ..errors import UsageError
from ..mazes.prompts import format_answer, style_of
from ..metrics.path_validity.maze import Maze
from ..models.chat import apply_template
from ..models.round_trip import Taught
from ..recipe.methods import METHODS
from .sft import marking_turns


class Part(NamedTuple):
    """A conversation in a row of a trainer.

    Attributes:
        side: `completion`, `chosen` or `rejected`.
        prompt_ids: without loss; None where the trainer knows no boundary, as that of a reward model.
        answer_ids: with loss; without a boundary, all tokens.
    """

    side: str
    prompt_ids: list[int] | None
    answer_ids: list[int]


def parts_of(row: dict[str, Any]) -> list[Part]:
    """The conversations in a row that a trainer of TRL's has tokenised; none in a row of prompts only.

    A row with several turns of the model has a part for each, with everything before it as the prompt.
    """
    if "labels" in row:
        ids, runs = row["input_ids"], _labelled(row["labels"])
        return [Part("completion", ids[:start], ids[start:end]) for start, end in runs]
    sides = [side for side in ("completion", "chosen", "rejected") if f"{side}_ids" in row or f"{side}_labels" in row]
    if sides and f"{sides[0]}_labels" in row:
        return [Part(side, *_masked(row[f"{side}_input_ids"], row[f"{side}_labels"])) for side in sides]
    return [Part(side, row.get("prompt_ids"), row[f"{side}_ids"]) for side in sides]


def _labelled(labels: list[int]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of tokens with loss."""
    counts = [label != -100 for label in labels]
    edges = [place for place, (before, here) in enumerate(pairwise([False, *counts, False])) if before != here]
    return list(zip(edges[::2], edges[1::2]))


def _masked(ids: list[int], labels: list[int]) -> tuple[list[int], list[int]]:
    return (
        [token for token, label in zip(ids, labels) if label == -100],
        [label for label in labels if label != -100],
    )


def taught_by(method: str, args, tokenizer, rows) -> list[Taught]:
    """Every conversation of some rows, tokenised and masked as the method's trainer does it.

    Args:
        args: TRL's config of the method.
        rows: a `datasets.Dataset` of the method's columns.
    """
    with _no_progress_bars():
        if METHODS[method].generates:
            return list(_rollouts(METHODS[method].trainer_class(), tokenizer, rows))
        return list(_conversations(method, args, tokenizer, rows))


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Hide the progress bars of `datasets`, which a few rows do not need."""
    from datasets.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

    shown = is_progress_bar_enabled()
    disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            enable_progress_bar()


def _conversations(method: str, args, tokenizer, rows) -> Iterator[Taught]:
    columns = rows.select_columns(columns_of(method, rows))
    tokenised = tokenise(method, args, tokenizer, columns)
    trainer = METHODS[method].trainer
    if trainer == "SFT":
        for row, talk in zip(tokenised, columns):
            yield from _turns(row, talk, args)
        return
    # KTO splits pairs into single completions, in columns of its own.
    messages = tokenised if trainer == "KTO" else columns
    for row, talk in zip(tokenised, messages):
        for part in parts_of(row):
            prompt_ids, answer_ids = part.prompt_ids, part.answer_ids
            if prompt_ids is None:
                asked = apply_template(tokenizer, talk["prompt"], add_generation_prompt=True, return_dict=False)
                prompt_ids, answer_ids = _parted(asked, answer_ids)
            yield Taught(talk["prompt"], talk[part.side][-1]["content"], prompt_ids, answer_ids)


def _turns(row: dict[str, Any], talk: dict[str, Any], args) -> Iterator[Taught]:
    """What each of the model's turns in a row teaches; a row truncated at `max_length` may lack the last ones."""
    messages, tools = [*talk["prompt"], *talk["completion"]], talk.get("tools")
    answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    answers = [place for place in answers if place >= len(talk["prompt"])]
    cut = args.max_length is not None and len(row["input_ids"]) >= args.max_length
    parts = parts_of(row)
    if cut and len(answers) > 1:
        parts, answers = parts[:-1], answers[: len(parts) - 1]
    if len(parts) != len(answers):
        raise UsageError(
            f"the loss is of {len(parts)} stretches of a row in which the model has {len(answers)} turns; "
            "set --assistant_only_loss true"
        )
    for part, place in zip(parts, answers):
        assert part.prompt_ids is not None
        content, calls = messages[place]["content"], messages[place].get("tool_calls")
        asked = messages[:place]
        yield Taught(asked, content, part.prompt_ids, part.answer_ids, calls, json.loads(tools) if tools else None)


def columns_of(method: str, rows) -> list[str]:
    """The columns of a dataset's rows that a method's trainer reads."""
    described = METHODS[method]
    tools = ["tools"] if described.trainer == "SFT" and "tools" in rows.column_names else []
    return [*described.columns, *tools]


def tokenise(method: str, args, tokenizer, rows):
    """Rows as the trainer of a method that does not generate would hold them."""
    described = METHODS[method]
    trainer_class = described.trainer_class()
    args = copy.copy(args)
    args.shuffle_dataset = args.packing = False  # of SFT; neither changes the tokens of a row
    if described.trainer == "ORPO":
        return _tokenise_orpo(trainer_class, args, tokenizer, rows)
    trainer = _uninitialised(trainer_class, _tokenizer=tokenizer, chat_template=None, calculate_KL=False)
    if described.trainer == "SFT":
        trainer.completion_only_loss = args.completion_only_loss is not False
        tokenizer = marking_turns(args, tokenizer)
        return trainer._prepare_dataset(rows, tokenizer, args, False, None, "train")
    return trainer._prepare_dataset(rows, tokenizer, args, "train")


def _tokenise_orpo(trainer_class: type, args, tokenizer, rows):
    from trl.data_utils import maybe_apply_chat_template

    from .orpo import rows_as_written

    trainer = _uninitialised(
        rows_as_written(trainer_class),
        processing_class=tokenizer,
        is_encoder_decoder=False,
        max_length=args.max_length,
    )
    texts = rows.map(maybe_apply_chat_template, fn_kwargs={"processing_class": tokenizer})
    return texts.map(trainer.tokenize_row)


def _rollouts(trainer_class: type, tokenizer, rows) -> Iterator[Taught]:
    """Prompts as the trainer tokenises them, with the rendered right answer as the completion."""
    trainer = _uninitialised(
        trainer_class,
        processing_class=tokenizer,
        chat_template=None,
        chat_template_kwargs={},
        tools=None,
        environment_factories=None,
        _is_vlm=False,
    )
    prompts, *_ = trainer._tokenize_prompts(list(rows["prompt"]))
    for row, prompt_ids in zip(rows, prompts):
        maze = Maze.from_ascii(row["maze"])
        answer = format_answer(maze.solve() or "R", style_of(row["prompt"]), maze.start)
        talk = [*row["prompt"], {"role": "assistant", "content": answer}]
        whole = apply_template(tokenizer, talk, return_dict=False)
        yield Taught(row["prompt"], answer, *_parted(prompt_ids, whole))


def _parted(asked: list[int], whole: list[int]) -> tuple[list[int], list[int]]:
    """Prompt and answer of a conversation that no trainer splits: the answer begins where the two differ."""
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(asked, whole)))
    return whole[:common], whole[common:]


def _uninitialised(trainer_class: type, **attributes) -> Any:
    trainer: Any = object.__new__(trainer_class)
    vars(trainer).update(attributes)
    return trainer
