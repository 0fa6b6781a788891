"""The figures of one model, from its answers and from what it computes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...files import sha256_of
from ...metrics.path_validity.maze import Maze
from ...metrics.path_validity.scoring import parse_moves, score_path
from ...models.plain_text import TEXTS, encode_texts, perplexity
from ..statistics import pass_at
from .asking import Answers, Loaded
from .divergence import divergences, most_likely
from .questions import Asked, Questions, Said
from .schema import Divergence, Habit, LoopWalks, PassAt, PlainText, Settings


def said_before(loaded: Loaded, questions: Questions) -> dict[str, Any]:
    """Perplexity of a plain text; for a tokenizer without words, agreement with walks by the old habit instead."""
    habit: Habit | None = None
    plain: PlainText | None = None
    if texts := encode_texts(loaded.tokenizer):
        tokens = sum(len(text) - 1 for text in texts)
        plain = PlainText(tokens=tokens, perplexity=perplexity(loaded.model, texts), sha256=sha256_of(TEXTS))
    elif questions.habits:
        moves, right = most_likely(*loaded, questions.habits)
        habit = Habit(moves=moves, right=right)
    return {"plain_text": plain, "habit": habit}


def apart(
    mine: Loaded, start: Loaded, questions: Questions, answers: Answers, of_start: Answers, settings: Settings
) -> dict[str, list[tuple[float, int]]]:
    """The divergences of a model and its start: on the start's answers, `forward`, and on its own, `reverse`."""

    def said(given: Sequence[Sequence[str]]) -> list[Said]:
        compared = settings["compared"]
        return [Said(one.prompt, text) for one, texts in zip(questions.hard, given) for text in texts[:compared]]

    return {
        "forward": divergences(start.model, mine.model, mine.tokenizer, said(of_start.hard)),
        "reverse": divergences(mine.model, start.model, mine.tokenizer, said(answers.hard)),
    }


def pass_at_of(mazes: Sequence[Asked], answers: Sequence[Sequence[str]]) -> PassAt:
    """How often one of k answers is right; see `evaluation.statistics.pass_at`."""
    scores = [[score_path(one.maze, text) for text in texts] for one, texts in zip(mazes, answers)]
    optimal, valid = (
        np.array([[getattr(score, rate) for score in of_maze] for of_maze in scores]) for rate in ("optimal", "valid")
    )
    return {"mazes": len(mazes), "optimal": pass_at(optimal), "valid": pass_at(valid)}


def loop_walks_of(mazes: Sequence[Asked], answers: Sequence[Sequence[str]]) -> LoopWalks | None:
    """How many different shortest walks are among the answers; None without mazes that have several."""
    if not mazes:
        return None
    found = [len(walks_found(one.maze, texts)) for one, texts in zip(mazes, answers)]
    most = [min(one.walks, len(texts)) for one, texts in zip(mazes, answers)]
    return {
        "mazes": len(mazes),
        "there": float(np.mean([one.walks for one in mazes])),
        "found": float(np.mean(found)),
        "share": float(np.mean(np.array(found) / np.array(most))),
    }


def walks_found(maze: str, answers: Sequence[str]) -> set[str]:
    """The different shortest walks among some answers, in letters."""
    start = Maze.from_ascii(maze).start
    return {str(parse_moves(text, start)) for text in answers if score_path(maze, text).optimal}


def divergence_of(start: str, found: Mapping[str, Sequence]) -> Divergence:
    """Mean divergences of a model and its start, in nats per answer."""
    forward, reverse = (float(np.mean([nats for nats, _ in found[way]])) for way in ("forward", "reverse"))
    return {"start": start, "answers": len(found["reverse"]), "forward": forward, "reverse": reverse}
