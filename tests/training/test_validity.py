"""Validity during training, of several processes."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from ascii_maze.training.validity import measure_validity

MAZE = "#####\n#S G#\n#####"


@pytest.mark.parametrize(("mazes", "measured"), [(1, 4), (3, 12), (4, 4), (9, 8)])
def test_every_process_scores_as_many_also_where_there_are_fewer_mazes_than_processes(monkeypatch, mazes, measured):
    """Every second completion is right; the processes are played one after the other, and their sums added here."""
    monkeypatch.setattr("trl.models.utils.unwrap_model_for_generation", lambda model, accelerator: nullcontext(model))
    monkeypatch.setattr("ascii_maze.models.budgets.budget_for", lambda *arguments: 8)
    monkeypatch.setattr(
        "ascii_maze.models.generation.generate",
        lambda model, tokenizer, prompts, *rest: [p[0]["answer"] for p in prompts],
    )
    tasks = [([{"answer": "R R" if number % 2 == 0 else "L"}], MAZE) for number in range(mazes)]
    sums = []
    for index in range(4):
        accelerator = SimpleNamespace(
            num_processes=4, process_index=index, device="cpu", reduce=lambda part: sums.append(part) or part
        )
        model = SimpleNamespace(eval=lambda: None)
        trainer = SimpleNamespace(accelerator=accelerator, processing_class=None, model_wrapped=model)
        measure_validity(trainer, tasks)
    total = sum(sums)
    assert len({float(part[3]) for part in sums}) == 1
    assert float(total[3]) == measured
    right = measured / mazes * ((mazes + 1) // 2) if mazes < 4 else (measured + 1) // 2
    assert float(total[0]) == right
