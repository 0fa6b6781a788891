"""What a linear map can read from a layer: probes scored on held-out mazes, beside a control with shuffled labels.

The split is by maze, not by move: moves of one maze are too similar to be on both sides. The control is trained in the
same way on labels shuffled among the rows; its score is due to how common each label is (and, for a wide layer and few
rows, to overfitting). A score means something as far as it exceeds its control.
"""

import numpy as np

from ..errors import AsciiMazeError
from .schema import Probe

TRAIN_SHARE = 0.7
RESAMPLES = 1_000
# Rows a probe is trained on at most; more change little and cost time.
ROWS = 3_000
SHUFFLES = 3
# Weights up to which Newton's method, a few steps that cost their cube, beats L-BFGS.
NEWTON_WEIGHTS = 1_000


def probe(x: np.ndarray, labels: np.ndarray, mazes: np.ndarray, seed: int) -> Probe:
    """Train a linear probe on some mazes and score it on others.

    Args:
        x: float (rows, width).
        labels: (rows,); numbers are predicted by ridge regression, anything else, bool too, by logistic regression.
        mazes: int64 (rows,), the maze of each row.
        seed: of the split, the shuffle and the resamples.

    Returns:
        `measure`, `accuracy` or `r2`; `score` on held-out mazes with `ci`, 95 % percentiles of a bootstrap over mazes;
        `control`, the mean score after training on labels shuffled in `SHUFFLES` ways; `chance`, that of the commonest
        label (for r2, of the mean); `mazes` and `rows`, trained on and held out.

    Raises:
        AsciiMazeError: numbers that are not finite, fewer than ten mazes, or one label only.
    """
    from sklearn.preprocessing import StandardScaler

    if not np.isfinite(x).all():
        raise AsciiMazeError("activations hold numbers that are not finite (NaN or infinity); is the training broken?")
    rng = np.random.default_rng(seed)
    names = np.unique(mazes)
    if len(names) < 10:
        raise AsciiMazeError(f"{len(names)} mazes are too few for a probe; give at least 10")
    held_out = np.isin(mazes, rng.permutation(names)[round(TRAIN_SHARE * len(names)) :])
    train, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    train = rng.permutation(train)[:ROWS]
    if len(np.unique(labels[train])) < 2:
        raise AsciiMazeError(f"one label only, {labels[train][0]}: there is nothing to classify; give other mazes")
    scaler = StandardScaler().fit(x[train])
    inside, outside = scaler.transform(x[train]), scaler.transform(x[test])
    numeric = labels.dtype.kind in "iuf"
    parts = _parts(_fit(inside, labels[train], numeric).predict(outside), labels[test], numeric)
    controls = []
    for _ in range(SHUFFLES):
        shuffled = _fit(inside, rng.permutation(labels[train]), numeric).predict(outside)
        controls.append(_score(*_parts(shuffled, labels[test], numeric), numeric))
    common = np.full(len(test), _commonest(labels[train], numeric))
    return {
        "measure": "r2" if numeric else "accuracy",
        "score": _score(*parts, numeric),
        "ci": _bootstrap(*parts, mazes[test], numeric, rng),
        "control": float(np.mean(controls)),
        "chance": _score(*_parts(common, labels[test], numeric), numeric),
        "mazes": len(names),
        "rows": [len(train), len(test)],
    }


def _fit(x: np.ndarray, labels: np.ndarray, numeric: bool):
    from sklearn.linear_model import LogisticRegression, Ridge

    if numeric:
        return Ridge(alpha=1.0).fit(x, labels)
    small = x.shape[1] * len(np.unique(labels)) <= NEWTON_WEIGHTS
    solver = {"solver": "newton-cholesky", "tol": 1e-2} if small else {"solver": "lbfgs", "tol": 1e-3}
    return LogisticRegression(C=0.1, max_iter=200, **solver).fit(x, labels)


def _commonest(labels: np.ndarray, numeric: bool):
    if numeric:
        return labels.mean()
    values, counts = np.unique(labels, return_counts=True)
    return values[counts.argmax()]


def _parts(predicted: np.ndarray, labels: np.ndarray, numeric: bool) -> tuple[np.ndarray, np.ndarray]:
    """What each row adds to the numerator and the denominator of the score: squares for r2, hits for accuracy."""
    if numeric:
        return (labels - predicted) ** 2.0, (labels - labels.mean()) ** 2.0
    return (predicted == labels).astype(float), np.ones(len(labels))


def _score(top: np.ndarray, bottom: np.ndarray, numeric: bool) -> float:
    return float(1 - top.sum() / bottom.sum() if numeric else top.sum() / bottom.sum())


def _bootstrap(
    top: np.ndarray, bottom: np.ndarray, mazes: np.ndarray, numeric: bool, rng: np.random.Generator
) -> list[float]:
    """Percentiles of the score over resamples of whole mazes."""
    _, of_maze = np.unique(mazes, return_inverse=True)
    count = of_maze.max() + 1
    weights = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    sums = [weights @ np.bincount(of_maze, part, count) for part in (top, bottom)]
    scores = sums[0] / sums[1]
    return [float(bound) for bound in np.percentile(1 - scores if numeric else scores, [2.5, 97.5])]
