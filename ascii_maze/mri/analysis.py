"""Similarity, regions and starts: what is computed from the activations of several models."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import AsciiMazeError, UsageError
from ..terminal import OnProgress
from .activations import Activations, extract
from .lens import divergence, log_probabilities, mean_at, next_token_kl
from .models import BASE, Models
from .positions import TokenisedWalk
from .regions.changes import KINDS, Centred, apart, find_changes, with_tests
from .regions.comparison import RegionSettings, compare_regions, fit_regions
from .schema.regions import Changes, RegionComparison
from .schema.share import only
from .schema.states import AgainstStart, Drift, Quantisation, Similarity
from .schema.weights import Update
from .similarity import debiased_cka, drift, effective_rank, gram, procrustes, rsa
from .weights import FactoredUpdate, align, updates

# The position of `drift` and `cka` in mri.json: after the whole map, before any move.
HEADLINE = "last_prompt"
DRIFT_POSITIONS = ("start", "goal", "maze_mean", "last_prompt", "moves")
# Mazes that are compared pairwise; more change the result little, and the time grows quadratically.
CKA_MAZES = 2_000
RSA_MAZES = 500


class FoundRegions(NamedTuple):
    """Regions of all models.

    Attributes:
        by_label: label -> of `compare_regions`; empty where there are none.
        as_llm_mri: (reference, model) -> changes in bases that the models share, without centring.
        centred: the same after each model is centred on its own mean.
        apart: measure of distance -> (model, model) -> distance by layer.
        missing: part of the report -> why it is missing.
    """

    by_label: dict[str, RegionComparison]
    as_llm_mri: dict[tuple[str, str], Changes]
    centred: dict[tuple[str, str], Changes]
    apart: dict[str, Callable[[str, str], list[float]]]
    missing: dict[str, str]


def compare_similarity(activations: Activations, on_progress: OnProgress) -> Similarity:
    """Drift, CKA, Procrustes distance, RSA and effective rank, layer by layer."""
    layers, names = range(activations.layers), activations.models
    by_position = {name: drift_by_position(activations, BASE, name) for name in names[1:]}
    found = Similarity(
        drift_by_position=by_position, cka_layers={}, procrustes={}, rsa={}, effective_rank={}, drift={}, cka={}
    )
    of_base = [gram(activations.read(BASE, layer, HEADLINE)[:CKA_MAZES]) for layer in layers]
    for done, name in enumerate(names, 1):
        likeness, ranks, distances, correlations = [], [], [], []
        for layer in layers:
            base, mine = (activations.read(model, layer, HEADLINE)[:CKA_MAZES] for model in (BASE, name))
            same, kernel = np.array_equal(base, mine), gram(mine)
            # Equal states are alike even where nothing varies, as at a token that all prompts share.
            column = [debiased_cka(other, kernel) for other in of_base]
            likeness.append([1.0 if same and n == layer else value for n, value in enumerate(column)])
            ranks.append(effective_rank(mine))
            if name != BASE:
                distances.append(0.0 if same else procrustes(base, mine))
                correlations.append(1.0 if same else rsa(base[:RSA_MAZES], mine[:RSA_MAZES]))
        found["cka_layers"][name] = np.transpose(likeness).tolist()
        found["effective_rank"][name] = ranks
        if name != BASE:
            found["procrustes"][name], found["rsa"][name] = distances, correlations
            found["drift"][name] = by_position[name][HEADLINE]["relative"]
            found["cka"][name] = np.diag(found["cka_layers"][name]).tolist()
        on_progress("similarity", done, len(names))
    return found


def drift_by_position(activations: Activations, reference: str, name: str) -> dict[str, Drift]:
    """The drift of a model's states from another's, by position and layer."""
    return {
        position: drift_by_layer(
            (activations.read(reference, layer, position), activations.read(name, layer, position))
            for layer in range(activations.layers)
        )
        for position in DRIFT_POSITIONS
    }


def drift_by_layer(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Drift:
    """`similarity.drift` of two models' states at each layer."""
    moved = [drift(before, after) for before, after in pairs]
    return only(Drift, {key: [one[key] for one in moved] for key in Drift.__annotations__})


def likeness(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """CKA, Procrustes distance and RSA of two models' states at one layer, float (n, width)."""
    if np.array_equal(before, after):  # alike even where nothing varies, as at a token that all prompts share
        return {"cka": 1.0, "procrustes": 0.0, "rsa": 1.0}
    before, after = before[:CKA_MAZES], after[:CKA_MAZES]
    return {
        "cka": debiased_cka(gram(before), gram(after)),
        "procrustes": procrustes(before, after),
        "rsa": rsa(before[:RSA_MAZES], after[:RSA_MAZES]),
    }


def seed_measures(
    models: Models, activations: Activations, changed: Mapping[str, list[FactoredUpdate]]
) -> dict[str, Callable[[str, str], list[float]]]:
    """Measures of the distance of two adapters by layer, for `seeds.compare_seeds`.

    Args:
        changed: adapter -> of `weights.updates`.
    """
    layers = range(activations.layers)
    norms = [np.linalg.norm(activations.read(BASE, layer, HEADLINE), axis=1).mean() for layer in layers]

    def states(a: str, b: str, layer: int) -> tuple[np.ndarray, np.ndarray]:
        return activations.read(a, layer, HEADLINE), activations.read(b, layer, HEADLINE)

    def moved_apart(a: str, b: str) -> list[float]:
        moved = (np.subtract(*states(a, b, layer)) for layer in layers)
        return [float(np.linalg.norm(each, axis=1).mean() / norm) for each, norm in zip(moved, norms)]

    def unlike(measure: str) -> Callable[[str, str], list[float]]:
        return lambda a, b: [1 - likeness(*states(a, b, layer))[measure] for layer in layers]

    def turned(a: str, b: str) -> list[float]:
        (cell,) = align({a: changed[a], b: changed[b]}, BASE, activations.layers - 1)
        return [np.nan if value is None else 1 - value for value in (None, *cell["by_layer"])]

    return {
        "drift": moved_apart,
        "1 - CKA": unlike("cka"),
        "Procrustes": lambda a, b: [likeness(*states(a, b, layer))["procrustes"] for layer in layers],
        "1 - RSA": unlike("rsa"),
        "1 - cosine of the updates": turned,
        "KL": lambda a, b: [float(next_token_kl(models, activations, a, b).mean())],
    }


def compare_precisions(
    models: Models, plain: Models, walks: Sequence[TokenisedWalk], activations: Activations, folder: Path
) -> Quantisation:
    """The effect of quantisation alone on the base.

    Args:
        plain: the base in full precision.
        folder: for its activations.
    """
    whole, last = extract(plain, walks, folder, positions=(HEADLINE, "moves")), activations.layers - 1
    pairs = [
        (whole.read(BASE, layer, HEADLINE), activations.read(BASE, layer, HEADLINE))
        for layer in range(activations.layers)
    ]
    before, after = (
        log_probabilities(one, BASE, states.read(BASE, last, "moves"))
        for one, states in ((plain, whole), (models, activations))
    )
    return {
        "drift": drift_by_layer(pairs),
        "cka": [likeness(*pair)["cka"] for pair in pairs],
        "kl": float(divergence(before, after)[:, 0].mean()),
    }


def compare_starts(
    models: Models,
    activations: Activations,
    starts: Mapping[str, str],
    regions: FoundRegions,
    decisions: np.ndarray,
    on_progress: OnProgress,
) -> dict[str, AgainstStart]:
    """The change of every fine-tune relative to the fine-tune that it started from.

    Args:
        starts: fine-tune -> its start.
        regions: with the changes of these pairs, if there are any.
        decisions: bool (moves,), where the walker has a choice.
    """
    found: dict[str, AgainstStart] = {}
    for done, (name, start) in enumerate(starts.items(), 1):
        alike = [
            likeness(*(activations.read(model, layer, HEADLINE) for model in (start, name)))
            for layer in range(activations.layers)
        ]
        nats = next_token_kl(models, activations, start, name)
        found[name] = AgainstStart(
            start=start,
            drift_by_position=drift_by_position(activations, start, name),
            cka=[one["cka"] for one in alike],
            procrustes=[one["procrustes"] for one in alike],
            rsa=[one["rsa"] for one in alike],
            kl={
                "from_start": float(nats[:, 0].mean()),
                "to_fine_tune": float(nats[:, 1].mean()),
                "from_start_at_decisions": mean_at(nats[:, 0], decisions),
            },
            weights=[only(Update, update) for update in updates(models, name, start)],
            as_llm_mri=regions.as_llm_mri.get((start, name)),
            centred=regions.centred.get((start, name)),
        )
        on_progress("against the start", done, len(starts))
    return found


def find_regions(
    activations: Activations,
    labels: dict[str, np.ndarray],
    pairs: Sequence[tuple[str, str]],
    seed: int,
    on_progress: OnProgress,
) -> FoundRegions:
    """Regions of every model's activations, for each label with at least two groups of mazes.

    Args:
        labels: of `maze_labels`.
        pairs: (reference, model), compared over all prompts; every model with the base is among them.
    """
    try:
        fitted, centred = (
            fit_regions(states, RegionSettings(HEADLINE, seed)) for states in (activations, Centred(activations))
        )
    except AsciiMazeError as error:
        return FoundRegions({}, {}, {}, {}, {"activation regions": str(error)})
    steps = itertools.count(1)
    total = len(labels) + len(pairs) + 1
    on_progress("regions", next(steps), total)
    changes: tuple[dict, dict] = ({}, {})
    for pair in pairs:
        for table, version in zip(changes, (fitted, centred)):
            table[pair] = find_changes(version, *pair)
        on_progress("regions", next(steps), total)
    fitted = with_tests(fitted, changes[0])
    # There are too many distances to be labels, so they are split into near and far at their median.
    far = labels["distance"] > np.median(labels["distance"])
    found, missing = {}, {}
    for label, values in {**labels, "distance": np.where(far, "far", "near")}.items():
        names, codes = np.unique(values, return_inverse=True)
        try:
            found[label] = compare_regions(fitted, codes, [f"{label} {name}" for name in names])
        except UsageError as error:
            missing[f"activation regions by {label}"] = str(error)
        on_progress("regions", next(steps), total)
    distances = {
        f"1 - agreement of {kind}{version}": apart(fit, kind)
        for version, fit in (("", fitted), (", centred", centred))
        for kind in KINDS
    }
    return FoundRegions(found, *changes, distances, missing)
