"""The states of base and fine-tunes in mri.json: drift and content, on mazes and on plain text."""

from typing import TypedDict

from .regions import Changes
from .weights import Update


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
    """The gain of a probe on a fine-tune over one on the model that it started from, on the same held-out mazes.

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
    """The moves of all solutions, and the share that repeats the previous move: most moves need no decision.

    Attributes:
        decisions: moves where some way onward is right and some is not.
        repeating: share of moves that equal the previous one.
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


class Quantisation(TypedDict):
    """The effect of quantising the base, before any training: the base as loaded against full precision.

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
        smallest_p: the smallest p that this number of seeds can reach.
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


class PlainText(TypedDict):
    """One model on text unrelated to mazes; see `plain_text.read_plain_text`.

    Attributes:
        perplexity: per token.
        drift: per layer, how far its states are from the base's, relative to their norm.
        layer: at which `tokens` are decoded from the mean difference to the base.
    """

    perplexity: float
    drift: list[float]
    layer: int
    tokens: list[str]


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
