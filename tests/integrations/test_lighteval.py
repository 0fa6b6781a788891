"""Mazes as tasks of lighteval: its own classes ask for every maze, and score answers as everything else does.

Its command line is not run here: one of its own tasks fetches a file when it is imported.
"""

import pytest

pytest.importorskip("lighteval")

from dataset_builder.load import load_mazes


def test_every_maze_is_asked_and_scored(dataset, monkeypatch):
    from lighteval.models.model_output import ModelResponse
    from lighteval.tasks.lighteval_task import LightevalTask

    from ascii_maze.evaluation import lighteval_task

    monkeypatch.setattr(lighteval_task.TASKS_TABLE[0], "hf_repo", str(dataset))
    assert [config.name for config in lighteval_task.TASKS_TABLE] == list(lighteval_task.SPLITS)
    docs = LightevalTask(lighteval_task.TASKS_TABLE[0]).get_docs()
    rows = {row["maze"]: row for row in load_mazes(str(dataset), "test")}
    assert {doc.specific["maze"] for doc in docs} == set(rows)
    for doc in docs:
        row = rows[doc.specific["maze"]]
        rules, maze = (message["content"] for message in row["prompt"])
        assert (doc.query, doc.instruction) == (maze, f"{rules}\n\n")
        for answer, right in ((row["solution"], 1.0), ("no idea", 0.0)):
            scored = lighteval_task.METRIC.compute_sample(doc=doc, model_response=ModelResponse(text=[answer]))
            assert scored["valid"] == scored["optimal"] == right
    assert set(lighteval_task.METRIC.get_corpus_aggregations()) == set(lighteval_task.NAMES)
