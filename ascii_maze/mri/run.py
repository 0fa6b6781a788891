"""The whole report, from adapters and mazes to report.html.

write_report("tiny", {"sft": "outputs/tiny/sft"}, "ascii-maze", "test", out=Path("mri"), limit=1000, seed=0)

Activations and the unfinished report are kept in a folder inside the output folder. It is removed when the run ends
or, if the run is killed, by the next one. A finished report then replaces the previous one, mri.json last.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ..errors import AsciiMazeError, UsageError
from ..files import UNFINISHED, is_ours, move_inside, output_folder, remove_inside
from ..models.chat import AS_IT_IS, Chat, describe_reading
from ..models.quantisation import dequantised
from ..models.sources import describe, settle_name
from ..packages import PACKAGES, versions
from ..terminal import OnProgress
from . import patching
from .activations import Activations, changes_nothing, extract
from .analysis import (
    HEADLINE,
    ask_probes,
    compare_precisions,
    compare_similarity,
    compare_starts,
    find_regions,
    seed_measures,
)
from .causes import patch_layers, valid_share
from .folding import folded
from .interventions import intervene
from .labels import maze_labels, move_labels
from .layers import AUTO, wanted_layers
from .lens import logit_lens, mean_at, next_token_kl
from .models import BASE, Models, find_adapters, load_models, load_unquantised
from .one_maze import choose_maze, find_maze, look_at
from .plain_text import read_plain_text
from .positions import TokenisedWalk, locate_walks
from .report.page import draw_report
from .rows import load_rows
from .schema import Results, Settings
from .schema.regions import RegionComparison, RegionNumbers
from .schema.share import only
from .schema.states import Divergence, Moves, Quantisation
from .schema.weights import Alignment, Update
from .seeds import compare_seeds, first_seeds
from .starts import find_starts
from .weights import align, overlaps, updates

# Mazes on which heads and MLPs are patched, adapters mixed and states steered: most of the time, if there are many.
CAUSE_MAZES = 16
# Mazes that patched models answer, once per adapter and layer.
PATCH_MAZES = 100
# The parts of a report. Where there is an mri.json, the others are there and of the same run.
REPORT = ("figures", "tables", "report.html", "mri.json")


class Measured(NamedTuple):
    """What `measure` returns.

    Attributes:
        results: what mri.json holds.
        regions: what the figures of regions are drawn from; None where there are none.
    """

    results: Results
    regions: RegionComparison | None


def write_report(
    base: str,
    adapters: dict[str, str],
    dataset: str,
    split: str,
    out: Path,
    limit: int | None = 1_000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
    chat: Chat = AS_IT_IS,
    layers: str = AUTO,
    patch_mazes: int = PATCH_MAZES,
    cause_mazes: int = CAUSE_MAZES,
    maze: str | None = None,
    language: str = "en",
) -> Results:
    """Compare adapters with their base, and write report.html, figures, tables and mri.json.

    Args:
        base: `tiny`, a folder or a Hub id.
        adapters: name -> folder or Hub id.
        dataset: folder or Hub id of a dataset with a config `prompts`.
        out: new, empty, or of an earlier report, which is replaced.
        limit: at most so many mazes of the split; see `dataset_builder.load.limited_rows`.
        seed: of the probes' splits, the chosen cells and the regions.
        on_progress: called with what is being done, steps done and steps in all.
        chat: how the models read conversations; by default as their tokenizers say.
        layers: that are patched; see `layers.wanted_layers`.
        patch_mazes: how many of the mazes patched models answer.
        cause_mazes: on how many mazes heads and MLPs are patched, adapters mixed and states steered; 0 leaves it out.
        maze: id of the one that is shown from inside; by default one on which the models differ.
        language: of report.html, one of `LANGUAGES`.

    Returns:
        What mri.json holds.

    Raises:
        UsageError: no adapter, one of another base, too few mazes, mazes longer than the model's context, or an output
            folder with something of someone else's.
        AsciiMazeError: something cannot be loaded, a maze is not what the dataset says of it, activations are not
            finite, the disk is full, or another process writes to the output folder.
    """
    on_progress = on_progress or (lambda what, done, total: None)
    sources = find_adapters(base, adapters, chat)
    rows = load_rows(dataset, split, limit)
    if maze is not None:
        find_maze(rows, maze)  # refused now, and not after all else
    base = settle_name(base)
    starts, unknown = find_starts(sources)
    settings: Settings = {
        "base": base,
        "loaded": describe(next(iter(sources.values()))),
        "adapters": adapters,
        "dataset": dataset,
        "split": split,
        "limit": limit,
        "seed": seed,
        "patch layers": layers,
        "patch mazes": patch_mazes,
        "cause mazes": cause_mazes,
        "maze": maze,
        "decoding": "greedy",
        "read at": HEADLINE,
        "versions": versions([*PACKAGES, "llm-mri"]),
    }
    with output_folder(out):
        if not is_ours(out):
            raise UsageError(f"{out} is not empty and was not made by ascii-maze; name another folder with --out")
        with scratch_folder(out) as scratch:
            models = load_models(sources)
            settings["loaded"]["chat"] = describe_reading(models.tokenizer)
            wanted_layers(layers, len(models.layers))  # refused now, and not after all else
            plain = partial(load_unquantised, models, next(iter(sources.values())))
            load_plain = plain if settings["loaded"]["quantisation"] else None
            measured = measure(models, rows, settings, scratch / "activations", on_progress, starts, load_plain)
            measured.results["missing"] |= unknown
            draw_report(*measured, scratch / "report", on_progress, language)
            publish(scratch / "report", out)
    return measured.results


@contextmanager
def scratch_folder(out: Path) -> Iterator[Path]:
    """An empty folder inside an output folder while the block runs; what a killed run left there is removed."""
    scratch = out / UNFINISHED / "mri"
    remove_inside(scratch, out)
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        remove_inside(scratch, out)
        if not any(scratch.parent.iterdir()):  # otherwise another command was interrupted here
            remove_inside(scratch.parent, out)


def publish(made: Path, out: Path) -> None:
    """Replace the previous report by a finished one: mri.json is removed first and moved last."""
    for name in reversed(REPORT):
        remove_inside(out / name, out)
    for name in REPORT:
        move_inside(made / name, out / name, out)


def measure(
    models: Models,
    rows: Sequence[dict],
    settings: Settings,
    folder: Path,
    on_progress: OnProgress,
    starts: Mapping[str, str] = MappingProxyType({}),
    load_plain: Callable[[], Models] | None = None,
) -> Measured:
    """Every number of the report; nothing is drawn.

    Args:
        rows: of the dataset.
        folder: for the activations; float32, of every model, layer and position.
        starts: adapter -> another that it started from.
        load_plain: loads the base in full precision; None where it is not quantised.
    """
    on_cpu = models.model.device.type == "cpu"  # elsewhere it would cost memory and win nothing
    with dequantised(models.model) if on_cpu else nullcontext(), folded(models.model):
        return _measure(models, rows, settings, folder, on_progress, starts, load_plain)


def _measure(
    models: Models,
    rows: Sequence[dict],
    settings: Settings,
    folder: Path,
    on_progress: OnProgress,
    starts: Mapping[str, str],
    load_plain: Callable[[], Models] | None,
) -> Measured:
    seed = settings["seed"]
    walks = locate_walks(rows, models.tokenizer, seed)
    activations = extract(models, walks, folder / "all", on_progress=on_progress)
    quantisation, without_plain = find_quantisation(models, load_plain, walks, activations, folder / "plain")
    solved = walk_mazes(models, activations, rows, walks, on_progress)
    steps = move_labels(rows, walks)
    decisions = steps["decision"]
    shown = first_seeds(models.names[1:])  # of each method; the others are floors
    asked = ask_probes(activations, [BASE, *shown], rows, walks, seed, on_progress, starts)
    changed = {name: updates(models, name) for name in models.names[1:]}
    pairs = [*((BASE, name) for name in models.names[1:]), *((start, name) for name, start in starts.items())]
    regions = find_regions(activations, maze_labels(rows, walks, solved), pairs, seed, on_progress)
    first = next(iter(regions.by_label.values()), None)
    cosines, few = align(changed, BASE, len(models.layers)), settings["cause mazes"]
    patched = patch_layers(
        models, shown, rows[: settings["patch mazes"]], walks, solved, settings["patch layers"], seed, on_progress
    )
    layers = {name: of["layers"] for name, of in patched.items()}
    acted = intervene(models, shown, starts, layers, cosines, rows[:few], walks[:few], decisions, seed, on_progress)
    plain_text, unread = read_plain_text(models, shown)
    results = Results(
        models=models.names,
        layers=activations.layers,
        mazes=len(rows),
        unchanged=[name for name in models.names[1:] if changes_nothing(activations, name)],
        answers={name: valid_share(right) for name, right in solved.items()},
        **compare_similarity(activations, on_progress),
        probes=asked.probes,
        probe_gains=asked.gains,
        moves=count_moves(steps),
        lens=logit_lens(models, activations, walks, decisions, on_progress),
        kl={name: base_divergence(models, activations, name, decisions) for name in models.names[1:]},
        against_start=compare_starts(models, activations, starts, regions, decisions, on_progress),
        quantisation=quantisation,
        weights={name: [only(Update, update) for update in found] for name, found in changed.items()},
        overlaps=overlaps(changed),
        cosines=[*cosines, *align_siblings(models, starts)],
        seeds=compare_seeds(models.names[1:], {**seed_measures(models, activations, changed), **regions.apart}),
        patching=patched,
        layer_effects=acted.layers,
        components=acted.components,
        mixtures=acted.mixtures,
        steering=acted.steering,
        walls=acted.walls,
        plain_text=plain_text,
        one_maze=look_at(
            models,
            [BASE, *shown],
            choose_maze(rows, {name: solved[name] for name in [BASE, *shown]}, settings["maze"]),
            rows,
            walks,
            activations,
            acted.components,
            seed,
        ),
        regions=first["models"] if first else {},
        regions_by_label={label: only(RegionNumbers, found) for label, found in regions.by_label.items()},
        regions_centred={name: regions.centred[BASE, name] for name in models.names[1:] if regions.centred},
        missing={**asked.missing, **regions.missing, **without_plain, **acted.missing, **unread},
        settings=settings,
    )
    return Measured(results, first)


def count_moves(steps: dict[str, np.ndarray]) -> Moves:
    """What is asked along the solutions, of the labels of their moves."""
    return {
        "moves": len(steps["decision"]),
        "decisions": int(steps["decision"].sum()),
        "repeating": float(steps["repeats"].mean()),
        "repeating_at_decisions": mean_at(steps["repeats"], steps["decision"]),
    }


def align_siblings(models: Models, starts: Mapping[str, str]) -> list[Alignment]:
    """The cosines of fine-tunes that started from one other, of what they changed in it."""
    found: list[Alignment] = []
    for start in dict.fromkeys(starts.values()):
        siblings = [name for name, of in starts.items() if of == start]
        found += align({name: updates(models, name, start) for name in siblings}, start, len(models.layers))
    return found


def base_divergence(models: Models, activations: Activations, name: str, decisions: np.ndarray) -> Divergence:
    """How far an adapter's next moves are from the base's; see `lens.next_token_kl`."""
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
    """What quantisation did to the base, if it is quantised; and {what is missing: why}."""
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
