"""The type of mri.json, and the one place that writes and reads it.

Lists per layer start with the embedding's output (0) and end with the last decoder layer. Adapters go by the names
they were given; `base` is the model without one. A number that does not exist, such as the CKA of a layer that does
not vary, is NaN in memory and null in the file.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from ..errors import UsageError
from ..files import read_json, write_text


class Share(TypedDict):
    """A share of mazes, 0-1, and Wilson's 95 % interval."""

    valid: float
    valid_ci: list[float]


class Drift(TypedDict):
    """How far states have moved, per layer; see `similarity.drift`."""

    relative: list[float]
    cosine: list[float]
    offset: list[float]
    offset_share: list[float]


class Similarity(TypedDict):
    """Base against adapters, read at the last token of the prompt but for `drift_by_position`.

    Attributes:
        drift_by_position: adapter -> position.
        cka_layers: model -> base's layers x the model's.
        procrustes: adapter -> per layer; so are `rsa`, `drift` and `cka`.
        effective_rank: model -> per layer.
    """

    drift_by_position: dict[str, dict[str, Drift]]
    cka_layers: dict[str, list[list[float]]]
    procrustes: dict[str, list[float]]
    rsa: dict[str, list[float]]
    effective_rank: dict[str, list[float]]
    drift: dict[str, list[float]]
    cka: dict[str, list[float]]


class Probe(TypedDict):
    """One linear probe of one layer; see `probes.probe`."""

    measure: str
    score: float
    ci: list[float]
    control: float
    chance: float
    mazes: int
    rows: list[int]


class Gain(TypedDict):
    """How much better a probe does on a fine-tune than on what it started from, on the same held-out mazes.

    Attributes:
        reference: the base, or the fine-tune that it started from.
        gain: per layer, in accuracy or r2; `ci` is 95 % of it, over resampled mazes, paired.
    """

    reference: str
    gain: list[float]
    ci: list[list[float]]


class Lens(TypedDict):
    """The logit lens, per layer; see `lens.logit_lens`."""

    probability: list[float]
    first: list[float]
    probability_at_decisions: list[float]
    first_at_decisions: list[float]


class Moves(TypedDict):
    """The moves of all solutions, and what repeating the move before gets right: most moves need no decision.

    Attributes:
        decisions: moves where some way onward is right and some is not.
        repeating: share of moves that are the move before again.
    """

    moves: int
    decisions: int
    repeating: float
    repeating_at_decisions: float


class Divergence(TypedDict):
    """Kullback-Leibler divergence of the next token, nats, mean over moves and over decisions; see `lens`."""

    from_base: float
    to_fine_tune: float
    from_base_at_decisions: float


class StartDivergence(TypedDict):
    """The same between a fine-tune and the fine-tune that it started from."""

    from_start: float
    to_fine_tune: float
    from_start_at_decisions: float


class Update(TypedDict):
    """What an adapter adds to one module; see `weights.updates`."""

    module: str
    layer: int | None
    kind: str
    norm: float
    relative: float
    effective_rank: float


class Quantisation(TypedDict):
    """What quantising the base did, before any training: the base as loaded against the one in full precision.

    Attributes:
        drift: per layer at the last token of the prompt; so is `cka`.
        kl: of the next token where moves are decided, KL(as loaded || in full precision), nats.
    """

    drift: Drift
    cka: list[float]
    kl: float


class SeedTest(TypedDict):
    """Two methods against the seeds of each; see `seeds.compare_methods`.

    Attributes:
        a: a method; `b` is another.
        measure: of the distances.
        seeds: of a and of b.
        between: mean distance of their adapters, per layer (of a measure without layers, one).
        within: mean distance of the seeds of one method.
        layer: where the statistic is largest.
        statistic: the largest, over layers, of (between - within) / mean distance.
        p: of the permutation test.
        smallest_p: that so many seeds can reach.
    """

    a: str
    b: str
    measure: str
    seeds: list[int]
    between: list[float]
    within: list[float]
    layer: int | None
    statistic: float
    p: float
    smallest_p: float


class Overlap(TypedDict):
    """How much two adapters' updates of one module share; see `weights.overlaps`."""

    a: str
    b: str
    module: str
    layer: int | None
    kind: str
    overlap: float
    by_chance: float


class Alignment(TypedDict):
    """The cosine of two adapters' updates, None where one is zero; see `weights.align`.

    Attributes:
        a: an adapter; `b` is another.
        reference: from which both updates are counted, the base or the fine-tune that both started from.
        whole: of all weights.
        by_layer: from decoder layer 1 on.
        by_kind: of each kind of module.
    """

    a: str
    b: str
    reference: str
    whole: float | None
    by_layer: list[float | None]
    by_kind: dict[str, float | None]


class Accuracy(TypedDict):
    """Share of right next moves of the patched base; see `patching.patched_accuracy`."""

    prompt: list[float | None]
    answer: list[float | None]
    base: list[float]
    fine_tune: list[float]


class Patching(TypedDict):
    """The base given one fine-tune's states at one layer at a time; see `causes.patch_layers`.

    Attributes:
        layers: that were patched; the lists per layer have None at the others.
        half: the first of them that restores half of the gain; None where the fine-tune solves no more than the base.
        half_ci: 95 % of it over resampled mazes; None where the gain is not larger than chance.
        above_half: validity of the base with the adapter in the layers above that one only: whether the gain needs it.
        random_to_half: validity with random updates of the same norms up to it: whether any change would do.
    """

    base: float
    fine_tune: float
    layers: list[int]
    valid: list[float | None]
    valid_ci: list[list[float] | None]
    restored: list[float | None]
    half: int | None
    half_ci: list[int] | None
    above_half: Share | None
    random_to_half: Share | None
    accuracy: Accuracy
    mazes: int
    reads: int


class Effect(TypedDict):
    """What patching one component does to the log odds of right moves, nats.

    Attributes:
        estimate: by attribution patching.
        exact: by patching it; None where only the estimate was made.
        ci: 95 % of that over mazes.
    """

    estimate: float
    exact: float | None
    ci: list[float] | None


class ComponentEffect(TypedDict):
    """One head (from 0 on), or the MLP (None), of a decoder layer; see `component_effects`.

    Attributes:
        into: the reference gains with the fine-tune's component.
        out: the fine-tune loses with the reference's component.
    """

    layer: int
    head: int | None
    into: Effect
    out: Effect


class Components(TypedDict):
    """Every head and MLP of a fine-tune, patched alone; see `component_effects.compare_components`.

    Attributes:
        reference: the base, or the fine-tune that it started from.
        gap: log odds of right moves at decisions, the fine-tune's minus the reference's, nats.
        gap_ci: 95 % over mazes.
        agreement: `into` and `out` -> Spearman's correlation of estimate and truth; None where one does not vary.
        patched: how many components were patched in truth: all, or those of the largest estimates.
    """

    model: str
    reference: str
    gap: float
    gap_ci: list[float]
    agreement: dict[str, float | None]
    patched: int
    mazes: int
    parts: list[ComponentEffect]


class Mixed(Share):
    """A mixture of adapters: its validity, and its log odds of right moves at decisions, nats."""

    log_odds: float
    log_odds_ci: list[float]


class Mixture(TypedDict):
    """Two adapters mixed; see `mixing.mix_two`.

    Attributes:
        a: an adapter; `b` is another.
        parts: that b has in each mixture of the line, 0 to 1; a has the rest.
        line: the mixtures; the middle one is the average.
        barrier: how far the log odds sink below the straight line between the ends, at most, nats.
        barrier_ci: 95 % of it over mazes, at that point.
        ties: the two merged by TIES.
    """

    a: str
    b: str
    parts: list[float]
    line: list[Mixed]
    barrier: float
    barrier_ci: list[float]
    ties: Mixed
    mazes: int


class Steering(TypedDict):
    """The mean change of a fine-tune added to its reference, in doses; see `steering.steer`.

    Attributes:
        response: layer x dose, how much the log odds of right moves at decisions grow, nats; `ci` is 95 % over mazes.
        random: the same for random directions of the same norm.
    """

    model: str
    reference: str
    layers: list[int]
    doses: list[float]
    response: list[list[float]]
    ci: list[list[list[float]]]
    random: list[list[float]]
    mazes: int


class WallEffect(TypedDict):
    """The direction "a wall is here" added at an open place, or removed at a wall; see `walls.close_places`.

    Attributes:
        added: per layer, the share of cases in which the base moves as the true wall makes it.
        removed: per layer, the share in which it moves as without the wall.
        added_random: the same for random directions of the same norm; so is `removed_random`.
        cases: where the true wall changes the move, of `asked`.
    """

    added: list[float]
    added_random: list[float]
    removed: list[float]
    removed_random: list[float]
    cases: int
    asked: int


class PlainText(TypedDict):
    """One model on text that has nothing to do with mazes; see `plain_text.read_plain_text`.

    Attributes:
        perplexity: per token.
        drift: per layer, how far its states are from the base's, relative to their norm.
        layer: of which `tokens` are read: those that the mean difference from the base resembles most.
    """

    perplexity: float
    drift: list[float]
    layer: int
    tokens: list[str]


class HeadView(TypedDict):
    """Where one head looks, from the moves of a maze that are decisions: the mean of its attention on each place.

    Attributes:
        maps: model -> rows x columns.
    """

    layer: int
    head: int
    maps: dict[str, list[list[float]]]


class OneMaze(TypedDict):
    """One maze from inside; see `one_maze.look_at`.

    Attributes:
        maze: its rows.
        places: row and column of the walker before each move of `path`.
        decisions: of each move, whether it is one.
        layers: those that are shown.
        moves: model -> layer x step x U, D, L, R: their probabilities if the layer were the last.
        heads: those that do most when patched.
        walls: model -> layer x row x column, how likely a probe holds a wall to the north, None at walls; all None
            where that cannot be asked.
        route: model -> the same for "on the solution", read at the last token of the prompt.
    """

    id: str
    maze: list[str]
    places: list[list[int]]
    path: str
    decisions: list[bool]
    layers: list[int]
    moves: dict[str, list[list[list[float]]]]
    heads: list[HeadView]
    walls: dict[str, list[list[list[float | None]]] | None]
    route: dict[str, list[list[list[float | None]]] | None]


class Agreement(TypedDict):
    """Edges or regions of a fine-tune against the base's; see `regions.edges.compare_models`."""

    agreement: float
    noise_floor: float
    noise_range: list[float]
    across_halves: float
    gained: int
    lost: int
    kept: int
    by_layer: dict[str, list]
    expected: NotRequired[float]
    p: NotRequired[float]


class Changes(TypedDict):
    """Edges and regions of a fine-tune against another model's, with a test; see `regions.changes.find_changes`."""

    edges: Agreement
    regions: Agreement


class AgainstStart(TypedDict):
    """A fine-tune against the fine-tune that it started from, by the same measures as against the base.

    Attributes:
        start: its name.
        cka: per layer, at the last token of the prompt; so are `procrustes` and `rsa`.
        weights: of every module, the fine-tune's update minus the start's; `relative` to the base's weight.
        as_llm_mri: regions and edges; so is `centred`, after each model is centred on its own mean. None where there
            are none.
    """

    start: str
    drift_by_position: dict[str, Drift]
    cka: list[float]
    procrustes: list[float]
    rsa: list[float]
    kl: StartDivergence
    weights: list[Update]
    as_llm_mri: Changes | None
    centred: Changes | None


class ModelRegions(TypedDict):
    """One fine-tune's graph against the base's: over all prompts, then in full by label."""

    edges_gained: int
    edges_lost: int
    edges_kept: int
    noise_floor: float
    edges: dict[str, Agreement]
    edges_in_basis_of_base: dict[str, Agreement]
    regions: dict[str, Agreement]


class RegionNumbers(TypedDict):
    """Regions and graphs of all models under one way to label the mazes; see `regions.comparison.compare_regions`."""

    models: dict[str, ModelRegions]
    metrics: dict[str, dict[str, dict[str, float | None]]]
    explained: dict[str, list[float | None]]
    labels: dict[str, int]
    left_out: dict[str, int]
    settings: dict[str, Any]


class RegionComparison(RegionNumbers):
    """The same with what its figures are drawn from, which mri.json leaves out.

    Attributes:
        graphs: model -> label -> networkx's node-link data.
        grids: model -> label -> prompts in each cell, int (layers, columns, rows).
    """

    base: str
    graphs: dict[str, dict[str, dict]]
    grids: dict[str, dict[str, list]]


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
        "cause mazes": int,
        "maze": str | None,
        "decoding": str,
        "read at": str,
        "versions": dict[str, str],
    },
)


class Results(Similarity):
    """mri.json.

    Attributes:
        models: `base`, then the adapters.
        layers: hidden states per token, one more than decoder layers.
        mazes: how many were read.
        unchanged: adapters that change no activation.
        answers: model -> how many of its own answers are valid.
        probes: model -> question -> per layer.
        probe_gains: adapter -> question -> what it gains on what it started from.
        moves: what is asked of a model along the solutions.
        lens: model -> what each layer would answer.
        kl: adapter -> divergence from the base and to it.
        against_start: adapter that started from another of these -> what it changed in that.
        quantisation: None where the base is not quantised.
        weights: adapter -> every module that it changes.
        overlaps: every two adapters, at every module that both change.
        cosines: every two adapters' updates from the base, and those from a start that they share.
        seeds: tests of two methods against the seeds of each; none where there is one seed.
        patching: adapter -> what its states do in the base.
        components: heads and MLPs of fine-tunes against what they started from.
        mixtures: of two adapters, along the line between them and merged.
        steering: fine-tunes' mean changes, added to what they started from.
        walls: whether the base acts on a direction for walls; None where that is missing.
        plain_text: model -> what it does on unrelated text; empty where its tokenizer knows none.
        one_maze: one of the mazes, from inside.
        regions: adapter -> the regions under the first way to label; nothing where there are none.
        regions_by_label: way to label -> regions of all models.
        regions_centred: adapter -> regions and edges against the base's, each model centred on its own mean.
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
    moves: Moves
    lens: dict[str, Lens]
    kl: dict[str, Divergence]
    against_start: dict[str, AgainstStart]
    quantisation: Quantisation | None
    weights: dict[str, list[Update]]
    overlaps: list[Overlap]
    cosines: list[Alignment]
    seeds: list[SeedTest]
    patching: dict[str, Patching]
    components: list[Components]
    mixtures: list[Mixture]
    steering: list[Steering]
    walls: WallEffect | None
    plain_text: dict[str, PlainText]
    one_maze: OneMaze
    regions: dict[str, ModelRegions]
    regions_by_label: dict[str, RegionNumbers]
    regions_centred: dict[str, Changes]
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


def only(keys_of: Any, values: Mapping[str, Any]) -> Any:
    """Of a mapping, what a TypedDict names, in its order."""
    return {key: values[key] for key in keys_of.__annotations__}


def without_nan(value):
    """The same with None for every number that is not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
