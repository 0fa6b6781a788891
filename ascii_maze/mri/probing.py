"""Linear probes of every layer of every model, question by question; `probes` trains each."""

import itertools
import os
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import AsciiMazeError
from ..terminal import OnProgress
from .activations import Activations
from .labels import cell_labels, move_labels
from .models import BASE
from .places import solution_labels
from .positions import TokenisedWalk
from .probes import Scored, compare_probes, train_probe
from .schema.states import Gain, Probe

# What is probed: question -> (position, label, and the label that selects the rows; None for all).
QUESTIONS: dict[str, tuple[str, str, str | None]] = {
    "next move": ("moves", "next_move", None),
    "next move at decisions": ("moves", "next_move", "decision"),
    "distance to the goal": ("moves", "distance", None),
    "on a shortest path": ("cells", "on_path", None),
    "wall to the north": ("cells", "wall_north", None),
    "the solution, whole map read": ("last_prompt", "solution", "of one size"),
}
# Layers probed in parallel, each held in memory.
THREADS = min(8, os.cpu_count() or 1)


class Asked(NamedTuple):
    """What `ask_probes` returns.

    Attributes:
        probes: model -> question -> per layer.
        gains: adapter -> question -> its gain over the model that it started from.
        missing: part of the report -> why it is missing.
    """

    probes: dict[str, dict[str, list[Probe]]]
    gains: dict[str, dict[str, Gain]]
    missing: dict[str, str]


def ask_probes(
    activations: Activations,
    names: Sequence[str],
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    seed: int,
    on_progress: OnProgress,
    starts: Mapping[str, str] = MappingProxyType({}),
) -> Asked:
    """Every question of `QUESTIONS` at every layer of some models, on the same held-out mazes.

    Args:
        names: of the models.
        starts: adapter -> another that it started from.
    """
    from sklearn.exceptions import ConvergenceWarning

    labels = {
        "moves": move_labels(rows, walks),
        "cells": cell_labels(rows, walks),
        "last_prompt": solution_labels(rows),
    }
    found = Asked({name: {} for name in names}, {name: {} for name in names if name != BASE}, {})
    missing = found.missing
    steps, done = len(QUESTIONS) * len(names), itertools.count(1)
    # A probe is too small for several BLAS threads; several probes at once fill the cores.
    with threadpool_limits(1), warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", ConvergenceWarning)  # close to the optimum is good enough
        for question, (position, label, only_where) in QUESTIONS.items():
            of_position = labels[position]
            where = np.flatnonzero(of_position[only_where]) if only_where else np.arange(len(of_position["maze"]))
            values, mazes = of_position[label][where], of_position["maze"][where]
            if len(np.unique(values)) < 2:
                answer = f"one answer only, {values[0]}," if len(values) else "nothing to ask"
                missing[f"the probe of '{question}'"] = f"{answer} in all of these mazes"
                continue
            try:
                scored = {}
                for name in names:
                    ask = partial(_probe_layer, activations, name, position, where, values, mazes, seed)
                    scored[name] = list(pool.map(ask, range(activations.layers)))
                    found.probes[name][question] = [one.probe for one in scored[name]]
                    on_progress("probes", next(done), steps)
                for name in found.gains:
                    start = starts.get(name, BASE)
                    start = start if start in scored else BASE
                    pairs = [compare_probes(*pair, seed) for pair in zip(scored[start], scored[name])]
                    gain, ci = zip(*pairs)
                    found.gains[name][question] = Gain(reference=start, gain=list(gain), ci=list(ci))
            except AsciiMazeError as error:  # a property of the labels, so it affects all models
                missing[f"the probe of '{question}'"] = str(error)
    return found


def _probe_layer(
    activations: Activations,
    model: str,
    position: str,
    where: np.ndarray,
    labels: np.ndarray,
    mazes: np.ndarray,
    seed: int,
    layer: int,
) -> Scored:
    return train_probe(activations.read(model, layer, position)[where], labels, mazes, seed)
