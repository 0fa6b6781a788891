"""A fine-tune that starts from another is compared with that one."""

import json

import numpy as np
import pytest

from ascii_maze.models.sources import Source
from ascii_maze.mri.analysis import FoundRegions, compare_precisions, compare_starts
from ascii_maze.mri.labels import move_labels
from ascii_maze.mri.models import BASE
from ascii_maze.mri.starts import find_starts
from ascii_maze.mri.weights import updates

from .conftest import LAYERS

NONE = FoundRegions({}, {}, {}, {}, {})


def run_of(folder, started_from: str | None) -> Source:
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"started_from": started_from}))
    return Source(str(folder), None, None, None)


def test_starts_are_those_that_the_runs_have_written_down(tmp_path):
    sources = {
        "sft": run_of(tmp_path / "sft", None),
        "dpo": run_of(tmp_path / "dpo", str(tmp_path / "sft")),
        "moved": run_of(tmp_path / "moved", "/somewhere/else/sft"),
        "alone": run_of(tmp_path / "alone", str(tmp_path / "other")),
    }
    starts, missing = find_starts(sources)
    assert starts == {"dpo": "sft", "moved": "sft"}
    assert list(missing) == ["'alone' against its start"]
    assert f"give --adapter NAME={tmp_path / 'other'}" in missing["'alone' against its start"]


def test_an_adapter_without_records_started_from_the_base(tmp_path):
    assert find_starts({"one": Source(str(tmp_path), None, None, None)}) == ({}, {})


def test_a_fine_tune_that_left_its_start_as_it_was_has_changed_nothing(models, rows, walks, activations):
    decisions = move_labels(rows, walks)["decision"]
    of = compare_starts(models, activations, {"copy": "one", "one": "high"}, NONE, decisions, lambda *done: None)
    same, other = of["copy"], of["one"]
    assert same["start"] == "one"
    for moved in same["drift_by_position"].values():
        assert moved["relative"] == moved["offset"] == moved["offset_share"] == [0.0] * (LAYERS + 1)
    assert same["cka"] == same["rsa"] == [1.0] * (LAYERS + 1)
    assert same["procrustes"] == [0.0] * (LAYERS + 1)
    assert set(same["kl"].values()) == {0.0}
    assert {update["norm"] for update in same["weights"]} == {0.0}
    assert other["drift_by_position"]["last_prompt"]["relative"][LAYERS] > 0.1
    assert min(other["kl"].values()) > 0.01


def test_the_update_from_a_start_is_the_difference_of_the_two(models, peft_model):
    found = {update["module"]: update for update in updates(models, "one", "high")}
    for path, module in peft_model.named_modules():
        if hasattr(module, "get_delta_weight"):
            delta = (module.get_delta_weight("one") - module.get_delta_weight("high")).detach()
            assert found[path.removeprefix("base_model.model.")]["norm"] == pytest.approx(
                float(delta.norm()), rel=1e-4
            )


def test_precisions_are_compared_on_the_base(models, activations, walks, tmp_path):
    found = compare_precisions(models, models, walks, activations, tmp_path)
    assert found["drift"]["relative"] == pytest.approx([0.0] * (LAYERS + 1), abs=1e-5)
    assert found["cka"][1:] == pytest.approx([1.0] * LAYERS)
    assert found["kl"] == pytest.approx(0.0, abs=1e-6)
    assert BASE in models.names
    assert np.isfinite(found["kl"])
