"""The weights of fine-tunes in mri.json: their updates, and two of them mixed."""

from typing import TypedDict

from .share import Share


class Update(TypedDict):
    """What an adapter adds to one module, dW.

    Attributes:
        module: its name.
        layer: 1 to the number of decoder layers; None outside them.
        kind: the last part of the name.
        norm: the Frobenius norm of dW.
        relative: that over the norm of the base's weight.
        effective_rank: of dW.
    """

    module: str
    layer: int | None
    kind: str
    norm: float
    relative: float
    effective_rank: float


class Overlap(TypedDict):
    """How much the column spaces of two adapters' updates of one module share; see `weights.overlap`.

    Attributes:
        by_chance: what random subspaces of these dimensions share on average.
    """

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
