"""llm-mri's PCA, SVD and UMAP, fitted once per layer, so that all models and labels share a basis.

llm-mri fits each label and each model separately, so their components are not comparable. Needs llm-mri; code that
does not is in `regions`.
"""

import numpy as np
import torch
from llm_mri.dimensionality_reduction import PCA, SVD, UMAP

# Coordinates are rounded to this fraction of an activation's norm: smaller differences are float32 rounding, which
# ranks would turn into correlations.
PRECISION = 2.0**-17
# UMAP compares rows with rows: it is fitted on at most this many, evenly spaced, and transforms the others.
UMAP_ROWS = 2_000


class SharedBasis:
    """Makes one of llm-mri's reductions a shared one; a mixin, to be named before it.

    Attributes:
        bases: by name of a hidden state, the fitted estimator; None where all rows are equal.
        borders: by name, where the cells of its grid begin and end, float64 (gridsize + 1, 2); of 2 components only.
    """

    # Of llm-mri's class.
    n_components: int
    gridsize: int

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.bases: dict = {}
        self.grains: dict[str, float] = {}
        self.borders: dict[str, np.ndarray] = {}

    def fit(self, name: str, rows: np.ndarray) -> None:
        """Fit the basis of one hidden state.

        Args:
            rows: float (n, width), of all the models that are to share it.
        """
        rows = rows.astype(np.float64)
        norm = np.sqrt(np.mean(np.sum(rows**2, axis=1)))
        alike = np.ptp(rows, axis=0).max() <= PRECISION * norm
        self.bases[name] = None if alike else self._estimator().fit(self._sample(rows))
        self.grains[name] = PRECISION * norm
        if self.n_components == 2:
            places = self.transform(name, rows)
            self.borders[name] = np.linspace(places.min(axis=0), places.max(axis=0), self.gridsize + 1)

    def transform(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Rows, float (n, width), in the basis of a hidden state: float64 (n, components)."""
        if self.bases[name] is None:
            return np.zeros((len(rows), self.n_components))
        return self._round(self.bases[name].transform(rows.astype(np.float64)), self.grains[name])

    def explained(self) -> list[float | None]:
        """By layer, the share of the variance that the components hold; None where nothing varies, and for UMAP."""
        shares = (getattr(basis, "explained_variance_ratio_", None) for basis in self.bases.values())
        return [None if share is None else float(np.sum(share)) for share in shares]

    def get_hidden_states_reduction(self, hidden_states) -> dict[str, torch.Tensor]:
        """Every hidden state in its shared basis, by name; the basis must have been fitted."""
        names = [name for name in hidden_states.column_names if name.startswith("hidden_state")]
        return {name: torch.from_numpy(self.transform(name, np.asarray(hidden_states[name]))) for name in names}

    def get_reduction(self, dataset: np.ndarray) -> np.ndarray:
        """Rows in a basis of their own, for llm-mri's Evaluation; the random state applies here too."""
        return self._estimator().fit_transform(np.asarray(dataset, dtype=np.float64))

    def _estimator(self):
        """The estimator, not fitted yet, with scikit-learn's interface."""
        raise NotImplementedError

    def _sample(self, rows: np.ndarray) -> np.ndarray:
        return rows

    def _round(self, places: np.ndarray, grain: float) -> np.ndarray:
        return np.round(places / grain) * grain


class SharedPCA(SharedBasis, PCA):
    """Principal components; repeated rows count repeatedly."""

    def _estimator(self):
        from sklearn.decomposition import PCA as Estimator

        return Estimator(self.n_components, random_state=self.random_state)


class SharedSVD(SharedBasis, SVD):
    """Singular vectors of the rows, not centred."""

    def _estimator(self):
        from sklearn.decomposition import TruncatedSVD

        return TruncatedSVD(self.n_components, n_iter=10, random_state=self.random_state)


class SharedUMAP(SharedBasis, UMAP):
    """UMAP of rows scaled to 0-1, as llm-mri does it.

    Reproducible from the random state: on one thread; initialised with principal components, since UMAP's spectral
    start varies where rows are equal; and fitted on distinct rows, since copies would be each other's only neighbours.
    """

    def _estimator(self):
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import MinMaxScaler
        from umap import UMAP as Estimator

        settings = {"metric": self.metric, "init": "pca", "random_state": self.random_state, "n_jobs": 1}
        return make_pipeline(MinMaxScaler(), Estimator(n_components=self.n_components, **settings))

    def _sample(self, rows: np.ndarray) -> np.ndarray:
        rows = np.unique(rows, axis=0)
        return rows[:: -(-len(rows) // UMAP_ROWS)]

    def _round(self, places: np.ndarray, grain: float) -> np.ndarray:
        return places  # not in units of activations


REDUCTIONS: dict[str, type[SharedBasis]] = {"pca": SharedPCA, "svd": SharedSVD, "umap": SharedUMAP}
