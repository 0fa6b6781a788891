"""Finds questions: answers to the same maze, in a dataset's pairs or in the predictions of an evaluation.

Pairs with different walks come first, then those that differ only in the text, each in random order by the seed;
equal answers are never compared. One layout in ten, with all of its questions, is held out for validation, and the
gold questions use such mazes, so that a model trained on the answers has seen none of them.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from dataset_builder.checks import check_chat, check_maze, where_of
from dataset_builder.load import load_split

from ..errors import UsageError, reason
from ..evaluation.schema import read_results
from ..hub.local_paths import cut, distinct
from ..mazes.baselines import BASELINES
from ..mazes.prompts import PLAIN, Message, format_answer, prompt_messages, style_of
from ..metrics.path_validity.maze import GOAL, MOVES, OPEN, START, Maze
from ..metrics.path_validity.scoring import parse_moves, read_maze
from ..metrics.path_validity.svg import follow
from .collection import Answer, Mode, Question, drawn, question_id

# Most rows of a source that are read.
SCANNED = 20_000
GOLD_QUESTIONS = 64
KEPT_FOR_VALIDATION = 10  # one layout in so many
LOWEST, HIGHEST = 1, 5  # ratings


class Task(NamedTuple):
    """A maze with all of its answers."""

    maze: Maze
    prompt: list[Message]
    answers: list[Answer]


class Asked(NamedTuple):
    """The questions of a collection."""

    questions: tuple[Question, ...]
    gold: tuple[Question, ...]


def find_questions(source: str, split: str, limit: int, mode: Mode = "compare", seed: int = 0) -> Asked:
    """At most `limit` questions from a source, the most informative first, and gold questions.

    Args:
        source: a dataset with config `preference`, a predictions.parquet, or a folder with one.
        split: of the dataset, or of the predictions.

    Raises:
        UsageError: the source is none of these, or no two of its answers differ.
        AsciiMazeError: it cannot be read.
    """
    path = predictions_of(source)
    tasks = list(read_predictions(path, split) if path else read_pairs(source, split))
    held_out = layouts_for_validation([task.maze for task in tasks])
    ranked = heapq.nsmallest(limit, _ranked(tasks, held_out, mode, seed), key=lambda pair: pair[0])
    if not ranked:
        what = "two different answers to the same maze" if mode == "compare" else "an answer"
        raise UsageError(f"'{source}', split '{split}', has nothing to ask: there must be {what}")
    return Asked(tuple(question for _, question in ranked), tuple(_gold(tasks, held_out, mode, seed)))


def predictions_of(source: str) -> Path | None:
    """The predictions.parquet that a source names, directly or by the folder of an evaluation."""
    path = Path(source)
    if path.suffix == ".parquet" and path.is_file():
        return path
    inside = path / "predictions.parquet"
    return inside if path.is_dir() and inside.is_file() else None


def read_pairs(dataset: str, split: str) -> Iterator[Task]:
    """Config `preference` of a dataset as tasks of two answers, `chosen` and `rejected`."""
    rows = load_split(dataset, split, "preference", ("prompt", "chosen", "rejected", "maze"))
    for number, row in enumerate(rows.select(range(min(len(rows), SCANNED))).to_list()):
        where = where_of(dataset, split, number)
        maze = check_maze(row, where)
        for name in ("prompt", "chosen", "rejected"):
            check_chat(row[name], where)
        answers = [Answer(name, row[name][-1]["content"]) for name in ("chosen", "rejected")]
        yield Task(maze, row["prompt"], answers)


def read_predictions(path: Path, split: str) -> Iterator[Task]:
    """The answers of an evaluation's models, without baselines, as one task per maze.

    A model that was named by its path is named by the path's last part, since a collection may be published.

    Raises:
        UsageError: the file is not a predictions.parquet, or has step-by-step walks.
    """
    import pyarrow
    import pyarrow.parquet

    columns = ("model", "split", "maze", "completion")
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            optional = [name for name in ("observation",) if name in file.schema_arrow.names]
            rows = file.read(columns=[*columns, *optional]).to_pylist()
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise UsageError(f"{path} is not what `ascii-maze evaluate` writes: {reason(error)}") from error
    if missing := [name for name in columns if rows and name not in rows[0]]:
        raise UsageError(f"{path} is not what `ascii-maze evaluate` writes: no column {', '.join(missing)}")
    if any(row.get("observation") for row in rows):
        raise UsageError(f"{path} holds walks made step by step, which are not answers to compare; evaluate without")
    splits = sorted({row["split"] for row in rows})
    if rows and split not in splits:
        raise UsageError(f"{path} has no split '{split}'; it has {', '.join(splits)}")
    by_maze: dict[str, list[Answer]] = {}
    models = list(dict.fromkeys(row["model"] for row in rows))
    called = dict(zip(models, distinct(map(cut, models))))
    for row in rows:
        if row["split"] == split and row["model"] not in BASELINES:
            by_maze.setdefault(row["maze"], []).append(Answer(called[row["model"]], row["completion"]))
    for text, answers in list(by_maze.items())[:SCANNED]:
        maze = read_maze(text)
        yield Task(maze, _prompt(path, maze), answers)


def _prompt(path: Path, maze: Maze) -> list[Message]:
    """The prompt of predictions, from the results.json in the same folder; in the plain style if there is none."""
    results = path.parent / "results.json"
    if not results.is_file():
        return prompt_messages(maze)
    settings = read_results(results)["settings"]
    system = settings.get("system_prompt", "")
    rules = [{"role": "system", "content": system}] if system else []
    style = style_of(rules) if rules else PLAIN
    return [*rules, prompt_messages(maze, style)[-1]]


def layout(maze: Maze) -> str:
    """The map without S and G, the same for all its rotations and reflections, which determines the split."""
    blank = str.maketrans(START + GOAL, OPEN + OPEN)
    return min("\n".join(rows).translate(blank) for rows in maze.variants())


def layouts_for_validation(mazes: Sequence[Maze]) -> set[str]:
    """One layout in ten, chosen by hash; at least one if there are two."""
    found = sorted({layout(maze) for maze in mazes}, key=drawn)
    return set(found[: max(len(found) // KEPT_FOR_VALIDATION, int(len(found) > 1))])


def _ranked(tasks: Sequence[Task], held_out: set[str], mode: Mode, seed: int) -> Iterator[tuple[tuple, Question]]:
    """All questions of the tasks, with their sort keys."""
    for task in tasks:
        split = "validation" if layout(task.maze) in held_out else "train"
        for answers in two_of(task.answers) if mode == "compare" else one_of(task.answers):
            text = str(task.maze)
            name = question_id(text, answers)
            ordered = tuple(sorted(answers, key=lambda answer: drawn(name, answer.model, answer.completion)))
            walks = {parse_moves(answer.completion, task.maze.start) for answer in answers}
            key = (len(walks) < len(answers), drawn(seed, "order", name), name)
            yield key, Question(name, text, task.prompt, ordered, split)


def two_of(answers: Sequence[Answer]) -> Iterator[tuple[Answer, Answer]]:
    """All pairs of answers with different text: of two models, or of two samples if there is only one model."""
    several = len({answer.model for answer in answers}) > 1
    distinct = list(dict.fromkeys(answers))
    for one, two in combinations(distinct, 2):
        if one.completion != two.completion and (not several or one.model != two.model):
            yield one, two


def one_of(answers: Sequence[Answer]) -> Iterator[tuple[Answer]]:
    """Every answer once."""
    return ((answer,) for answer in dict.fromkeys(answers))


def _gold(tasks: Sequence[Task], held_out: set[str], mode: Mode, seed: int) -> list[Question]:
    """Questions with a known answer: a shortest path against a walk through a wall."""
    found: dict[str, Question] = {}
    for task in sorted(tasks, key=lambda task: drawn(seed, "gold", task.maze)):
        if len(found) >= GOLD_QUESTIONS:
            break
        path, crash = task.maze.solve(), walk_through_wall(task.maze)
        if not path or not crash or layout(task.maze) not in held_out:
            continue
        style, text = style_of(task.prompt), str(task.maze)
        good, bad = (
            Answer(name, format_answer(moves, style, task.maze.start))
            for name, moves in (("gold:path", path), ("gold:wall", crash))
        )
        if mode == "compare":
            name = question_id(text, (good, bad))
            answers = (good, bad) if drawn(name) % 2 else (bad, good)
            found[name] = Question(name, text, task.prompt, answers, "validation", best=answers.index(good))
            continue
        for answer, bounds in ((good, (HIGHEST - 1, HIGHEST)), (bad, (LOWEST, LOWEST + 1))):
            name = question_id(text, (answer,))
            found[name] = Question(name, text, task.prompt, (answer,), "validation", rating=bounds)
    return list(found.values())[:GOLD_QUESTIONS]


def walk_through_wall(maze: Maze) -> str | None:
    """A walk that follows a shortest path, cuts through one wall to the open ground behind it, and continues from
    there.

    The wall is a random one by the maze; None if no wall along the path has open ground behind it.
    """
    path, positions = maze.solve() or "", follow(maze, maze.solve() or "").positions
    cuts = [
        (count, move, behind)
        for count, (row, column) in enumerate(positions[:-1])
        for move, (down, right) in MOVES.items()
        for behind in [(row + 2 * down, column + 2 * right)]
        if not maze.is_open(row + down, column + right) and behind in maze.distances
    ]
    if not cuts:
        return None
    count, move, here = min(cuts, key=lambda cut: drawn(maze, cut))
    moves = path[:count] + 2 * move
    while here != maze.goal:
        onward, here = min(maze.neighbours(*here), key=lambda step: maze.distances[step[1]])
        moves += onward
    return moves
