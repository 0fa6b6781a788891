"""Causes in mri.json: layers, heads and MLPs patched, states steered, walls added."""

from typing import TypedDict

from .share import Share


class Accuracy(TypedDict):
    """Share of right next moves of the patched base; see `patching.patched_accuracy`."""

    prompt: list[float | None]
    answer: list[float | None]
    base: list[float]
    fine_tune: list[float]


class PatchedLayers(TypedDict):
    """Validity of the base with one fine-tune's states in one layer at a time.

    Attributes:
        base: validity of the base itself; `fine_tune`, of the fine-tune.
        layers: that were patched; the lists per layer have None at the others.
        restored: the share of the way from the base's validity to the fine-tune's; None where these are equal.
    """

    base: float
    fine_tune: float
    layers: list[int]
    valid: list[float | None]
    valid_ci: list[list[float] | None]
    restored: list[float | None]


class PatchingControls(TypedDict):
    """Validity of the base with other changes than a fine-tune's states, None where there is no such layer.

    Attributes:
        above_half: with the adapter in the layers above `Patching.half` only: whether the gain needs that layer.
        random_to_half: with random updates of the same norms up to it: whether any change has that effect.
    """

    above_half: Share | None
    random_to_half: Share | None


class Patching(PatchedLayers, PatchingControls):
    """The base given one fine-tune's states at one layer at a time; see `causes.patch_layers`.

    Attributes:
        half: the first of them that restores half of the gain; None where the fine-tune solves no more than the base.
        half_ci: 95 % of it over resampled mazes; None where the gain is not larger than chance.
        accuracy: of next moves; see `patching.patched_accuracy`.
        mazes: that patched models answered.
        reads: mazes whose next moves were counted.
    """

    half: int | None
    half_ci: list[int] | None
    accuracy: Accuracy
    mazes: int
    reads: int


class LayerCurve(TypedDict):
    """By layer, the gain in log odds of right moves at decisions, nats; `ci` is 95 % of it over mazes."""

    effect: list[float]
    ci: list[list[float]]


class LayerEffects(TypedDict):
    """What a fine-tune started from, with the fine-tune's change in some layers only; see `layer_effects`.

    Attributes:
        reference: the base, or the fine-tune that it started from.
        layers: where they begin or end; 0 is the embedding.
        change: of `layer_effects.PARTS`, of each of these layers: with the fine-tune's change there.
        random: of `layer_effects.CONTROLLED`, with random updates of the same norms; None for adapters that are
            more than products of factors (DoRA, whole modules, tokens).
        gap: of the whole fine-tune; so is `gap_ci`.
        half: the first layer with half of the gap; None where the gap is not larger than chance.
        half_ci: 95 % of it over resampled mazes.
    """

    model: str
    reference: str
    layers: list[int]
    change: dict[str, LayerCurve]
    random: dict[str, LayerCurve] | None
    gap: float
    gap_ci: list[float]
    half: int | None
    half_ci: list[int] | None
    mazes: int


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
