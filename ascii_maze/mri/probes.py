"""Linear probes of a layer, scored on held-out mazes, with a control on shuffled labels.

The split is by maze, not by move: moves of one maze are too similar to be on both sides. The control is trained in the
same way on labels shuffled among the rows; its score reflects label frequencies (and, for a wide layer and few rows,
overfitting). A score is meaningful as far as it exceeds its control.
"""

from typing import NamedTuple

import numpy as np

from ..errors import AsciiMazeError
from .places import fit_places
from .schema.states import Probe

TRAIN_SHARE = 0.7
RESAMPLES = 1_000
# Most rows that a probe is trained on; more change little and cost time.
ROWS = 3_000
SHUFFLES = 3
# Number of weights up to which Newton's method, with few steps of cubic cost, is faster than L-BFGS.
NEWTON_WEIGHTS = 1_000


class Scored(NamedTuple):
    """A probe's numbers, and each held-out row's contribution to its score.

    Attributes:
        top: to the numerator, float (rows held out,); `bottom`, to the denominator.
        mazes: of each of these rows.
        numeric: whether the score is an r2.
    """

    probe: Probe
    top: np.ndarray
    bottom: np.ndarray
    mazes: np.ndarray
    numeric: bool


def probe(x: np.ndarray, labels: np.ndarray, mazes: np.ndarray, seed: int) -> Probe:
    """The numbers of `train_probe`."""
    return train_probe(x, labels, mazes, seed).probe


def train_probe(x: np.ndarray, labels: np.ndarray, mazes: np.ndarray, seed: int) -> Scored:
    """Train a linear probe on some mazes and score it on others.

    Args:
        x: float (rows, width).
        labels: (rows,); numbers are predicted by ridge regression, anything else, bool too, by logistic regression.
            Or bool (rows, places), predicted by one ridge regression for each place; see `places.fit_places`.
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
    common = np.broadcast_to(_commonest(labels[train], numeric), labels[test].shape)
    found: Probe = {
        "measure": "r2" if numeric else "accuracy",
        "score": _score(*parts, numeric),
        "ci": _bootstrap(*parts, mazes[test], numeric, rng),
        "control": float(np.mean(controls)),
        "chance": _score(*_parts(common, labels[test], numeric), numeric),
        "mazes": len(names),
        "rows": [len(train), len(test)],
    }
    return Scored(found, *parts, mazes[test], numeric)


def compare_probes(before: Scored, after: Scored, seed: int) -> tuple[float, list[float]]:
    """The gain of the second of two probes over the first, and its 95 % interval over the same resampled mazes.

    Args:
        before: trained and scored on the same rows as `after`, of another model.
    """
    gain = after.probe["score"] - before.probe["score"]
    scores = [
        _resample(of.top, of.bottom, of.mazes, of.numeric, np.random.default_rng(seed)) for of in (before, after)
    ]
    return gain, [float(bound) for bound in np.percentile(scores[1] - scores[0], [2.5, 97.5])]


def _fit(x: np.ndarray, labels: np.ndarray, numeric: bool):
    from sklearn.linear_model import LogisticRegression, Ridge

    if numeric:
        return Ridge(alpha=1.0).fit(x, labels)
    if labels.ndim == 2:
        return _Places(x, labels)
    small = x.shape[1] * len(np.unique(labels)) <= NEWTON_WEIGHTS
    solver = {"solver": "newton-cholesky", "tol": 1e-2} if small else {"solver": "lbfgs", "tol": 1e-3}
    return LogisticRegression(C=0.1, max_iter=200, **solver).fit(x, labels)


class _Places:
    """One linear map for each place."""

    def __init__(self, x: np.ndarray, labels: np.ndarray):
        self._fitted = fit_places(x, labels)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self._fitted(x) > 0.5


def _commonest(labels: np.ndarray, numeric: bool):
    if numeric:
        return labels.mean()
    if labels.ndim == 2:
        return labels.mean(axis=0) > 0.5
    values, counts = np.unique(labels, return_counts=True)
    return values[counts.argmax()]


def _parts(predicted: np.ndarray, labels: np.ndarray, numeric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Each row's contribution to numerator and denominator of the score: squares for r2, hits for accuracy."""
    if numeric:
        return (labels - predicted) ** 2.0, (labels - labels.mean()) ** 2.0
    right = (predicted == labels).astype(float)
    return right.reshape(len(labels), -1).mean(axis=1), np.ones(len(labels))


def _score(top: np.ndarray, bottom: np.ndarray, numeric: bool) -> float:
    return float(1 - top.sum() / bottom.sum() if numeric else top.sum() / bottom.sum())


def _bootstrap(
    top: np.ndarray, bottom: np.ndarray, mazes: np.ndarray, numeric: bool, rng: np.random.Generator
) -> list[float]:
    """Percentiles of the score over resamples of whole mazes."""
    return [float(bound) for bound in np.percentile(_resample(top, bottom, mazes, numeric, rng), [2.5, 97.5])]


def _resample(
    top: np.ndarray, bottom: np.ndarray, mazes: np.ndarray, numeric: bool, rng: np.random.Generator
) -> np.ndarray:
    """The score in each resample of whole mazes, float64 (`RESAMPLES`,)."""
    _, of_maze = np.unique(mazes, return_inverse=True)
    count = of_maze.max() + 1
    weights = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    sums = [weights @ np.bincount(of_maze, part, count) for part in (top, bottom)]
    scores = sums[0] / sums[1]
    return 1 - scores if numeric else scores
