import numpy as np
import pytest

from ascii_maze.mri.regions.changes import Centred, find_changes, with_tests
from ascii_maze.mri.regions.comparison import RegionSettings, fit_regions
from ascii_maze.mri.similarity import drift

from ..made import Made

pytest.importorskip("llm_mri")


def shifted(made: Made) -> Made:
    """The fine-tune is the base with a constant added in every layer from 2 on."""
    rng = np.random.default_rng(5)
    for layer in range(2, made.layers):
        constant = rng.normal(scale=20, size=made.arrays["base", layer].shape[1]).astype(np.float32)
        made.arrays["sft", layer] = made.arrays["base", layer] + constant
    return made


def test_a_constant_is_an_offset_and_no_change_of_centred_regions():
    made = shifted(Made())
    base, tuned = (made.read(model, 3, "goal") for model in ("base", "sft"))
    assert drift(base, tuned)["offset_share"] == pytest.approx(1.0)
    as_they_are = find_changes(fit_regions(made, RegionSettings("goal", 0)), "base", "sft")
    assert as_they_are["regions"]["agreement"] < 0.6
    assert as_they_are["regions"]["p"] == 0.01
    centred = find_changes(fit_regions(Centred(made), RegionSettings("goal", 0)), "base", "sft")
    for kind in ("edges", "regions"):
        assert centred[kind]["agreement"] > 0.97
        assert centred[kind]["p"] > 0.05


def test_another_arrangement_of_the_prompts_is_a_change_centred_or_not():
    made = Made(changed={"sft": 0.6})
    for activations in (made, Centred(made)):
        found = find_changes(fit_regions(activations, RegionSettings("goal", 0)), "base", "sft")
        assert found["edges"]["p"] == 0.01
        assert found["edges"]["agreement"] < found["edges"]["expected"]


def test_models_that_are_equal_agree_wholly_and_so_do_their_mixtures():
    fitted = fit_regions(Made(changed={"sft": 0.0}), RegionSettings("goal", 0))
    found = find_changes(fitted, "base", "sft")
    for kind in ("edges", "regions"):
        assert (found[kind]["agreement"], found[kind]["expected"], found[kind]["p"]) == (1.0, 1.0, 1.0)
    assert with_tests(fitted, {("base", "sft"): found}).of_all["regions"]["sft"]["p"] == 1.0


def test_two_draws_of_one_noise_are_rarely_told_apart():
    low = 0
    for seed in range(10):
        made = Made(rows=60, layers=2)
        rng = np.random.default_rng(seed)
        for layer in range(made.layers):
            clean = made.arrays["base", layer]
            for model in ("base", "sft"):
                made.arrays[model, layer] = clean + rng.normal(scale=1.0, size=clean.shape).astype(np.float32)
        low += find_changes(fit_regions(made, RegionSettings("goal", 0)), "base", "sft")["regions"]["p"] <= 0.05
    assert low <= 2  # one in twenty is expected


def test_the_same_seed_gives_the_same_p():
    made = Made()
    one, two = (find_changes(fit_regions(made, RegionSettings("goal", 3)), "base", "sft") for _ in range(2))
    assert one == two
