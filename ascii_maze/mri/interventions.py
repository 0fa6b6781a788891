"""Interventions on the first few mazes of a report: parts patched, adapters mixed, states steered, walls added."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..terminal import OnProgress
from .component_effects import find_components
from .layer_effects import find_layer_effects
from .mixing import mix_adapters
from .models import BASE, Models
from .odds import asked_moves, first_moves
from .positions import TokenisedWalk
from .schema.causes import Components, LayerEffects, Steering, WallEffect
from .schema.weights import Alignment, Mixture
from .steering import steer
from .walls import find_wall_effect


class Interventions(NamedTuple):
    """What `intervene` returns.

    Attributes:
        layers: fine-tunes' states after one layer, patched into their starts.
        components: heads and MLPs of every fine-tune, patched one by one.
        mixtures: of two adapters.
        steering: fine-tunes' mean changes, added to their starts.
        walls: whether the base acts on a direction for walls; None where that is missing.
        missing: part of the report -> why it is missing.
    """

    layers: list[LayerEffects]
    components: list[Components]
    mixtures: list[Mixture]
    steering: list[Steering]
    walls: WallEffect | None
    missing: dict[str, str]


def intervene(
    models: Models,
    names: Sequence[str],
    starts: Mapping[str, str],
    layers: Mapping[str, Sequence[int]],
    cosines: Sequence[Alignment],
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    decisions: np.ndarray,
    seed: int,
    on_progress: OnProgress,
) -> Interventions:
    """Change models in known ways, and measure the effects on some mazes.

    Args:
        names: of the fine-tunes.
        starts: fine-tune -> another that it started from.
        layers: fine-tune -> those that are patched.
        cosines: of `weights.align`, from the base; the pairs with the lowest are mixed.
        rows: the mazes, none to leave this out; `walks` are theirs.
        decisions: bool (moves,) of these mazes and perhaps more after them, where the walker has a choice.
        seed: of the random directions and of the resampled mazes.
    """
    if not walks:
        return Interventions([], [], [], [], None, {})
    of_these = first_moves(decisions, walks)
    pairs = [(starts.get(name, BASE), name) for name in names]
    scored = asked_moves(walks, of_these)
    by_layer = [find_layer_effects(models, *pair, layers[pair[1]], walks, scored, seed) for pair in pairs]
    parts, unfound = find_components(models, pairs, walks, of_these, seed, on_progress)
    mixtures, unmixed = mix_adapters(models, cosines, names, rows, walks, of_these, seed, on_progress)
    steering = []
    for done, pair in enumerate(pairs, 1):
        steering.append(steer(models, *pair, walks, scored, seed))
        on_progress("steering", done, len(pairs))
    walls, unclosed = find_wall_effect(models, rows, walks, seed)
    return Interventions(by_layer, parts, mixtures, steering, walls, {**unfound, **unmixed, **unclosed})
