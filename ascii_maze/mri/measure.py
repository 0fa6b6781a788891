"""Every number of a report; nothing is drawn."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ..errors import AsciiMazeError
from ..models.folding import folded
from ..models.quantisation import dequantised
from ..terminal import OnProgress
from . import patching
from .activations import Activations, changes_nothing, extract
from .analysis import (
    FoundRegions,
    compare_precisions,
    compare_similarity,
    compare_starts,
    find_regions,
    seed_measures,
)
from .causes import patch_layers, valid_share
from .interventions import intervene
from .labels import maze_labels, move_labels
from .lens import logit_lens, mean_at, next_token_kl
from .models import BASE, Models
from .one_maze import choose_maze, look_at
from .plain_text import read_plain_text
from .positions import TokenisedWalk, locate_walks
from .probing import ask_probes
from .schema import AlongSolutions, Causes, Regions, Results, Settings, Weights
from .schema.regions import RegionComparison, RegionNumbers
from .schema.share import only
from .schema.states import Divergence, Moves, Quantisation
from .schema.weights import Alignment, Update
from .seeds import compare_seeds, first_seeds
from .weights import FactoredUpdate, align, overlaps, updates


class Measured(NamedTuple):
    """What `measure` returns.

    Attributes:
        results: what mri.json holds.
        regions: what the figures of regions are drawn from; None where there are none.
    """

    results: Results
    regions: RegionComparison | None


@dataclass(frozen=True)
class Read:
    """What models have read and answered.

    Attributes:
        rows: of the dataset.
        walks: the rows as tokens.
        solved: model -> bool (n,), whether its own answer is valid.
        steps: label of moves -> its values, (moves,); see `labels.move_labels`.
        starts: adapter -> another that it started from.
    """

    models: Models
    rows: Sequence[dict]
    walks: Sequence[TokenisedWalk]
    activations: Activations
    solved: dict[str, np.ndarray]
    steps: dict[str, np.ndarray]
    starts: Mapping[str, str]

    @property
    def adapters(self) -> list[str]:
        """All models but the base."""
        return self.models.names[1:]

    @property
    def shown(self) -> list[str]:
        """The first seed of each method; the others show how much seeds differ."""
        return first_seeds(self.adapters)

    @property
    def decisions(self) -> np.ndarray:
        """Bool (moves,), where the walker has a choice."""
        return self.steps["decision"]


def measure(
    models: Models,
    rows: Sequence[dict],
    settings: Settings,
    folder: Path,
    on_progress: OnProgress,
    starts: Mapping[str, str] = MappingProxyType({}),
    load_plain: Callable[[], Models] | None = None,
) -> Measured:
    """Every number of the report.

    Args:
        rows: of the dataset.
        folder: for the activations; float32, of every model, layer and position.
        starts: adapter -> another that it started from.
        load_plain: loads the base in full precision; None where it is not quantised.
    """
    on_cpu = models.model.device.type == "cpu"  # on a GPU it would cost memory and gain nothing
    with dequantised(models.model) if on_cpu else nullcontext(), folded(models.model):
        walks = locate_walks(rows, models.tokenizer, settings["seed"])
        activations = extract(models, walks, folder / "all", on_progress=on_progress)
        quantisation, without_plain = find_quantisation(models, load_plain, walks, activations, folder / "plain")
        solved = walk_mazes(models, activations, rows, walks, on_progress)
        read = Read(models, rows, walks, activations, solved, move_labels(rows, walks), starts)
        measured = measure_all(read, settings, quantisation, on_progress)
    measured.results["missing"] |= without_plain
    return measured


def measure_all(
    read: Read, settings: Settings, quantisation: Quantisation | None, on_progress: OnProgress
) -> Measured:
    """Every number, of models that have read and answered the mazes."""
    models, activations, seed = read.models, read.activations, settings["seed"]
    everyone = [BASE, *read.shown]
    asked = ask_probes(activations, everyone, read.rows, read.walks, seed, on_progress, read.starts)
    changed = {name: updates(models, name) for name in read.adapters}
    pairs = [*((BASE, name) for name in read.adapters), *((start, name) for name, start in read.starts.items())]
    labels = maze_labels(read.rows, read.walks, read.solved)
    regions = find_regions(activations, labels, pairs, seed, on_progress)
    cosines = align(changed, BASE, len(models.layers))
    causes, unacted = find_causes(read, cosines, settings, on_progress)
    plain_text, unread = read_plain_text(models, read.shown)
    maze = choose_maze(read.rows, {name: read.solved[name] for name in everyone}, settings["maze"])
    results = Results(
        models=models.names,
        layers=activations.layers,
        mazes=len(read.rows),
        unchanged=[name for name in read.adapters if changes_nothing(activations, name)],
        answers={name: valid_share(right) for name, right in read.solved.items()},
        **compare_similarity(activations, on_progress),
        probes=asked.probes,
        probe_gains=asked.gains,
        **follow_solutions(read, regions, on_progress),
        quantisation=quantisation,
        **compare_weights(read, changed, cosines),
        seeds=compare_seeds(read.adapters, {**seed_measures(models, activations, changed), **regions.apart}),
        **causes,
        plain_text=plain_text,
        one_maze=look_at(models, everyone, maze, read.rows, read.walks, activations, causes["components"], seed),
        **numbers_of_regions(regions, read.adapters),
        missing={**asked.missing, **regions.missing, **unacted, **unread},
        settings=settings,
    )
    return Measured(results, next(iter(regions.by_label.values()), None))


def find_causes(
    read: Read, cosines: Sequence[Alignment], settings: Settings, on_progress: OnProgress
) -> tuple[Causes, dict[str, str]]:
    """The effects of changing models in known ways, on the first mazes; and {what is missing: why}."""
    seed, few = settings["seed"], settings["cause mazes"]
    of_patched = read.rows[: settings["patch mazes"]]
    patched = patch_layers(
        read.models, read.shown, of_patched, read.walks, read.solved, settings["patch layers"], seed, on_progress
    )
    acted = intervene(
        read.models,
        read.shown,
        read.starts,
        {name: of["layers"] for name, of in patched.items()},
        cosines,
        read.rows[:few],
        read.walks[:few],
        read.decisions,
        seed,
        on_progress,
    )
    causes = Causes(
        patching=patched,
        layer_effects=acted.layers,
        components=acted.components,
        mixtures=acted.mixtures,
        steering=acted.steering,
        walls=acted.walls,
    )
    return causes, acted.missing


def follow_solutions(read: Read, regions: FoundRegions, on_progress: OnProgress) -> AlongSolutions:
    """What models predict along the solutions, and what adapters changed in their starts."""
    models, activations, decisions = read.models, read.activations, read.decisions
    return {
        "moves": count_moves(read.steps),
        "lens": logit_lens(models, activations, read.walks, decisions, on_progress),
        "kl": {name: base_divergence(models, activations, name, decisions) for name in read.adapters},
        "against_start": compare_starts(models, activations, read.starts, regions, decisions, on_progress),
    }


def compare_weights(read: Read, changed: Mapping[str, list[FactoredUpdate]], cosines: list[Alignment]) -> Weights:
    """What adapters change in the base's weights.

    Args:
        changed: adapter -> its updates.
        cosines: of every two adapters' updates.
    """
    return {
        "weights": {name: [only(Update, update) for update in found] for name, found in changed.items()},
        "overlaps": overlaps(changed),
        "cosines": [*cosines, *align_siblings(read.models, read.starts)],
    }


def numbers_of_regions(found: FoundRegions, adapters: Sequence[str]) -> Regions:
    """What mri.json holds of the regions; each part is empty where there are none."""
    first = next(iter(found.by_label.values()), None)
    return {
        "regions": first["models"] if first else {},
        "regions_by_label": {label: only(RegionNumbers, each) for label, each in found.by_label.items()},
        "regions_centred": {name: found.centred[BASE, name] for name in adapters if found.centred},
    }


def count_moves(steps: dict[str, np.ndarray]) -> Moves:
    """Counts over the moves of the solutions, from the labels of their moves."""
    return {
        "moves": len(steps["decision"]),
        "decisions": int(steps["decision"].sum()),
        "repeating": float(steps["repeats"].mean()),
        "repeating_at_decisions": mean_at(steps["repeats"], steps["decision"]),
    }


def align_siblings(models: Models, starts: Mapping[str, str]) -> list[Alignment]:
    """The cosines of the updates of fine-tunes that share a start, relative to that start."""
    found: list[Alignment] = []
    for start in dict.fromkeys(starts.values()):
        siblings = [name for name, of in starts.items() if of == start]
        found += align({name: updates(models, name, start) for name in siblings}, start, len(models.layers))
    return found


def base_divergence(models: Models, activations: Activations, name: str, decisions: np.ndarray) -> Divergence:
    """The divergence of an adapter's next moves from the base's; see `lens.next_token_kl`."""
    nats = next_token_kl(models, activations, BASE, name)
    return {
        "from_base": float(nats[:, 0].mean()),
        "to_fine_tune": float(nats[:, 1].mean()),
        "from_base_at_decisions": mean_at(nats[:, 0], decisions),
    }


def find_quantisation(
    models: Models,
    load_plain: Callable[[], Models] | None,
    walks: Sequence[TokenisedWalk],
    activations: Activations,
    folder: Path,
) -> tuple[Quantisation | None, dict[str, str]]:
    """The effect of quantisation on the base, if it is quantised; and {what is missing: why}."""
    if load_plain is None:
        return None, {}
    try:
        plain = load_plain()
    except AsciiMazeError as error:
        return None, {"what quantisation alone did": str(error)}
    return compare_precisions(models, plain, walks, activations, folder), {}


def walk_mazes(
    models: Models,
    activations: Activations,
    rows: Sequence[dict],
    walks: Sequence[TokenisedWalk],
    on_progress: OnProgress,
) -> dict[str, np.ndarray]:
    """Let every model answer: model -> bool (n,), whether the answer is valid."""
    solved = {}
    for done, name in enumerate(models.names, 1):
        solved[name] = patching.solved(rows, patching.own_answers(models, activations, name, rows, walks))
        on_progress("answers", done, len(models.names))
    return solved
