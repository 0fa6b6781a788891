"""Mazes walked step by step in an evaluation: by a model, or by an explorer that reads what a model reads.

All episodes of a part advance together, so that every turn is one batch for the model. A conversation that outgrows
the model's context loses the older half of its exchanges, and the walker its memory of them.
"""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..environment.env import MazeEnv
from ..environment.explorers import EXPLORERS
from ..environment.observations import Observation
from ..environment.walks import Walk, moves_in_turn, walk_all
from ..errors import UsageError
from ..files import write_text
from ..mazes.baselines import open_positions
from ..mazes.prompts import Message
from ..metrics.path_validity.scoring import read_maze
from ..models.budgets import answer_budget
from ..models.chat import how_read, render_prompt
from ..models.engines import load_engine
from ..models.sources import Source
from ..models.turns import within_context

SHORTEST = "shortest_path"
STEP_BASELINES = (*EXPLORERS, SHORTEST)  # the bound last, as in every table
BATCHES_PER_PART = 4  # smaller parts: an episode takes many turns, and an interrupted part starts over


class Stepwise(NamedTuple):
    """How mazes are walked step by step.

    Attributes:
        observation: the name of one, see `environment.observations`.
        max_moves: None for twice the open positions of each map.
    """

    observation: str
    max_moves: int | None = None

    def start(self, maze: str) -> MazeEnv:
        """A walk's beginning."""
        return MazeEnv(maze, self.observation, self.max_moves)


# (rows of the dataset, index of the first, on_progress) -> the walks through each, equally many per row.
Walker = Callable[[list[dict], str, Callable[[int], None]], list[list[Walk]]]


def open_walker(name: str, respondent: Source | None, questions: Any, folder: Path) -> Walker:
    """The function that walks mazes; what results.json says of a model goes to facts.json.

    Args:
        respondent: a model to load; None for a baseline of that name.
        questions: with `stepwise`, see `questions.Questions`.
        folder: of the parts.
    """
    stepwise, decoding = questions.stepwise, questions.decoding
    if respondent is None:
        return lambda rows, start, on_progress: [[baseline_walk(name, row, stepwise)] for row in rows]
    engine = load_engine(respondent)
    longest = moves_in_turn(Observation.parse(stepwise.observation), open_positions(questions.largest))
    turn = questions.max_new_tokens or answer_budget(engine.tokenizer, longest)
    budget = how_read(engine.tokenizer).thinking_tokens + turn
    text = render_prompt(engine.tokenizer, questions.prompt)
    facts = {**engine.facts, "max_new_tokens": budget, "rendered_prompt": text}
    write_text(folder / "facts.json", json.dumps(facts))

    def walk(rows: list[dict], start: str, on_progress: Callable[[int], None]) -> list[list[Walk]]:
        envs = [stepwise.start(row["maze"]) for row in rows for _ in range(decoding.samples)]
        converse = engine.converse and engine.converse()

        def ask(talks: Sequence[list[Message]], turn: int) -> list[str]:
            shown = [within_context(engine.tokenizer, engine.context, talk, budget) for talk in talks]
            seeded = decoding.for_part(f"{start}/{turn}")._replace(samples=1)
            if converse:  # a conversation is one list that grows from turn to turn
                return converse([id(talk) for talk in talks], shown, budget, seeded)
            return [answer for (answer,) in engine.complete(shown, budget, seeded, lambda done: None)]

        walks = walk_all(envs, ask, lambda done: on_progress(done // decoding.samples))
        return [walks[place : place + decoding.samples] for place in range(0, len(walks), decoding.samples)]

    return walk


def baseline_walk(name: str, row: dict, stepwise: Stepwise) -> Walk:
    """A walk of a baseline."""
    env = stepwise.start(row["maze"])
    if name == SHORTEST:
        (walk,) = walk_all([env], lambda talks, turn: [read_maze(row["maze"]).solve() or "stop"], lambda done: None)
        return walk
    explorer = EXPLORERS[name](random_of(name, row))
    (walk,) = walk_all([env], lambda talks, turn: [explorer.turn(talks[0][-1]["content"])], lambda done: None)
    return walk


def random_of(name: str, row: dict) -> random.Random:
    """The random generator of a baseline in a row's maze, seeded by its name and the row's id."""
    return random.Random(hashlib.blake2b(f"{name}/{row['id']}".encode(), digest_size=8).digest())


def check_stepwise(stepwise: str | None, max_moves: int | None, models: Sequence[str]) -> Stepwise | None:
    """What `evaluate` was given, as one value.

    Raises:
        UsageError: no such observation, a name that a baseline has, or `max_moves` without `stepwise`.
    """
    if stepwise is None:
        if max_moves is not None:
            raise UsageError("--max-moves is for walks step by step; give --stepwise, or leave it out")
        return None
    if taken := next((name for name in models if name in STEP_BASELINES), None):
        raise UsageError(f"the name '{taken}' is taken by a baseline; give this model another: NAME=MODEL")
    chosen = Stepwise(stepwise, max_moves)
    chosen.start("SG")  # raises for an unknown observation
    return chosen
