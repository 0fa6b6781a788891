"""A collection about the shared small dataset, one made by hand, and a page that is served."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ascii_maze import generate_mazes
from ascii_maze.mazes.prompts import prompt_messages
from ascii_maze.preferences.collection import Answer, Collection, Question, question_id
from ascii_maze.preferences.opening import Wishes, new_collection
from ascii_maze.preferences.serving import serve


def plain_collection(questions: int = 12, models=("a", "b"), **settings) -> Collection:
    """Questions about as many mazes, in each the right answer against a wrong one, without gold or repetitions."""
    asked = []
    for maze in generate_mazes("depth_first", 4, 4, questions, 0):
        answers = (Answer(models[0], " ".join(maze.solve())), Answer(models[1], "U U"))
        name = question_id(str(maze), answers)
        asked.append(Question(name, str(maze), prompt_messages(maze), answers, "train"))
    begun = Collection("made up", "compare", 2, 0.0, 0.0, 0, "Look well.", tuple(asked), ())
    return dataclasses.replace(begun, **settings)


@pytest.fixture(scope="session")
def asked(dataset) -> Collection:
    """Forty pairs of the dataset, with gold questions and repetitions one in ten each."""
    return new_collection(Wishes(str(dataset), limit=40, gold_share=0.1, repeat_share=0.1))


@contextmanager
def served(page) -> Iterator[str]:
    """The address of a page that is served in threads of this process."""
    serving = serve(page, port=0)
    try:
        yield serving.url
    finally:
        serving.close()
