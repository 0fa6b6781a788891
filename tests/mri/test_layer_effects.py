"""By which layer a fine-tune's change is at work in what it started from."""

import numpy as np
import pytest

from ascii_maze.mri.labels import move_labels
from ascii_maze.mri.layer_effects import PARTS, _random_change, find_layer_effects, half_there
from ascii_maze.mri.odds import asked_moves, score_batches
from ascii_maze.mri.reading import read_walks
from ascii_maze.mri.weights import updates

from .conftest import LAYERS


@pytest.fixture(scope="module")
def asked(rows, walks):
    return asked_moves(walks, move_labels(rows, walks)["decision"])


def odds_of(models, walks, asked, name, *how, **elsewhere):
    """Log odds of each walk, with an adapter in some stages."""
    models.switch(name, *how, **elsewhere)
    return score_batches(models, read_walks(models, walks)[1], asked)


def test_patched_at_the_last_layer_the_start_is_the_fine_tune(models, walks, asked):
    found = find_layer_effects(models, "high", "one", range(LAYERS + 1), walks, asked, 0)
    prefix, suffix, single = (found["change"][part]["effect"] for part in PARTS)
    gap = (odds_of(models, walks, asked, "one") - odds_of(models, walks, asked, "high")).mean()
    assert found["gap"] == pytest.approx(gap, abs=1e-4)
    assert prefix[LAYERS] == pytest.approx(gap, abs=1e-4)
    assert suffix[:2] == pytest.approx([gap] * 2, abs=1e-4)
    assert prefix[0] == single[0] == pytest.approx(0.0, abs=1e-5)  # no adapter is on the embedding
    assert (found["model"], found["reference"], found["mazes"]) == ("one", "high", len(walks))


@pytest.mark.parametrize("start", ["base", "high"])
def test_each_part_is_the_fine_tune_in_these_layers_and_the_start_elsewhere(models, walks, asked, start):
    found = find_layer_effects(models, start, "one", [1, 2, 3], walks, asked, 0)
    before = odds_of(models, walks, asked, start)
    stages = {
        "prefix": [range(layer + 1) for layer in (1, 2, 3)],
        "suffix": [range(layer, LAYERS + 2) for layer in (1, 2, 3)],
        "single": [range(layer, layer + 1) for layer in (1, 2, 3)],
    }
    for part, of in stages.items():
        whole = [(odds_of(models, walks, asked, "one", each, elsewhere=start) - before).mean() for each in of]
        assert found["change"][part]["effect"] == pytest.approx(whole, abs=1e-4), part


def test_a_change_of_one_layer_is_found_there(models, walks, asked):
    found = find_layer_effects(models, "base", "high", [0, 1, 2, 3], walks, asked, 0)
    change, gap, none = found["change"], found["gap"], pytest.approx(0.0, abs=1e-4)
    assert abs(gap) > 0.01
    gap = pytest.approx(gap, abs=1e-4)
    assert change["prefix"]["effect"] == [none, none, gap, gap]
    assert change["suffix"]["effect"] == [gap, gap, gap, none]
    assert change["single"]["effect"] == [none, none, gap, none]
    random = found["random"]["single"]["effect"]
    assert random == [none, none, pytest.approx(random[2]), none]
    assert random[2] not in (none, gap)


@pytest.mark.parametrize("start", ["base", "high"])
def test_the_control_has_the_norms_of_the_change_and_leaves_the_models_as_they_were(models, walks, asked, start):
    before = {name: odds_of(models, walks, asked, name) for name in models.names}
    with _random_change(models, start, "one", 0) as name:
        drawn = {(one["layer"], one["module"]): one["norm"] for one in updates(models, name, start)}
    kept = {(one["layer"], one["module"]): one["norm"] for one in updates(models, "one", start)}
    assert drawn == pytest.approx(kept, rel=1e-4)
    for name, odds in before.items():
        assert np.array_equal(odds_of(models, walks, asked, name), odds)


def test_what_is_more_than_products_has_no_control(models, walks, asked, monkeypatch):
    monkeypatch.setattr(models.model.peft_config["one"], "modules_to_save", ["lm_head"])
    assert find_layer_effects(models, "base", "one", [1], walks, asked, 0)["random"] is None
    assert find_layer_effects(models, "one", "high", [1], walks, asked, 0)["random"] is None


def test_a_fine_tune_that_left_its_start_as_it_was_does_nothing_there(models, walks, asked):
    found = find_layer_effects(models, "one", "copy", [0, 3], walks, asked, 0)
    assert (*found["change"],) == PARTS
    for curve in (*found["change"].values(), *found["random"].values()):
        assert curve["effect"] == pytest.approx([0.0, 0.0], abs=1e-4)
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
