import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from ascii_maze.errors import AsciiMazeError
from ascii_maze.mri.similarity import debiased_cka, drift, effective_rank, gram, procrustes, rsa


def cka(x, y) -> float:
    return debiased_cka(gram(x), gram(y))


def normal(seed: int, rows: int = 60, width: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width))


@given(st.integers(0, 10_000), st.floats(0.1, 50))
def test_rotation_and_scale_leave_cka_procrustes_and_rsa_unmoved(seed, scale):
    x, y = normal(seed), normal(seed + 1) + normal(seed)
    turned = scale * y @ ortho_group(12, seed=seed).rvs() + 3.0
    assert cka(x, turned) == pytest.approx(cka(x, y), abs=1e-9)
    assert procrustes(x, turned) == pytest.approx(procrustes(x, y), abs=1e-9)
    assert rsa(x, turned) == pytest.approx(rsa(x, y), abs=1e-6)
    assert cka(y, turned) == pytest.approx(1)
    assert procrustes(y, turned) == pytest.approx(0, abs=1e-9)


def test_equal_activations_are_equal_exactly():
    x = normal(0)
    assert cka(x, x) == 1.0
    assert drift(x, x) == {"relative": 0.0, "cosine": 1.0, "offset": 0.0, "offset_share": 0.0}
    assert procrustes(x, x) == pytest.approx(0, abs=1e-12)


def test_cka_is_the_unbiased_estimate():
    x, y = normal(1, 30), normal(2, 30)
    k, m = (side - side.mean(0) for side in (x, y))
    k, m = k @ k.T, m @ m.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    n, ones = 30, np.ones(30)

    def hsic(a, b):  # Song et al. (2012), equation 5, as it stands
        first = np.trace(a @ b) + (ones @ a @ ones) * (ones @ b @ ones) / ((n - 1) * (n - 2))
        return (first - 2 / (n - 2) * ones @ a @ b @ ones) / (n * (n - 3))

    assert cka(x, y) == pytest.approx(hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m)))


def test_independent_activations_have_no_cka_however_few_the_rows():
    values = [cka(normal(seed, 20, 200), normal(seed + 500, 20, 200)) for seed in range(100)]
    assert abs(np.mean(values)) < 0.02


def test_wide_and_narrow_ways_to_the_procrustes_distance_agree():
    x, y = normal(3, 10, 40), normal(4, 10, 40)
    a, b = x - x.mean(0), y - y.mean(0)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    assert procrustes(x, y) == pytest.approx(2 - 2 * np.linalg.norm(a.T @ b, "nuc"))


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_effective_rank_counts_equal_directions(rank):
    basis = np.linalg.qr(normal(5, 40, 12) - normal(5, 40, 12).mean(0))[0][:, :rank]
    assert effective_rank(basis @ ortho_group(12, seed=1).rvs()[:rank]) == pytest.approx(rank)


def test_what_does_not_vary_has_no_likeness_and_no_rank():
    flat = np.ones((20, 12))
    assert np.isnan([cka(flat, normal(0, 20)), procrustes(flat, normal(0, 20)), rsa(flat, normal(0, 20))]).all()
    assert effective_rank(flat) == 0.0


def test_drift_is_the_share_of_the_norm():
    x = normal(6)
    longer, turned = drift(x, 1.5 * x), drift(x, -x)
    assert (longer["relative"], longer["cosine"]) == (pytest.approx(0.5), pytest.approx(1))
    assert (turned["relative"], turned["cosine"]) == (pytest.approx(2), pytest.approx(-1))


def test_nan_is_refused():
    broken = normal(7)
    broken[3, 2] = np.nan
    for measure in (gram, effective_rank, lambda x: drift(x, x), lambda x: rsa(x, x), lambda x: procrustes(x, x)):
        with pytest.raises(AsciiMazeError, match="not finite"):
            measure(broken)


def test_three_rows_are_too_few_for_cka():
    with pytest.raises(AsciiMazeError, match="3 rows are too few for CKA"):
        gram(normal(0, 3))


def test_a_constant_that_is_added_is_an_offset_and_noise_is_none():
    rng = np.random.default_rng(4)
    base = rng.normal(size=(500, 8))
    shifted = drift(base, base + np.arange(8))
    assert shifted["offset_share"] == pytest.approx(1.0)
    assert shifted["offset"] == pytest.approx(np.linalg.norm(np.arange(8)) / np.linalg.norm(base, axis=1).mean())
    noisy = drift(base, base + rng.normal(size=base.shape))
    assert noisy["offset_share"] == pytest.approx(1 / 500, abs=0.005)
