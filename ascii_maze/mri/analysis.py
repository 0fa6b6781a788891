"""Every number of the report, from activations and models; nothing here draws or writes."""

import itertools
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import AsciiMazeError, UsageError
from ..terminal import OnProgress
from . import patching
from .activations import Activations
from .labels import cell_labels, move_labels
from .models import BASE, Models
from .positions import TokenisedWalk
from .probes import probe
from .regions.comparison import compare_regions, fit_regions
from .schema import Drift, Patching, Probe, RegionComparison, Share, Similarity
from .similarity import debiased_cka, drift, effective_rank, gram, procrustes, rsa

# The position of `drift` and `cka` in mri.json: the whole map has been read, and no move made.
HEADLINE = "last_prompt"
DRIFT_POSITIONS = ("start", "goal", "maze_mean", "last_prompt", "moves")
# Mazes that are compared pairwise: more change little, and the time grows quadratically.
CKA_MAZES = 2_000
RSA_MAZES = 500
# Mazes that patched models answer, once per adapter and layer; and those whose next moves are counted.
PATCHED_WALKS = 100
PATCHED_READS = 24
# What is probed: question -> (position, label).
QUESTIONS = {
    "next move": ("moves", "next_move"),
    "distance to the goal": ("moves", "distance"),
    "on a shortest path": ("cells", "on_path"),
    "wall to the north": ("cells", "wall_north"),
}
# Layers probed in parallel, each held in memory.
THREADS = min(8, os.cpu_count() or 1)


def compare_similarity(activations: Activations, on_progress: OnProgress) -> Similarity:
    """Drift, CKA, Procrustes distance, RSA and effective rank, layer by layer."""
    layers, names = range(activations.layers), activations.models
    by_position = {
        name: {position: _drift_by_layer(activations, name, position) for position in DRIFT_POSITIONS}
        for name in names[1:]
    }
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


def _drift_by_layer(activations: Activations, name: str, position: str) -> Drift:
    moved = [
        drift(activations.read(BASE, layer, position), activations.read(name, layer, position))
        for layer in range(activations.layers)
    ]
    return {"relative": [one["relative"] for one in moved], "cosine": [one["cosine"] for one in moved]}


def ask_probes(
    activations: Activations, rows: Sequence[dict], walks: Sequence[TokenisedWalk], seed: int, on_progress: OnProgress
) -> tuple[dict[str, dict[str, list[Probe]]], dict[str, str]]:
    """Every question of `QUESTIONS` at every layer of every model, on the same held-out mazes.

    Returns:
        {model: {question: [of `probe`, per layer]}}, and {what is missing: why}.
    """
    from sklearn.exceptions import ConvergenceWarning

    labels = {"moves": move_labels(rows, walks), "cells": cell_labels(rows, walks)}
    found: dict = {name: {} for name in activations.models}
    missing = {}
    steps, done = len(QUESTIONS) * len(activations.models), itertools.count(1)
    # A probe is too small for several BLAS threads; several probes at once fill the cores.
    with threadpool_limits(1), warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", ConvergenceWarning)  # close to the optimum is good enough
        for question, (position, label) in QUESTIONS.items():
            values, mazes = labels[position][label], labels[position]["maze"]
            if len(np.unique(values)) < 2:
                missing[f"the probe of '{question}'"] = f"one answer only, {values[0]}, in all of these mazes"
                continue
            try:
                for name in activations.models:
                    ask = partial(_probe_layer, activations, name, position, values, mazes, seed)
                    found[name][question] = list(pool.map(ask, range(activations.layers)))
                    on_progress("probes", next(done), steps)
            except AsciiMazeError as error:  # of the labels, so it strikes the first model as it would all
                missing[f"the probe of '{question}'"] = str(error)
    return found, missing


def _probe_layer(
    activations: Activations, model: str, position: str, labels: np.ndarray, mazes: np.ndarray, seed: int, layer: int
) -> Probe:
    return probe(activations.read(model, layer, position), labels, mazes, seed)


def valid_share(right: np.ndarray) -> Share:
    """The share of answers that are valid, of bool (n,)."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(int(right.sum()), len(right), method="wilson")
    return {"valid": float(right.mean()), "valid_ci": [float(low), float(high)]}


def patch_layers(
    models: Models, rows: Sequence[dict], walks: Sequence[TokenisedWalk], solved: dict, on_progress: OnProgress
) -> dict[str, Patching]:
    """How much validity is restored by patching a fine-tune's hidden states into the base, at each layer in turn.

    Args:
        solved: model -> bool (n,), of its own answers.

    Returns:
        For each adapter `valid` and `valid_ci` per layer, `restored`, the share of the way from the base's validity
        to the fine-tune's (None where these are equal), `base`, `fine_tune`, `mazes`; and `accuracy`, see
        `patching.patched_accuracy`, with `reads`, the mazes of that.
    """
    found: dict[str, Patching] = {}
    few, layers = walks[:PATCHED_READS], range(len(models.layers) + 1)
    rows, walks = rows[:PATCHED_WALKS], walks[:PATCHED_WALKS]
    steps, done = (len(models.names) - 1) * (len(layers) + 1), 0
    for name in models.names[1:]:
        base, own = (float(solved[model][: len(rows)].mean()) for model in (BASE, name))
        stages = models.stages(name)
        # Below the adapter's first layer the patched base is the base, and above its last the fine-tune.
        known = {frozenset(): solved[BASE][: len(rows)], frozenset(stages): solved[name][: len(rows)]}
        walked = []
        for layer in layers:
            at_work = frozenset(stage for stage in stages if stage <= layer)
            if at_work not in known:
                known[at_work] = patching.solved(rows, patching.patched_answers(models, name, layer, rows, walks))
            walked.append(valid_share(known[at_work]))
            on_progress("patching", done := done + 1, steps)
        accuracy = patching.patched_accuracy(models, name, few)
        on_progress("patching", done := done + 1, steps)
        found[name] = {
            "base": base,
            "fine_tune": own,
            "valid": [share["valid"] for share in walked],
            "valid_ci": [share["valid_ci"] for share in walked],
            "restored": [None if own == base else (share["valid"] - base) / (own - base) for share in walked],
            "accuracy": accuracy,
            "mazes": len(rows),
            "reads": len(few),
        }
    return found


def find_regions(
    activations: Activations, labels: dict[str, np.ndarray], seed: int, on_progress: OnProgress
) -> tuple[dict[str, RegionComparison], dict[str, str]]:
    """Regions of every model's activations, for each label with at least two groups of mazes.

    Args:
        labels: of `maze_labels`.

    Returns:
        {label: of `compare_regions`}, and {what is missing: why}.
    """
    try:
        fitted = fit_regions(activations, HEADLINE, seed)
    except AsciiMazeError as error:
        return {}, {"activation regions": str(error)}
    on_progress("regions", 1, len(labels) + 1)
    # Too many distances for labels: near and far, split at their median.
    far = labels["distance"] > np.median(labels["distance"])
    found, missing = {}, {}
    for done, (label, values) in enumerate({**labels, "distance": np.where(far, "far", "near")}.items(), 2):
        names, codes = np.unique(values, return_inverse=True)
        try:
            found[label] = compare_regions(fitted, codes, [f"{label} {name}" for name in names])
        except UsageError as error:
            missing[f"activation regions by {label}"] = str(error)
        on_progress("regions", done, len(labels) + 1)
    return found, missing
