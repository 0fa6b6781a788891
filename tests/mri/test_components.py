"""Heads and MLPs, patched one by one: what is planted in one of them is found there, and nothing where nothing is."""

import copy

import numpy as np
import pytest

from ascii_maze.mri import component_effects
from ascii_maze.mri.component_effects import compare_components, find_components
from ascii_maze.mri.components import Part, attribute, change_of, gradients, parts_of, run_with, tap
from ascii_maze.mri.labels import move_labels
from ascii_maze.mri.models import as_models
from ascii_maze.mri.odds import asked_moves, log_odds
from ascii_maze.mri.reading import batches

from .conftest import LAYERS

HEADS = 2
PLANTED = Part(2, 1)


@pytest.fixture(scope="module")
def asked(rows, walks):
    return asked_moves(walks, move_labels(rows, walks)["decision"])


@pytest.fixture(scope="module")
def planted(peft_model, tokenizer, walks, asked):
    """The small model with `head`, an adapter that changes one head alone: of the projection, only its inputs."""
    import torch
    from peft import LoraConfig

    model = copy.deepcopy(peft_model)
    model.add_adapter("head", LoraConfig(r=4, lora_alpha=8, target_modules=["o_proj"], task_type="CAUSAL_LM"))
    models = as_models(model.eval(), tokenizer, ["zero", "one", "copy", "high", "head"])
    weights = {key: weight for key, weight in model.named_parameters() if f".layers.{PLANTED.layer - 1}." in key}

    def plant(seed: int) -> float:
        rng = torch.Generator().manual_seed(seed)
        for key, weight in weights.items():
            if "lora_B.head." in key:
                weight.data.normal_(std=0.1, generator=rng)
            if "lora_A.head." in key:
                size = weight.shape[1] // HEADS
                weight.data.zero_()
                weight.data[:, PLANTED.head * size : (PLANTED.head + 1) * size].normal_(std=0.1, generator=rng)
        return abs(gap_of(models, walks, asked))

    plant(max(range(12), key=plant))  # what is planted must do something
    return models


def gap_of(models, walks, asked) -> float:
    """How much surer of right moves `head` is than the base."""
    scores = []
    chosen, ids = next(batches(walks, len(walks)))
    for name in ("base", "head"):
        models.switch(name)
        states = tap(models, ids).states[-1]
        odds = log_odds(models, states, [walks[index] for index in chosen], [asked[index] for index in chosen])
        scores.append(float(odds.mean()))
    return scores[1] - scores[0]


@pytest.fixture(scope="module")
def found(planted, walks, asked):
    return compare_components(planted, "base", "head", walks, asked, seed=0)


@pytest.mark.parametrize("way", ["into", "out"])
@pytest.mark.parametrize("by", ["exact", "estimate"])
def test_an_adapter_on_one_head_is_found_by_patching_and_by_attribution(found, way, by):
    effects = {Part(each["layer"], each["head"]): each[way][by] for each in found["parts"]}
    assert max(effects, key=lambda part: abs(effects[part])) == PLANTED
    upstream = [part for part in effects if part.layer < PLANTED.layer]
    beside = [part for part in effects if part.layer == PLANTED.layer and part.head not in (PLANTED.head, None)]
    assert not any(effects[part] for part in (*upstream, *beside))
    if by == "exact":  # all of the change goes through it
        assert effects[PLANTED] == pytest.approx(found["gap"], abs=1e-5)
    assert found["agreement"][way] > 0.5


def test_an_adapter_of_zeros_has_no_effect_at_all(planted, walks, asked):
    of = compare_components(planted, "base", "zero", walks, asked, seed=0)
    assert of["gap"] == 0.0
    assert {effect for each in of["parts"] for way in ("into", "out") for effect in each[way]["ci"]} == {0.0}
    assert {each[way][by] for each in of["parts"] for way in ("into", "out") for by in ("exact", "estimate")} == {0.0}
    assert of["agreement"] == {"into": None, "out": None}


def test_a_fine_tune_against_its_start_is_measured_from_there(planted, walks, asked):
    same = compare_components(planted, "one", "copy", walks, asked, seed=0)
    assert same["gap"] == 0.0
    there, back = (
        compare_components(planted, *pair, walks, asked, seed=0) for pair in (("one", "high"), ("high", "one"))
    )
    assert there["gap"] == pytest.approx(-back["gap"])
    for one, other in zip(there["parts"], back["parts"]):
        assert one["into"]["exact"] == pytest.approx(-other["out"]["exact"], abs=1e-6)


def test_all_heads_and_the_mlp_together_are_what_a_layer_adds(planted, walks):
    import torch

    _, ids = next(batches(walks, 4))
    taps = []
    for name in ("base", "one"):
        planted.switch(name)
        taps.append(tap(planted, ids))
    for layer in range(1, LAYERS + 1):
        parts = [change_of(part, taps[1], taps[0]) for part in parts_of(planted) if part.layer == layer]
        steps = [of.states[layer] - of.states[layer - 1] for of in taps]
        torch.testing.assert_close(sum(parts), steps[1] - steps[0], atol=1e-4, rtol=1e-4)


def test_a_small_change_does_what_the_gradient_says(planted, walks, asked):
    chosen, ids = next(batches(walks, 4))
    of_batch = [walks[index] for index in chosen], [asked[index] for index in chosen]
    taps = []
    for name in ("one", "base"):
        planted.switch(name)
        taps.append(tap(planted, ids))
    after, before = taps
    slopes = gradients(planted, ids, *of_batch)
    expected = attribute(parts_of(planted), after, before, slopes)
    plain = log_odds(planted, before.states[-1], *of_batch)
    small = 1e-3
    for part, effect in zip(parts_of(planted), expected):
        states = run_with(planted, part, small * change_of(part, after, before), before, ids)
        moved = (log_odds(planted, states, *of_batch) - plain).numpy() / small
        np.testing.assert_allclose(moved, effect, atol=0.02 * abs(expected).max())


def test_of_many_components_only_those_of_the_largest_estimates_are_patched(planted, walks, asked, monkeypatch):
    whole = compare_components(planted, "base", "one", walks, asked, seed=0)
    monkeypatch.setattr(component_effects, "ALL_UP_TO", 4)
    monkeypatch.setattr(component_effects, "TOP", 3)
    some = compare_components(planted, "base", "one", walks, asked, seed=0)
    patched = [each for each in some["parts"] if each["into"]["exact"] is not None]
    assert len(patched) == some["patched"] == 3
    assert whole["patched"] == len(whole["parts"]) == LAYERS * (HEADS + 1)
    size = {
        (each["layer"], each["head"]): sum(abs(each[way]["estimate"]) for way in ("into", "out"))
        for each in whole["parts"]
    }
    assert {(each["layer"], each["head"]) for each in patched} == set(sorted(size, key=size.get)[-3:])


def test_heads_that_cannot_be_found_are_said_to_be_missing(planted, rows, walks, monkeypatch):
    monkeypatch.setattr("ascii_maze.mri.components.PROJECTIONS", ("none",))
    decisions = move_labels(rows, walks)["decision"]
    found, missing = find_components(planted, [("base", "one")], walks, decisions, 0, lambda *done: None)
    assert found == []
    assert missing == {"heads and MLPs patched one by one": "cannot find the heads of a LlamaDecoderLayer"}


def test_without_a_decision_all_moves_are_scored(walks):
    none = np.zeros(sum(len(walk.moves) for walk in walks), dtype=bool)
    assert [len(moves) for moves in asked_moves(walks, none)] == [len(walk.moves) for walk in walks]
