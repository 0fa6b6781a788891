"""Answers to the mazes of an evaluation, from baselines, files and models, scored and written in parts."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from ..environment.walks import Walk
from ..files import write_text
from ..mazes.baselines import BASELINES
from ..mazes.failures import decision_points, failure_of
from ..mazes.heuristics import decisions_of, solved_by
from ..mazes.prompts import format_answer
from ..mazes.reasoning import check_thought
from ..metrics.path_validity.lenient import score_lenient
from ..metrics.path_validity.scoring import parse_moves, read_maze, score_path
from ..models.budgets import largest_budget
from ..models.chat import how_read, render_prompt
from ..models.engines import load_engine
from ..models.sources import Source
from ..terminal import OnProgress
from .external import Predictions
from .predictions import write_part
from .questions import Questions, size_of, solution_of
from .schema import Prediction
from .stepwise import BATCHES_PER_PART as STEPWISE_BATCHES_PER_PART
from .stepwise import open_walker, random_of
from .walks import failure_of_walk

BATCHES_PER_PART = 16

# (rows of the dataset, index of the first, on_progress) -> the completions of each row, equally many per row.
Answerer = Callable[[list[dict], str, Callable[[int], None]], list[list[str]]]
# (split, rows of the dataset, index of the first, on_progress) -> the rows of predictions.parquet.
Predictor = Callable[[str, list[dict], str, Callable[[int], None]], list[Prediction]]
# What answers: a model to load, a file of answers, or, for None, a baseline.
Respondent = Source | Predictions | None


def answer_all(
    name: str, respondent: Respondent, questions: Questions, folder: Path, on_progress: OnProgress
) -> dict[str, list[Path]]:
    """Answer every maze that has no answer yet, and write the parts, and facts.json of a model or a file.

    Args:
        folder: of the parts.

    Returns:
        Split -> its parts, in order.
    """
    asked, decoding = questions.splits, questions.decoding
    batches = STEPWISE_BATCHES_PER_PART if questions.stepwise else BATCHES_PER_PART
    size = max(1, batches * decoding.batch_size // decoding.samples)
    total, done, predict = sum(count for _, count in asked.values()), 0, None
    parts: dict[str, list[Path]] = {split: [] for split in asked}
    for number, (split, (rows, count)) in enumerate(asked.items()):
        for start in range(0, count, size):
            chunk = range(start, min(start + size, count))
            part = folder / f"{number:03}-{start:09}.parquet"
            parts[split].append(part)
            if not part.exists():
                predict = predict or open_predictor(name, respondent, questions, folder)
                mazes = rows.select(chunk).to_list()

                def advance(n: int, before: int = done) -> None:
                    on_progress(name, before + n, total)

                write_part(part, predict(split, mazes, f"{split}/{start}", advance))
            done += len(chunk)
            on_progress(name, done, total)
    return parts


def open_predictor(name: str, respondent: Respondent, questions: Questions, folder: Path) -> Predictor:
    """The function that gets answers to mazes and scores them: whole paths, or walks step by step."""
    if questions.stepwise is None:
        answer = open_answerer(name, respondent, questions, folder)
        return lambda split, rows, start, advance: score_rows(name, split, rows, answer(rows, start, advance))
    assert not isinstance(respondent, Predictions)  # refused when it was named
    walk, observation = open_walker(name, respondent, questions, folder), questions.stepwise.observation
    return lambda split, rows, start, advance: score_walks(name, split, rows, walk(rows, start, advance), observation)


def open_answerer(name: str, respondent: Respondent, questions: Questions, folder: Path) -> Answerer:
    """The function that answers mazes; what results.json says of a model or a file goes to facts.json."""
    if respondent is None:
        return lambda rows, start, on_progress: [[baseline_answer(name, row)] for row in rows]
    if isinstance(respondent, Predictions):
        answers = respondent.answers
        write_text(folder / "facts.json", json.dumps({"sha256": respondent.sha256}))
        return lambda rows, start, on_progress: answers(rows)
    engine = load_engine(respondent)
    prompt, decoding = questions.prompt, questions.decoding
    tokens = questions.max_new_tokens or largest_budget(engine.tokenizer, questions.largest, questions.styles)
    tokens += how_read(engine.tokenizer).thinking_tokens
    facts = {
        **engine.facts,
        "max_new_tokens": tokens,
        "rendered_prompt": render_prompt(engine.tokenizer, prompt),
    }
    write_text(folder / "facts.json", json.dumps(facts))

    def answer(rows: list[dict], start: str, on_progress: Callable[[int], None]) -> list[list[str]]:
        return engine.complete([row["prompt"] for row in rows], tokens, decoding.for_part(start), on_progress)

    return answer


def baseline_answer(name: str, row: dict) -> str:
    """What a baseline answers."""
    return format_answer(BASELINES[name](read_maze(row["maze"]), random_of(name, row)))


def score_rows(name: str, split: str, rows: list[dict], completions: list[list[str]]) -> list[Prediction]:
    """The rows of predictions.parquet for one model and some mazes of a split.

    Args:
        completions: the samples of each maze.
    """
    return [scored for row, answers in zip(rows, completions) for scored in score_answers(name, split, row, answers)]


def score_walks(
    name: str, split: str, rows: list[dict], walks: list[list[Walk]], observation: str
) -> list[Prediction]:
    """The rows of predictions.parquet for step-by-step walks: the moves scored as an answer, and a walk's own columns.

    Args:
        walks: the samples of each maze.
    """
    completions = [[walk.completion for walk in of] for of in walks]
    scored = score_rows(name, split, rows, completions)
    predictions = []
    for prediction, walk in zip(scored, (walk for of in walks for walk in of)):
        # As an answer, a walk fails at its first move against a wall.
        failure = failure_of_walk(read_maze(prediction["maze"]), walk.episode)
        judged = {"failure": failure, "failure_move": None, "failure_junction": None}
        predictions.append(cast(Prediction, {**prediction, **walk.columns(observation), **judged}))
    return predictions


def score_answers(name: str, split: str, row: dict, completions: list[str]) -> Iterator[Prediction]:
    """One row for each sample; `vote` marks the first that takes the majority's walk."""
    maze = read_maze(row["maze"])
    walks = [parse_moves(completion, maze.start) for completion in completions]
    solution, voted, (width, height) = solution_of(row), majority(walks), size_of(row, maze)
    facts = {
        "id": row["id"],
        "model": name,
        "split": split,
        "size": f"{width}x{height}",
        "width": width,
        "height": height,
        "generator": row.get("generator"),
        "path_length": maze.shortest,
        "decision_points": decision_points(maze),
        "solved_by": " ".join(solved_by(maze)) if maze.shortest is not None else None,
        "maze": row["maze"],
    }
    for sample, completion in enumerate(completions):
        kind, move, junction = failure_of(maze, completion) or (None, None, None)
        score, thought = score_path(maze, completion), check_thought(maze, completion)
        decisions = decisions_of(maze, walks[sample] or "")
        prediction = {
            **facts,
            "sample": sample,
            "completion": completion,
            **score.to_dict(),
            **score_lenient(maze, completion, score)._asdict(),
            "exact": None if solution is None else walks[sample] == solution,
            "vote": sample == voted,
            "failure": kind,
            "failure_move": move,
            "failure_junction": junction,
            "decisions": decisions.made,
            "decisions_right": decisions.right,
            "decisions_against_greedy": decisions.against_greedy,
            "decisions_right_against_greedy": decisions.right_against_greedy,
        }
        if thought:
            prediction |= {"thought_length": thought.length, "thought_statements": thought.statements}
            prediction["thought_true"] = thought.share
        yield cast(Prediction, prediction)


def majority(walks: Sequence[str | None]) -> int:
    """The index of the first sample that takes the most frequent walk (Wang et al., 2023); of several, the earliest.

    Completions that are not a path have no vote, unless there are no others.
    """
    votes = Counter(walk for walk in walks if walk is not None)
    return walks.index(max(votes, key=votes.__getitem__)) if votes else 0
