"""By which layer a fine-tune's change is at work in what it started from."""

import numpy as np
import pytest

from ascii_maze.mri.labels import move_labels
from ascii_maze.mri.layer_effects import find_layer_effects, half_there
from ascii_maze.mri.odds import asked_moves, score_batches
from ascii_maze.mri.reading import read_walks

from .conftest import LAYERS


@pytest.fixture(scope="module")
def asked(rows, walks):
    return asked_moves(walks, move_labels(rows, walks)["decision"])


def test_patched_at_the_last_layer_the_start_is_the_fine_tune(models, walks, asked):
    found = find_layer_effects(models, "high", "one", range(LAYERS + 1), walks, asked, 0)
    odds = {}
    for name in ("high", "one"):
        models.switch(name)
        odds[name] = score_batches(models, read_walks(models, walks)[1], asked)
    assert found["effect"][LAYERS] == pytest.approx(found["gap"], abs=1e-4)
    assert found["gap"] == pytest.approx((odds["one"] - odds["high"]).mean(), abs=1e-4)
    assert found["effect"][0] == pytest.approx(0.0, abs=1e-5)  # no adapter is on the embedding
    assert (found["model"], found["reference"], found["mazes"]) == ("one", "high", len(walks))


def test_a_change_of_one_layer_is_found_there(models, walks, asked):
    found = find_layer_effects(models, "base", "high", [0, 1, 2, 3], walks, asked, 0)
    assert found["effect"][:2] == pytest.approx([0.0, 0.0], abs=1e-5)
    assert found["effect"][2:] == pytest.approx([found["gap"]] * 2, abs=1e-4)


def test_a_fine_tune_that_left_its_start_as_it_was_does_nothing_there(models, walks, asked):
    found = find_layer_effects(models, "one", "copy", [0, 3], walks, asked, 0)
    assert found["effect"] == [0.0, 0.0]
    assert found["gap"] == 0.0
    assert found["half"] is found["half_ci"] is None


def test_half_is_located_with_an_interval_or_not_at_all():
    rng = np.random.default_rng(0)
    gap = 1 + 0.5 * rng.random(40)
    assert half_there([0, 2, 5], np.array([0 * gap, 0.1 * gap, 0.9 * gap]), gap, 0) == (5, [5, 5])
    half, (low, high) = half_there([0, 2, 5], np.array([0 * gap, 0.5 * gap + rng.normal(size=40), gap]), gap, 0)
    assert low <= half <= high
    assert low < high
    noise = rng.normal(size=40)
    assert half_there([0, 5], np.array([0 * noise, noise]), noise - noise.mean(), 0) == (None, None)
