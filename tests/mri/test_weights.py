import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascii_maze.mri.similarity import entropy_rank
from ascii_maze.mri.weights import align, cosine, factor, overlap, overlaps, updates

from .conftest import LAYERS


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_factors_are_those_of_the_product(seed, rank):
    rng = np.random.default_rng(seed)
    b, a = rng.normal(size=(20, rank)), rng.normal(size=(rank, 15))
    values, columns = factor(b, a)
    product = b @ a
    np.testing.assert_allclose(values, np.linalg.svd(product)[1][:rank], atol=1e-9)
    np.testing.assert_allclose(columns @ columns.T @ product, product, atol=1e-9)


def test_an_update_is_measured_as_if_it_were_a_matrix(models, peft_model):
    found = {update["module"]: update for update in updates(models, "one")}
    assert len(found) == 7 * LAYERS
    for path, module in peft_model.named_modules():
        if hasattr(module, "get_delta_weight"):
            update = found[path.removeprefix("base_model.model.")]
            delta, base = module.get_delta_weight("one"), module.get_base_layer().weight
            assert update["norm"] == pytest.approx(float(delta.detach().norm()), rel=1e-4)
            assert update["relative"] == pytest.approx(float(delta.detach().norm() / base.detach().norm()), rel=1e-4)
            values = np.linalg.svd(delta.detach().double().numpy())[1][:4]
            assert update["effective_rank"] == pytest.approx(entropy_rank(values), rel=1e-4)
            assert update["layer"] == int(path.split(".layers.")[1][0]) + 1


def test_an_adapter_of_zeros_has_no_norm_no_rank_and_no_direction(models):
    for update in updates(models, "zero"):
        assert (update["norm"], update["effective_rank"], update["columns"].shape[1]) == (0.0, 0.0, 0)


def test_an_adapter_on_one_layer_has_its_norm_there(models):
    assert {update["layer"] for update in updates(models, "high") if update["norm"] > 0} == {2}


def test_copies_share_all_directions_and_orthogonal_updates_none(models):
    by_name = {name: updates(models, name) for name in ("one", "copy")}
    shared = overlaps(by_name)
    assert len(shared) == 7 * LAYERS
    assert [cell["overlap"] for cell in shared] == pytest.approx([1.0] * len(shared))
    eye = np.eye(8)
    assert overlap(eye[:, :3], eye[:, 3:5]) == pytest.approx(0)
    assert overlap(eye[:, :3], eye[:, 2:4]) == pytest.approx(0.5)
    assert overlap(eye[:, :3], eye[:, :0]) is None


def test_chance_is_what_random_subspaces_share():
    rng = np.random.default_rng(0)
    random = [np.linalg.qr(rng.normal(size=(32, 8)))[0] for _ in range(60)]
    assert np.mean([overlap(*pair) for pair in zip(random[::2], random[1::2])]) == pytest.approx(8 / 32, abs=0.02)


def test_the_cosine_of_updates_is_that_of_their_matrices(models, peft_model):
    import torch

    one, high, copy, zero = (updates(models, name) for name in ("one", "high", "copy", "zero"))
    deltas = [
        torch.cat(
            [
                m.get_delta_weight(name).detach().flatten()
                for m in peft_model.modules()
                if hasattr(m, "get_delta_weight")
            ]
        )
        for name in ("one", "high")
    ]
    assert cosine(one, high) == pytest.approx(float(torch.cosine_similarity(*deltas, dim=0)), abs=1e-4)
    assert cosine(one, copy) == pytest.approx(1.0)
    assert cosine(one, zero) is None
    assert cosine(one, [{**update, "factors": (-update["factors"][0], update["factors"][1])} for update in one]) == (
        pytest.approx(-1.0)
    )


def test_updates_are_aligned_as_a_whole_by_layer_and_by_kind(models):
    by_name = {name: updates(models, name) for name in ("one", "copy", "high")}
    found = {(cell["a"], cell["b"]): cell for cell in align(by_name, "base", LAYERS)}
    same = found["one", "copy"]
    assert [same["whole"], *same["by_layer"], *same["by_kind"].values()] == pytest.approx([1.0] * (1 + LAYERS + 7))
    assert [value is None for value in found["one", "high"]["by_layer"]] == [True, False, True]
