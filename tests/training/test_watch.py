from types import SimpleNamespace

import pytest
from transformers import TrainerCallback

from ascii_maze.training import watch

from .conftest import method_settings, trainer_of


def test_the_seconds_of_a_run_are_of_training_and_not_of_its_evaluations(dataset, tmp_path, monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(watch, "time", clock)
    changes = {"eval_strategy": "steps", "eval_steps": 1, "eval_on_start": True, "eval_limit": 8, "max_steps": 3}
    trainer = trainer_of("sft", dataset, tmp_path, **changes)

    class Step(TrainerCallback):
        def on_step_end(self, *args, **kwargs):
            clock.now += 1

    def measure(trainer) -> dict[str, float]:
        clock.now += 1000
        return {"valid": 0.0}

    trainer.add_callback(Step())
    trainer.measure = measure
    trainer.train()
    lines = trainer.state.log_history
    assert clock.now == 4 * 1000 + 3
    assert [line["seconds"] for line in lines if "eval_valid" in line] == [0, 1, 2, 3]
    assert [line["seconds"] for line in lines if "loss" in line] == [1, 2, 3]


@pytest.mark.parametrize("method", ["sft", "kto", "grpo"])
def test_evaluations_change_nothing_of_the_training(dataset, sft_run, tmp_path, train, method):
    """`curves: first` in a study: evaluations draw random numbers of their own, samples of GRPO included."""
    weights = {}
    for name, changes in {
        "watched": {"eval_strategy": "steps", "eval_steps": 1, "eval_on_start": True, "eval_limit": 8},
        "unwatched": {"eval_strategy": "no", "eval_on_start": False},
    }.items():
        words = method_settings(method, dataset, tmp_path / name, sft_run[0], max_steps=2, **changes)
        train(f"recipes/tiny/{method}.yaml", words)
        weights[name] = (tmp_path / name / method / "adapter_model.safetensors").read_bytes()
    assert weights["watched"] == weights["unwatched"]
