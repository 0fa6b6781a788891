"""Similarity of two sets of activations of the same inputs, and effective rank of one. Arrays are float (n, width)."""

import numpy as np

from ..errors import AsciiMazeError


def gram(x: np.ndarray) -> np.ndarray:
    """The linear kernel of every two rows, with a zero diagonal, as `debiased_cka` takes it: float64 (n, n).

    Raises:
        AsciiMazeError: fewer than 4 rows, or numbers that are not finite.
    """
    x = _centred(x)
    if len(x) < 4:
        raise AsciiMazeError(f"{len(x)} rows are too few for CKA; it needs 4")
    kernel = x @ x.T
    np.fill_diagonal(kernel, 0.0)
    return kernel


def debiased_cka(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    """Linear CKA (Kornblith et al., 2019) of unbiased HSIC estimates (Song et al., 2012; Nguyen et al., 2021).

    1 for activations that are equal up to rotation and scale; around 0, on either side, for independent ones, however
    few the rows. Unlike the biased estimate it does not grow with the width.

    Args:
        k: of `gram`.
        l: of `gram`, on the same rows.

    Returns:
        NaN where one side does not vary.
    """
    scale = _hsic(k, k) * _hsic(l, l)
    return float(_hsic(k, l) / np.sqrt(scale)) if scale > 0 else float("nan")


def _hsic(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    """HSIC without bias, of kernels with a zero diagonal; equation 5 of Song et al. (2012)."""
    n, rows_k, rows_l = len(k), k.sum(axis=0), l.sum(axis=0)
    total = np.vdot(k, l) + rows_k.sum() * rows_l.sum() / ((n - 1) * (n - 2)) - 2 * rows_k @ rows_l / (n - 2)
    return total / (n * (n - 3))


def procrustes(x: np.ndarray, y: np.ndarray) -> float:
    """Orthogonal Procrustes distance of centred activations of unit norm (Ding et al., 2021): 0, equal up to rotation
    and scale, to 2. NaN where one side does not vary.
    """
    from scipy.linalg import qr, svdvals

    x, y = _centred(x), _centred(y)
    norms = np.linalg.norm(x), np.linalg.norm(y)
    if not all(norms):
        return float("nan")
    if len(x) < x.shape[1]:  # the same singular values, of a smaller matrix
        x, y = (qr(side.T, mode="r")[0][: len(side)].T for side in (x, y))
    return float(max(0.0, 2 - 2 * svdvals(x.T @ y).sum() / (norms[0] * norms[1])))


def rsa(x: np.ndarray, y: np.ndarray) -> float:
    """Representational similarity (Kriegeskorte et al., 2008): Spearman's correlation of the Euclidean distances of
    every two rows in x with those in y. NaN where one side does not vary.
    """
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    first, second = pdist(_centred(x)), pdist(_centred(y))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)


def effective_rank(x: np.ndarray) -> float:
    """How many directions activations fill: exp of the entropy of the singular values (Roy & Vetterli, 2007).

    From 1 to the smaller of rows and width; 0 if all rows are equal.
    """
    from scipy.linalg import svdvals

    return entropy_rank(svdvals(_centred(x)))


def entropy_rank(singular_values: np.ndarray) -> float:
    """`effective_rank` of singular values."""
    total = singular_values.sum()
    shares = singular_values[singular_values > 0] / total if total > 0 else np.zeros(0)
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0


def drift(base: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """How far activations have moved.

    Returns:
        Means over rows: `relative`, the norm of the difference over the base's; `cosine` of the two, of equal rows 0
        and 1, exactly. `offset`, the norm of the mean difference over the base's mean norm: how far all rows moved
        together; `offset_share`, that vector's share of the squared differences, 0 where there are none. Rows that
        move independently of each other have a share of 1 / rows.
    """
    base, other = _finite(base), _finite(other)
    norms = np.linalg.norm(base, axis=1), np.linalg.norm(other, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.linalg.norm(other - base, axis=1) / norms[0]
        cosine = (base * other).sum(axis=1) / (norms[0] * norms[1])
    cosine[(base == other).all(axis=1)] = 1.0  # not 1 minus a rounding error
    moved = other - base
    common, squares = moved.mean(axis=0), (moved**2).sum()
    return {
        "relative": float(np.nan_to_num(relative).mean()),
        "cosine": float(np.nan_to_num(cosine).mean()),
        "offset": float(np.linalg.norm(common) / max(norms[0].mean(), np.finfo(float).tiny)),
        "offset_share": float(len(moved) * (common**2).sum() / squares) if squares else 0.0,
    }


def _centred(x: np.ndarray) -> np.ndarray:
    x = _finite(x)
    return x - x.mean(axis=0)


def _finite(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    if not np.isfinite(x).all():
        raise AsciiMazeError("activations hold numbers that are not finite (NaN or infinity); is the training broken?")
    return x
