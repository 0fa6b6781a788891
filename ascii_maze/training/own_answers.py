"""Rows made of the model's own answers, before a run: `own_answers: 4` in a recipe.

The model that the run starts from answers every row of the train split that many times. SFT then learns those of its
distinct shortest walks (rejection sampling fine-tuning, RFT: Yuan et al.,
arXiv:2308.01825); methods of pairs learn the best walk against a worse one, as `build --preferences-from` makes them.
A maze without such a walk is left out.

A budget of tokens is one of tokens trained on, as for the methods that train on every rollout; one of seconds covers
sampling, too. `train_limit` says how many mazes are asked. Answers are kept in parts in the run's folder, so an
interrupted run asks only what is missing. The processes of a run share the parts and need a common disk.
"""

import gc
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

from dataset_builder.on_policy import TEMPERATURE, best_and_worse

from ..errors import AsciiMazeError, UsageError, printable
from ..files import read_json, remove_inside, write_text
from ..metrics.path_validity.maze import Maze
from ..metrics.path_validity.scoring import score_path
from ..models.budgets import tokens_read
from ..models.generation import Decoding, answer_mazes
from ..models.loading import load_model_to_train
from ..recipe import Arguments
from ..recipe.methods import METHODS, methods_that
from ..recipe.run_metrics import OwnAnswers
from .data import maze_texts

FOLDER = "own_answers"
CHUNK = 256  # mazes of a part


class Part(TypedDict):
    """A file of answers: the samples of each of its mazes, and the tokens and seconds that sampling took."""

    answers: list[list[str]]
    tokens: int
    seconds: float


class Row(NamedTuple):
    """A row to train on, made from the dataset's row `place`; `texts` are its answers, by column."""

    place: int
    texts: dict[str, str]
    kind: str | None


def check_own_answers(method: str, samples: int) -> None:
    """Check that a method can learn from this number of the model's own answers.

    Raises:
        UsageError: it cannot.
    """
    described = METHODS[method]
    if not described.learns_from_answers:
        those = methods_that(lambda one: one.learns_from_answers)
        raise UsageError(f"'own_answers' is for {those}; leave it out of a recipe of {method}")
    if samples < 2 and "rejected" in described.columns:
        raise UsageError(f"'own_answers' is {samples}, and {method} learns from pairs; give 2 or more")


def own_rows(method: str, arguments: Arguments, rows, tokenizer, reads: dict[str, str], out: Path):
    """Sample answers, or read those already sampled, and make rows of them; every process of a run calls this.

    Args:
        rows: whose mazes are asked, with all their columns.
        reads: from `folder.what_is_read`; answers of another model are not used again.
        out: the run's folder, which the first process holds.

    Returns:
        Rows with the same columns, a digest of what the model answered, and what it cost.

    Raises:
        AsciiMazeError: no answer is usable, or another process's answers are not on this disk.
    """
    from accelerate import PartialState

    training, samples = arguments.training, cast(int, arguments.run.own_answers)
    key = _key_of([reads, _digest(rows), samples, training.seed, TEMPERATURE, CHUNK])
    starts = range(0, len(rows), CHUNK)
    files = [out / FOLDER / f"{key}-{start:09d}.json" for start in starts]
    first_process = training.process_index == 0
    if first_process:
        remove_others(out, key)
    todo = [
        (start, file)
        for number, (start, file) in enumerate(zip(starts, files))
        if number % training.world_size == training.process_index and not file.is_file()
    ]
    if todo:
        ask = _asker(arguments, tokenizer, samples)
        for start, file in todo:
            write_text(file, json.dumps(ask(rows.select(range(start, min(start + CHUNK, len(rows)))), start)))
            if first_process:
                print(f"own answers: {min(start + CHUNK, len(rows)):,} of {len(rows):,} mazes asked", flush=True)
        del ask
        gc.collect()
    PartialState().wait_for_everyone()
    if missing := [file for file in files if not file.is_file()]:
        raise AsciiMazeError(f"{missing[0]} is missing: the processes of a run with own answers need a common disk")
    parts = [cast(Part, read_json(file)) for file in files]
    answers = [of_maze for part in parts for of_maze in part["answers"]]
    made = made_rows(METHODS[method].columns, rows, answers)
    cost = OwnAnswers(
        mazes=len(rows),
        answers=samples * len(rows),
        rows=len(made),
        tokens=sum(part["tokens"] for part in parts),
        seconds=round(sum(part["seconds"] for part in parts), 3),
    )
    if not made:
        raise AsciiMazeError(
            f"none of the model's {cost['answers']:,} own answers can be used by {method}: raise own_answers or "
            "train_limit, or start from a model that walks better"
        )
    if first_process:
        print(printable(in_words(cost)), flush=True)
    return with_answers(rows, made), _key_of(answers), cost


def in_words(cost: OwnAnswers) -> str:
    """What sampling gave and cost, in a line."""
    return (
        f"own answers: {cost['answers']:,} sampled on {cost['mazes']:,} mazes make {cost['rows']:,} rows; "
        f"{cost['tokens']:,} tokens in {cost['seconds']:.0f} s"
    )


def remove_others(out: Path, key: str) -> None:
    """Remove answers that were sampled for another run in this folder."""
    for file in (out / FOLDER).glob("*.json"):
        if not file.name.startswith(f"{key}-"):
            remove_inside(file, out)


def _asker(arguments: Arguments, tokenizer, samples: int) -> Callable[[Any, int], Part]:
    """The model that the run starts from, as a function that samples answers to some rows."""
    import time

    from accelerate import PartialState
    from transformers.integrations import is_deepspeed_zero3_enabled

    if is_deepspeed_zero3_enabled():
        raise UsageError(
            "'own_answers' does not work with ZeRO-3, in which no process holds the whole model; use FSDP or ZeRO-2"
        )
    began = time.monotonic()
    seed = arguments.training.seed
    model = load_model_to_train(arguments.model, arguments.run.adapter_name_or_path, seed).eval()
    if not getattr(model, "is_quantized", False):
        model = model.to(PartialState().device)

    def ask(rows, start: int) -> Part:
        nonlocal began
        asked = [{"prompt": prompt, "maze": maze} for prompt, maze in zip(rows["prompt"], maze_texts(rows))]
        decoding = Decoding(samples, TEMPERATURE, seed, batch_size=0).for_part(str(start))
        answers = answer_mazes(model, tokenizer, asked, decoding)
        tokens = tokens_read(tokenizer, rows["prompt"], answers)
        began, before = time.monotonic(), began
        return Part(answers=answers, tokens=tokens, seconds=round(began - before, 3))

    return ask


def made_rows(columns: Sequence[str], rows, answers: Sequence[Sequence[str]]) -> list[Row]:
    """The rows that some answers make.

    Args:
        columns: of the method: a completion, or a pair of a chosen and a rejected one.
        rows: that were asked.
        answers: to each.
    """
    made = []
    for place, (maze, of_maze) in enumerate(zip(map(Maze.from_ascii, maze_texts(rows)), answers)):
        if "rejected" in columns:
            key = str(rows[place].get("id", place))
            if pair := best_and_worse(maze, list(of_maze), key):
                made.append(Row(place, {"chosen": pair[0], "rejected": pair[1]}, pair[2]))
        else:
            right = dict.fromkeys(answer.strip() for answer in of_maze if score_path(maze, answer).optimal)
            made += [Row(place, {"completion": answer}, None) for answer in right]
    return made


def with_answers(rows, made: Sequence[Row]):
    """Rows of a dataset with other answers in them, and the same columns."""
    chosen = rows.select([row.place for row in made])
    columns: dict[str, list] = {
        name: [[{"role": "assistant", "content": row.texts[name]}] for row in made] for name in made[0].texts
    }
    if "rejected_kind" in rows.column_names:
        columns["rejected_kind"] = [row.kind for row in made]
    for name, values in columns.items():
        chosen = chosen.remove_columns(name).add_column(name, values, feature=rows.features[name])
    return chosen.select_columns(rows.column_names)


def _digest(rows) -> str:
    return _key_of([rows["prompt"][:], maze_texts(rows)])


def _key_of(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
