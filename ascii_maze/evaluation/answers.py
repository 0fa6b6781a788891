"""Answers to the mazes of an evaluation, from baselines, files and models, scored and written in parts."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..files import write_text
from ..mazes.baselines import BASELINES
from ..mazes.failures import decision_points, failure_of
from ..mazes.prompts import format_answer, style_of
from ..metrics.path_validity.scoring import parse_moves, read_maze, score_path
from ..models.engines import load_engine
from ..models.generation import Decoding, answer_budget
from ..terminal import OnProgress
from .external import is_predictions, open_predictions
from .predictions import write_part
from .schema import Prediction

BATCHES_OF_A_PART = 16

# The completions of some rows of the dataset, so many for each; told where they stand, for its seed, and reporting.
Answerer = Callable[[list[dict], str, Callable[[int], None]], list[list[str]]]


@dataclass(frozen=True)
class Questions:
    """What every model is asked, and how it is to answer.

    Attributes:
        splits: split -> the rows of its config `prompts`, and how many of the first of them are asked.
        longest: open positions of the roomiest maze.
        max_new_tokens: where an answer is cut; None for where a walk has had time to stand everywhere once.
    """

    splits: dict[str, tuple]
    longest: int
    decoding: Decoding
    max_new_tokens: int | None

    @property
    def prompt(self) -> list[dict]:
        """The first prompt, by whose rules all of them go."""
        return next(rows[0]["prompt"] for rows, _ in self.splits.values())


def answer_all(
    name: str, location: str | None, questions: Questions, folder: Path, on_progress: OnProgress
) -> dict[str, list[Path]]:
    """Have every maze answered that has not been yet, and write the parts and facts.json.

    Args:
        location: of the model; None for a baseline.
        folder: for the parts.

    Returns:
        Split -> its parts, in order.
    """
    asked, decoding = questions.splits, questions.decoding
    size = max(1, BATCHES_OF_A_PART * decoding.batch_size // decoding.samples)
    total, done, answer = sum(count for _, count in asked.values()), 0, None
    parts: dict[str, list[Path]] = {split: [] for split in asked}
    for split, (rows, count) in asked.items():
        for start in range(0, count, size):
            chunk = range(start, min(start + size, count))
            part = folder / f"{split}-{start:09}.parquet"
            parts[split].append(part)
            if not part.exists():
                answer = answer or open_answerer(name, location, questions, folder)
                mazes = rows.select(chunk).to_list()

                def tell(n: int, before: int = done) -> None:
                    on_progress(name, before + n, total)

                completions = answer(mazes, f"{split}/{start}", tell)
                write_part(part, score_rows(name, split, mazes, completions))
            done += len(chunk)
            on_progress(name, done, total)
    return parts


def open_answerer(name: str, location: str | None, questions: Questions, folder: Path) -> Answerer:
    """What answers mazes: a baseline, a file or a model; what is to be known of it goes to facts.json."""
    if location is None:
        return lambda rows, place, on_progress: [[baseline_answer(name, row)] for row in rows]
    if is_predictions(location):
        answers = open_predictions(Path(location), questions.splits, questions.decoding.samples)
        write_text(folder / "facts.json", json.dumps({"sha256": digest_of(Path(location))}))
        return lambda rows, place, on_progress: answers(rows)
    engine = load_engine(location)
    prompt, decoding = questions.prompt, questions.decoding
    tokens = questions.max_new_tokens or answer_budget(engine.tokenizer, questions.longest, style_of(prompt))
    text = engine.tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    facts = {**engine.facts, "max_new_tokens": tokens, "rendered_prompt": text}
    write_text(folder / "facts.json", json.dumps(facts))

    def answer(rows: list[dict], place: str, on_progress: Callable[[int], None]) -> list[list[str]]:
        # Another seed for every part, none of them another's neighbour.
        seed = hashlib.blake2b(f"{decoding.seed}/{place}".encode(), digest_size=6).digest()
        here = decoding._replace(seed=int.from_bytes(seed))
        return engine.complete([row["prompt"] for row in rows], tokens, here, on_progress)

    return answer


def digest_of(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def baseline_answer(name: str, row: dict) -> str:
    """What a baseline answers; its randomness is fixed by its name and the maze."""
    seed = hashlib.blake2b(f"{name}/{row['id']}".encode(), digest_size=8).digest()
    return format_answer(BASELINES[name](read_maze(row["maze"]), random.Random(seed)))


def score_rows(name: str, split: str, rows: list[dict], completions: list[list[str]]) -> list[Prediction]:
    """The rows of predictions.parquet for one model and some mazes of a split.

    Args:
        completions: the samples of each maze.
    """
    return [scored for row, answers in zip(rows, completions) for scored in score_answers(name, split, row, answers)]


def score_answers(name: str, split: str, row: dict, completions: list[str]) -> Iterator[Prediction]:
    """One row for each sample; `vote` marks the one that speaks for the walk that most of them take."""
    maze = read_maze(row["maze"])
    walks = [parse_moves(completion, maze.start) for completion in completions]
    solution = parse_moves(row.get("solution") or "")
    voted = majority(walks)
    facts = {"generator": row.get("generator"), "path_length": row.get("path_length")}
    facts["decision_points"] = decision_points(maze)
    for sample, completion in enumerate(completions):
        failure = failure_of(maze, completion) or (None, None, None)
        prediction = {
            "id": row["id"],
            "model": name,
            "split": split,
            "size": f"{row['width']}x{row['height']}",
            "width": row["width"],
            "height": row["height"],
            **facts,
            "maze": row["maze"],
            "sample": sample,
            "completion": completion,
            **score_path(maze, completion).to_dict(),
            "exact": None if solution is None else walks[sample] == solution,
            "vote": sample == voted,
            **dict(zip(("failure", "failure_move", "failure_junction"), failure)),
        }
        yield cast(Prediction, prediction)


def majority(walks: Sequence[str | None]) -> int:
    """The place of the first sample that takes the most frequent walk (Wang et al., 2023); of several, the earliest.

    What is no path has no vote, unless there is nothing else.
    """
    votes = Counter(walk for walk in walks if walk is not None)
    return walks.index(max(votes, key=votes.__getitem__)) if votes else 0
