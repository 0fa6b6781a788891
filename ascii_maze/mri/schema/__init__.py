"""The type of mri.json, and the one place that writes and reads it.

Lists per layer start with the embedding's output (0) and end with the last decoder layer. Adapters go by the names
they were given; `base` is the model without one. A number that does not exist, such as the CKA of a layer that does
not vary, is NaN in memory and null in the file.
"""

import json
from pathlib import Path
from typing import Any, TypedDict

from ...errors import UsageError
from ...files import read_json, write_text
from .causes import Components, LayerEffects, Patching, Steering, WallEffect
from .maze import OneMaze
from .regions import Changes, ModelRegions, RegionNumbers
from .share import Share, without_nan
from .states import AgainstStart, Divergence, Gain, Lens, Moves, PlainText, Probe, Quantisation, SeedTest, Similarity
from .weights import Alignment, Mixture, Overlap, Update

Settings = TypedDict(
    "Settings",
    {
        "base": str,
        "loaded": dict[str, Any],
        "adapters": dict[str, str],
        "dataset": str,
        "split": str,
        "limit": int | None,
        "seed": int,
        "patch layers": str,
        "patch mazes": int,
        "cause mazes": int,
        "maze": str | None,
        "decoding": str,
        "read at": str,
        "versions": dict[str, str],
    },
)


class AlongSolutions(TypedDict):
    """What models predict along the solutions.

    Attributes:
        moves: facts of the moves along the solutions.
        lens: model -> each layer's prediction.
        kl: adapter -> divergence from the base and to it.
        against_start: adapter that started from another of these -> its change of that one.
    """

    moves: Moves
    lens: dict[str, Lens]
    kl: dict[str, Divergence]
    against_start: dict[str, AgainstStart]


class Weights(TypedDict):
    """What adapters change in the base's weights.

    Attributes:
        weights: adapter -> every module that it changes.
        overlaps: every two adapters, at every module that both change.
        cosines: every two adapters' updates from the base, and those from a start that they share.
    """

    weights: dict[str, list[Update]]
    overlaps: list[Overlap]
    cosines: list[Alignment]


class Causes(TypedDict):
    """The effects of changing models in known ways.

    Attributes:
        patching: adapter -> the effect of its states in the base.
        layer_effects: fine-tunes' states after one layer, patched into their starts.
        components: heads and MLPs of fine-tunes against their starts.
        mixtures: of two adapters, along the line between them and merged.
        steering: fine-tunes' mean changes, added to their starts.
        walls: whether the base acts on a direction for walls; None where that is missing.
    """

    patching: dict[str, Patching]
    layer_effects: list[LayerEffects]
    components: list[Components]
    mixtures: list[Mixture]
    steering: list[Steering]
    walls: WallEffect | None


class Regions(TypedDict):
    """Activation regions; each is empty where llm-mri is not installed.

    Attributes:
        regions: adapter -> the regions under the first way to label.
        regions_by_label: way to label -> regions of all models.
        regions_centred: adapter -> regions and edges against the base's, each model centred on its own mean.
    """

    regions: dict[str, ModelRegions]
    regions_by_label: dict[str, RegionNumbers]
    regions_centred: dict[str, Changes]


class Results(Similarity, AlongSolutions, Weights, Causes, Regions):
    """mri.json.

    Attributes:
        models: `base`, then the adapters.
        layers: hidden states per token, one more than decoder layers.
        mazes: how many were read.
        unchanged: adapters that change no activation.
        answers: model -> how many of its own answers are valid.
        probes: model -> question -> per layer.
        probe_gains: adapter -> question -> its gain over the model that it started from.
        quantisation: None where the base is not quantised.
        seeds: tests of two methods against the seeds of each; none where there is one seed.
        plain_text: model -> what it does on unrelated text; empty where its tokenizer knows none.
        one_maze: one of the mazes, from inside.
        missing: part of the report -> why it is not there.
        settings: what was asked for, and with which versions.
    """

    models: list[str]
    layers: int
    mazes: int
    unchanged: list[str]
    answers: dict[str, Share]
    probes: dict[str, dict[str, list[Probe]]]
    probe_gains: dict[str, dict[str, Gain]]
    quantisation: Quantisation | None
    seeds: list[SeedTest]
    plain_text: dict[str, PlainText]
    one_maze: OneMaze
    missing: dict[str, str]
    settings: Settings


def write_results(path: Path, results: Results) -> None:
    """Write mri.json, whole or not at all."""
    write_text(path, json.dumps(without_nan(results), indent=1, allow_nan=False))


def read_results(path: Path) -> Results:
    """Read mri.json.

    Raises:
        UsageError: it is not there, is not JSON, or lacks a part that every report has.
    """
    found = read_json(path)
    missing = sorted(Results.__required_keys__ - set(found))
    if missing:
        raise UsageError(f"{path} has no {', '.join(missing)}; run `ascii-maze mri` again")
    return found  # type: ignore[return-value]
