"""What is said of how a recipe's settings were chosen."""

import json

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.recipe import load_recipe
from ascii_maze.study.tuning import tuning_of

RECORD = {
    "space": {"learning_rate": [1e-4, 1e-2, True], "beta": [0.1, 0.3]},
    "budget": "tokens=9000",
    "split": "validation",
    "trials": [
        {"number": 0, "settings": {"learning_rate": 1e-3, "beta": 0.1}, "outcome": 0.5},
        {"number": 1, "settings": {"learning_rate": 2e-3, "beta": 0.3}, "outcome": 0.75},
    ],
    "best": 1,
}


@pytest.fixture
def recipes(tmp_path):
    """A recipe as its sweep chose it, three that extend it, and a record that can be changed."""
    (tmp_path / "dpo.yaml").write_text("method: dpo\nlearning_rate: 2.0e-3\nbeta: 0.3\noutput_dir: out\n")
    (tmp_path / "like.yaml").write_text("extends: [dpo.yaml]\noutput_dir: other\n")
    (tmp_path / "unlike.yaml").write_text("extends: like.yaml\nbeta: 0.1\n")
    (tmp_path / "again.yaml").write_text("extends: dpo.yaml\nadapter_name_or_path: out\n")
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "dpo.json").write_text(json.dumps(RECORD))
    return tmp_path


def test_a_recipe_has_the_settings_of_the_best_trial(recipes):
    assert tuning_of(load_recipe(recipes / "dpo.yaml")) == {
        "recipe": "dpo",
        "trials": 2,
        "settings": 2,
        "budget": "tokens=9000",
        "selected_on": "validation",
        "reached": 0.75,
        "holds": True,
    }
    changed = tuning_of(load_recipe(recipes / "dpo.yaml", ["--beta", "0.1"]))
    assert changed is not None
    assert not changed["holds"]


def test_what_extends_it_rests_on_it_while_it_has_the_same_settings_and_start(recipes):
    found = tuning_of(load_recipe(recipes / "like.yaml"))
    assert found is not None
    assert found["recipe"] == "dpo"
    assert tuning_of(load_recipe(recipes / "unlike.yaml")) is None
    assert tuning_of(load_recipe(recipes / "again.yaml")) is None


def test_without_a_record_nothing_is_said_and_a_broken_one_is_one_line(recipes):
    (recipes / "sweeps" / "dpo.json").write_text(json.dumps({**RECORD, "best": None}))
    with pytest.raises(UsageError, match=r"dpo\.json is not the sweep\.json of a sweep that has found settings"):
        tuning_of(load_recipe(recipes / "dpo.yaml"))
    (recipes / "sweeps" / "dpo.json").unlink()
    assert tuning_of(load_recipe(recipes / "dpo.yaml")) is None
