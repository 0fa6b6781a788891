"""Plans the passes that read a batch without reading a token twice, from the tokens alone, with NumPy.

    1. one row          the prefix of all rows
    2. a row per group  the rest of the prefix that a group shares
    3. a row per row    the rest

`shared_prefix` runs them. A single pass over all distinct tokens with a tree-shaped mask was rejected: its attention
grows with the square of the batch.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

# Least share of tokens to save, counting padding, and the cost of an additional pass, in tokens.
WORTH, PASS = 0.15, 64


class Stage(NamedTuple):
    """One pass: `rows` rows of `width` tokens, padded on the right.

    Attributes:
        parents: the row of the pass before that each row continues, int64, shape (rows,).
        ids: int64, shape (rows, width).
        mask: 1 for tokens and 0 for padding, int64, shape (rows, width).
        positions: of the tokens in their rows, from 0, int64, shape (rows, width).
    """

    parents: np.ndarray
    ids: np.ndarray
    mask: np.ndarray
    positions: np.ndarray


class Plan(NamedTuple):
    """The passes that read a batch.

    Attributes:
        stages: the passes.
        place: index of each token's state among those of all passes, row by row; 0 for padding.
            int64, shape (batch, tokens).
        column: index of its key in the row of the cache; 0 for padding. int64, shape (batch, tokens).
        constant: whether the first pass reads the tokens that all batches begin with.
    """

    stages: list[Stage]
    place: np.ndarray
    column: np.ndarray
    constant: bool = False

    @property
    def tokens(self) -> int:
        """The number of tokens read, without padding."""
        return sum(int(stage.mask.sum()) for stage in self.stages)


class _Cuts(NamedTuple):
    """For each pass: the row of the pass that each row of the batch belongs to, and the end of that part.

    Attributes:
        cost: tokens and padding of all passes.
    """

    nodes: list[np.ndarray]
    ends: list[np.ndarray]
    cost: int


def plan_batch(ids: np.ndarray, mask: np.ndarray, constant: Sequence[int] = (), pass_cost: int = PASS) -> Plan | None:
    """The plan for a batch, or None if it would save too little.

    Args:
        ids: int64, shape (batch, tokens).
        mask: 1 for tokens and 0 for padding, on either side or both, shape (batch, tokens).
        constant: tokens that every row is expected to begin with; if all do, they are the first pass.
        pass_cost: cost of each pass except the last, in tokens.
    """
    first, lengths = mask.argmax(1), mask.sum(1)
    columns = np.arange(ids.shape[1])
    inside = (columns >= first[:, None]) & (columns < (first + lengths)[:, None])
    if len(ids) < 2 or lengths.min() < 2 or not np.array_equal(inside, mask.astype(bool)):
        return None
    rows = np.take_along_axis(ids, np.minimum(first[:, None] + columns, ids.shape[1] - 1), 1)
    rows[columns >= lengths[:, None]] = -1
    known = len(constant)
    begins = 0 < known < lengths.min() and bool((rows[:, :known] == np.asarray(constant)).all())
    candidates = list(_candidates(rows, lengths, known if begins else None))
    costs = [cuts.cost + pass_cost * (len(cuts.nodes) - 1) for cuts in candidates]
    cuts = candidates[int(np.argmin(costs))]
    if min(costs) > (1 - WORTH) * ids.size:
        return None
    return _lay_out(rows, lengths, first, inside, cuts)._replace(constant=begins)


def _candidates(rows: np.ndarray, lengths: np.ndarray, known: int | None) -> Iterator[_Cuts]:
    """The ways to cut a batch that may be worth it.

    Args:
        rows: tokens from the first column on, -1 after each row's end.
        known: the length of the first pass; None for any.
    """
    order = np.lexsort(rows.T[::-1])
    differ = rows[order][1:] != rows[order][:-1]
    alike = np.where(
        differ.any(1), differ.argmax(1), rows.shape[1]
    )  # common prefix of each row and the next in this order
    alike = np.minimum(
        alike, np.minimum(lengths[order][1:], lengths[order][:-1]) - 1
    )  # each row must read at least one token itself
    shared = int(alike.min()) if known is None else known
    for common in {shared, 0} if known is None else {known}:
        yield _cuts(lengths, common, None, None)
        for depth in np.unique(alike[alike > common]):
            # Rows that agree in so many tokens form a group; they may share more.
            apart = alike < depth
            group = np.concatenate([[0], np.cumsum(apart)])
            end = np.full(group[-1] + 1, rows.shape[1])
            np.minimum.at(end, group[1:][~apart], alike[~apart])
            node = np.empty_like(group)
            node[order] = group
            yield _cuts(lengths, common, node, end)


def _cuts(lengths: np.ndarray, common: int, group: np.ndarray | None, end: np.ndarray | None) -> _Cuts:
    """Cut after the prefix of all rows and, if there are groups, after that of each group."""
    one, each = np.zeros_like(lengths), np.arange(len(lengths))
    nodes, ends, cost = [], [], 0
    if common:
        nodes, ends, cost = [one], [one + common], common
    if group is not None and end is not None:
        longest = end[np.bincount(group) > 1].max()
        ends.append(np.minimum(np.minimum(end[group], longest), lengths - 1))
        nodes.append(group)
        cost += int(longest - common) * len(end)
    rest = int((lengths - (ends[-1] if ends else 0)).max())
    return _Cuts([*nodes, each], [*ends, lengths], cost + rest * len(lengths))


def _lay_out(rows: np.ndarray, lengths: np.ndarray, first: np.ndarray, inside: np.ndarray, cuts: _Cuts) -> Plan:
    """The passes of a cut batch, and the position of each of its tokens in them."""
    batch, width = rows.shape
    token = np.arange(width) - first[:, None]  # index of each column from the row's first token
    place, column = np.zeros((batch, width), np.int64), np.zeros((batch, width), np.int64)
    stages, start, parent, states, keys = [], np.zeros_like(lengths), np.zeros_like(lengths), 0, 0
    for node, end in zip(cuts.nodes, cuts.ends):
        one_of = np.unique(node, return_index=True)[1]  # a row of the batch for each row of the pass
        wide = int((end - start).max())
        positions = start[one_of, None] + np.arange(wide)
        real = positions < end[one_of, None]
        ids = np.where(real, rows[one_of[:, None], np.minimum(positions, width - 1)], 0)
        stages.append(Stage(parent[one_of], ids, real.astype(np.int64), positions))
        here = inside & (token >= start[:, None]) & (token < end[:, None])
        within = token - start[:, None]
        place = np.where(here, states + node[:, None] * wide + within, place)
        column = np.where(here, keys + within, column)
        states, keys = states + len(one_of) * wide, keys + wide
        start, parent = end, node
    return Plan(stages, place, column)
