"""Which layers are patched, and that they are patched without computing what lies below."""

import numpy as np
import pytest

from ascii_maze.errors import UsageError
from ascii_maze.mri.causes import controls, half_back, patch_layers
from ascii_maze.mri.layers import ALL_UP_TO, FIRST, MOST, next_layer, wanted_layers
from ascii_maze.mri.patching import own_answers, partial_answers
from ascii_maze.mri.weights import cosine, randomised, updates

from .conftest import LAYERS


def patched(curve) -> list[int]:
    """The layers of a model of 30 that are patched where validity is this function of the layer."""
    measured = {0: curve(0), 30: curve(30)}
    while (layer := next_layer(measured, 30)) is not None:
        measured[layer] = curve(layer)
    return sorted(measured)


def test_a_deep_model_is_patched_where_validity_changes():
    step = patched(lambda layer: float(layer >= 18))
    assert {17, 18} <= set(step)  # the very layer is found
    assert len(step) == FIRST + 2 + 2
    assert patched(lambda layer: 0.0) == [0, 5, 10, 15, 20, 25, 30]
    assert len(patched(lambda layer: layer / 30)) == MOST + 2


def test_layers_are_what_the_option_names():
    assert wanted_layers("auto", ALL_UP_TO) == wanted_layers("all", ALL_UP_TO) == list(range(ALL_UP_TO + 1))
    assert wanted_layers("auto", 30) is None
    assert wanted_layers("7, 0-2,30", 30) == wanted_layers("7, 0-2", 30) == [0, 1, 2, 7, 30]


@pytest.mark.parametrize("option", ["", "some", "3-1", "0,31", "-1", "1.5", "99999"])
def test_other_options_are_refused(option):
    with pytest.raises(UsageError, match="--patch-layers"):
        wanted_layers(option, 30)


def test_only_the_named_layers_are_patched_and_none_stands_at_the_others(models, rows, walks):
    solved = {name: np.zeros(len(rows), dtype=bool) for name in models.names}
    solved["one"][:6] = True
    found = patch_layers(models, ["one"], rows, walks, solved, "0,2", 0, lambda *done: None)["one"]
    assert found["layers"] == [0, 2, LAYERS]
    for column in (found["valid"], found["valid_ci"], found["accuracy"]["prompt"], found["accuracy"]["answer"]):
        assert [value is None for value in column] == [False, True, False, False]
    whole = patch_layers(models, ["one"], rows, walks, solved, "all", 0, lambda *done: None)["one"]
    assert whole["layers"] == list(range(LAYERS + 1))
    assert [whole["valid"][layer] for layer in (0, 2)] == [found["valid"][layer] for layer in (0, 2)]
    assert whole["restored"][LAYERS] == 1.0


def test_the_layer_by_which_half_is_back_comes_with_an_interval():
    rng = np.random.default_rng(0)
    base, own = np.arange(200) < 60, np.arange(200) < 180
    sharp = {0: base, 1: base, 2: own, 3: own}
    assert half_back(base, own, sharp, seed=0) == (2, [2, 2])
    slow = {0: base, 1: base | (rng.random(200) < 0.5), 2: base | (rng.random(200) < 0.6), 3: own}
    half, (low, high) = half_back(base, own, slow, seed=0)
    assert low <= half <= high
    assert low < high
    assert half_back(base, base, {0: base, 3: base}, seed=0) == (None, None)
    one_more = base | (np.arange(200) == 60)
    assert half_back(base, one_more, {0: base, 3: one_more}, seed=0)[1] is None  # one maze may be chance
    assert half_back(base, own, slow, seed=0) == half_back(base, own, slow, seed=0)


def test_random_updates_have_the_norms_of_the_adapter_s_and_leave_it_as_it_was(models):
    before = updates(models, "one")
    with randomised(models, "one", seed=0):
        random = updates(models, "one")
    after = updates(models, "one")
    for one, other, again in zip(before, random, after):
        assert other["norm"] == pytest.approx(one["norm"], rel=1e-4)
        assert again["norm"] == one["norm"]
    assert abs(cosine(before, random)) < 0.1


def test_a_part_of_an_adapter_is_the_adapter_where_it_has_weights(models, rows, walks, activations):
    own = own_answers(models, activations, "high", rows, walks)
    base = own_answers(models, activations, "base", rows, walks)
    assert partial_answers(models, "high", range(2, 3), rows, walks) == own
    assert partial_answers(models, "high", range(3, LAYERS + 2), rows, walks) == base


def test_what_is_more_than_products_has_no_random_update_beside_it(models, rows, walks, monkeypatch):
    found = controls(models, "one", 1, rows, walks, 0)
    assert None not in found.values()
    monkeypatch.setattr(models.model.peft_config["one"], "use_dora", True)
    assert controls(models, "one", 1, rows, walks, 0) == {**found, "random_to_half": None}
    assert controls(models, "one", None, rows, walks, 0) == {"above_half": None, "random_to_half": None}
