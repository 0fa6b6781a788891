"""Loads the rows of a run and checks them before it starts."""

import hashlib
import json
import re
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from dataset_builder.checks import check_chat, check_maze, check_tools, where_of
from dataset_builder.load import first_rows, limited_places, load_split
from dataset_builder.schema import RECORD, read_record

from ..configuration import parse_weights
from ..environment.observations import Observation
from ..errors import AsciiMazeError, UsageError
from ..mazes.prompts import PromptStyle, style_of
from ..metrics.path_validity.maze import Maze, MazeError
from ..models.budgets import answer_budget, thought_budget
from ..models.chat import apply_template
from ..models.loading import context_of
from ..recipe import Arguments
from .mixture import mix

ANSWERS = ("completion", "chosen", "rejected")


def load_rows(arguments: Arguments, columns: tuple[str, ...]):
    """Load the rows to train on, and those to evaluate on if the recipe evaluates, else None, with all columns.

    Raises:
        AsciiMazeError: no such dataset, config or split, or it lacks a column, or a maze is in both splits.
    """
    script, run = arguments.script, arguments.run
    if not script.dataset_name:
        raise UsageError("no 'dataset_name'; give a folder that `ascii-maze build` made, or a Hub id")
    name, config, train = script.dataset_name, script.dataset_config, script.dataset_train_split
    seen = run.stepwise if "completion" in columns else None
    if run.dataset_mix is None:
        train_rows = rows_in_sight(load_split(name, train, config, columns), seen)
    else:
        weights = parse_weights("dataset_mix", run.dataset_mix)
        parts = {part: rows_in_sight(load_split(part, train, config, columns), seen) for part in weights}
        train_rows = mix(parts, weights, columns, arguments.training.seed)
    train_rows = first_rows(train_rows, run.train_limit)
    check_content(train_rows, name, train)
    if arguments.training.eval_strategy == "no":
        return train_rows, None
    eval_rows = rows_in_sight(load_split(name, script.dataset_test_split, config, columns), seen)
    places = limited_places(eval_rows, run.eval_limit)
    eval_rows = eval_rows.select(places)
    check_content(eval_rows, name, script.dataset_test_split, places)
    shared = overlap(train_rows, eval_rows)
    if shared:
        raise AsciiMazeError(
            f"{shared} of the mazes to evaluate on are also in split '{script.dataset_train_split}', perhaps rotated "
            "or mirrored; the figures would be meaningless: choose another --dataset_test_split"
        )
    return train_rows, eval_rows


def check_content(rows, dataset: str, split: str, places: Iterable[int] | None = None) -> None:
    """Check what is trained on, row by row: chat messages, tools, and what is stated of a maze.

    Args:
        places: of the rows in the split; by default they are its first.

    Raises:
        AsciiMazeError: a row has something else, or states what is false.
    """
    chats = [name for name in ("prompt", *ANSWERS) if name in rows.column_names]
    numbers = iter(places) if places is not None else count()
    for part in rows.with_format("arrow").iter(1000):
        for row, number in zip(part.to_pylist(), numbers):
            where = where_of(dataset, split, number)
            for name in chats:
                check_chat(row[name], where, name)
            if "tools" in row:
                check_tools(row["tools"], where)
            if "maze" in row:
                check_maze(row, where)


def rows_in_sight(rows, observation: str | None):
    """The rollouts of config `steps` with one observation; all rows if none is named, or of another config.

    Raises:
        UsageError: no rollout has that observation, or there is none of that name.
    """
    observation = observation and str(Observation.parse(observation))
    if observation is None or "observation" not in rows.column_names:
        return rows
    names = rows["observation"][:]
    kept = rows.select([place for place, name in enumerate(names) if name == observation])
    if not len(kept):
        raise UsageError(
            f"no walk of the dataset sees '{observation}'; set --stepwise to one of {', '.join(sorted(set(names)))}"
        )
    return kept


def identify_rows(script, rows, dataset_mix: str | None = None) -> dict:
    """Identify the rows that a run trains on, so that others can tell whether theirs are the same.

    Args:
        dataset_mix: of the recipe, where several datasets were mixed.

    Returns:
        `name`, `config` and `split`; `rows`, how many; `sha256` of their content in this order; `revision`, the commit
        of a dataset on the Hub; `built`, the name and seed of the build of a local one; `mix`, the weights of datasets
        that were mixed.
    """
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, default=repr).encode() + b"\n")  # such as dates
    # `datasets` reads files of the Hub under addresses like hf://datasets/ORG/NAME@COMMIT/PATH.
    sources = rows.info.download_checksums or {}
    revisions = {found[1] for source in sources if (found := re.search(r"@([0-9a-f]{40})/", source))}
    folder = Path(script.dataset_name)
    built = read_record(folder) if (folder / RECORD).is_file() and dataset_mix is None else None
    return {
        "name": script.dataset_name,
        "config": script.dataset_config,
        "split": script.dataset_train_split,
        "rows": len(rows),
        "sha256": digest.hexdigest(),
        "revision": revisions.pop() if len(revisions) == 1 else None,
        "built": built and {"name": built["config"]["name"], "seed": built["seed"]},
        **({} if dataset_mix is None else {"mix": parse_weights("dataset_mix", dataset_mix)}),
    }


def maze_texts(rows) -> list[str]:
    """The maze of each row: its column, or else the user's message, which is the maze alone in some style."""
    if "maze" in rows.column_names:
        return list(rows["maze"])
    return [_plain(prompt[-1]["content"], style_of(prompt).maze) for prompt in rows["prompt"]]


def _plain(text: str, style: str) -> str:
    """A maze in style `hash`; a text that is not a maze is returned unchanged."""
    try:
        return str(Maze.from_text(text, style))
    except MazeError:
        return text


def overlap(train_rows, eval_rows) -> int:
    """How many mazes to evaluate on are among the rows to train on, also rotated, mirrored or reversed."""
    trained = set(maze_texts(train_rows))
    return sum(any(text in trained for text in variants(text)) for text in set(maze_texts(eval_rows)))


def variants(text: str) -> Iterable[str]:
    """The text and, if it is a maze, its rotations and reflections."""
    try:
        return ("\n".join(rows) for rows in Maze.from_ascii(text).variants())
    except MazeError:
        return (text,)


def styles_in(rows) -> set[PromptStyle]:
    """The styles of the prompts of a dataset's rows, found without reading every row."""
    import pyarrow.compute as compute

    firsts = compute.list_element(rows.with_format("arrow")[:]["prompt"], 0)
    rules = compute.unique(compute.struct_field(firsts, "content"))
    return {style_of([{"content": text}]) for text in rules.to_pylist()}


def conversations(row: dict) -> list[list[dict]]:
    """The conversations of a row: the prompt with each of its answers, or alone."""
    answers = [row[column] for column in ANSWERS if row.get(column) is not None]
    return [row["prompt"] + answer for answer in answers] or [row["prompt"]]


def messages_of(rows):
    """The columns of messages of a dataset's rows, and of the tools that they call."""
    return rows.select_columns([name for name in ("prompt", *ANSWERS, "tools") if name in rows.column_names])


def tools_of(row: dict) -> dict:
    """The tools that a row's messages call, as a chat template takes them."""
    return {"tools": json.loads(row["tools"])} if row.get("tools") else {}


def by_characters(rows) -> list[int]:
    """The indices of rows, from the one with the shortest conversation to that with the longest."""
    kept = messages_of(rows)
    characters = [max(sum(len(m["content"]) for m in talk) for talk in conversations(row)) for row in kept]
    return sorted(range(len(kept)), key=characters.__getitem__)


class Lengths(NamedTuple):
    """Tokens per row.

    Attributes:
        sample: of the longest conversation of each sampled row, ascending.
        most: of the longest conversation of all rows.
        mean: of all conversations of a row together.
    """

    sample: list[int]
    most: int
    mean: float


def measure_lengths(rows, tokenizer, sample: int = 512) -> Lengths:
    """Count tokens of `sample` evenly spaced rows; for `most`, also of the 64 with the most characters."""
    kept, by_length = messages_of(rows), by_characters(rows)

    def tokens(indices) -> list[list[int]]:
        def length(talk: list[dict], row: dict) -> int:
            return len(apply_template(tokenizer, talk, return_dict=False, **tools_of(row)))

        return [[length(talk, row) for talk in conversations(row)] for row in kept.select(indices)]

    even, long = tokens(range(0, len(kept), max(1, len(kept) // sample))), tokens(by_length[-64:])
    longest = sorted(max(talks) for talks in even)
    return Lengths(longest, max(map(max, even + long)), sum(map(sum, even)) / len(even))


def check_lengths(rows, lengths: Lengths, tokenizer, training, generates: bool) -> None:
    """Refuse a token limit that would truncate a maze or an answer.

    Args:
        training: TRL's config.
        generates: as the method says.

    Raises:
        UsageError: `max_length` is below the longest row, or `max_completion_length` below the longest shortest path.
    """
    limit, most = getattr(training, "max_length", None), lengths.most
    turns = turns_in(rows)
    if turns > 1 and not training.assistant_only_loss:
        raise UsageError(
            f"rows have up to {turns} turns of the model, and the loss would be of all that it is told between them: "
            "set --assistant_only_loss true"
        )
    if limit is not None and most > limit and turns < 2:  # a walk cut at a turn still teaches its first turns
        raise UsageError(
            f"max_length is {limit} and the longest row has {most} tokens; a truncated maze teaches nothing: "
            f"set --max_length {most}"
        )
    if generates and "path_length" in rows.column_names:
        longest = max((moves for moves in rows["path_length"] if moves is not None), default=0)
        needed = max(answer_budget(tokenizer, longest, style) for style in styles_in(rows))
        if training.max_completion_length < needed:
            raise UsageError(
                f"max_completion_length is {training.max_completion_length} and the longest right answer needs "
                f"{needed} tokens: set --max_completion_length {needed}"
            )


def turns_in(rows) -> int:
    """The most turns that a model has in a completion of some rows; 0 where there are none."""
    if "completion" not in rows.column_names:
        return 0
    import pyarrow.compute as compute

    messages = compute.max(compute.list_value_length(rows.with_format("arrow")[:]["completion"])).as_py()
    return (messages + 1) // 2


def thought_room(rows, tokenizer) -> int:
    """The most tokens that reasoning before an answer may take, over the styles of the rows; 0 without reasoning. A
    search of their largest maze fits.
    """
    thinking = {style for style in styles_in(rows) if style.reasoning != "none"}
    if not thinking:
        return 0
    largest = Maze.from_ascii(max(maze_texts(rows), key=len))
    return max(thought_budget(tokenizer, largest, style) for style in thinking)


def check_positions(model, longest: int, rollout: int) -> None:
    """Refuse rows that are longer than the model's positions.

    Args:
        longest: tokens of the longest row, after truncation.
        rollout: most tokens that the model adds to a row.

    Raises:
        UsageError: the longest row and the rollout have more tokens than the model has positions.
    """
    most = context_of(model)
    needed = longest + rollout
    if most and needed > most:
        raise UsageError(
            f"the model reads {most} tokens at most and this run needs {needed}; take a model of more positions, or a "
            "dataset of smaller mazes"
        )
