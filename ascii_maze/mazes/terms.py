"""The verifiable reward of a walk: four terms, logged separately, and their weights.

`training/rewards.py` explains how each resists exploitation, and computes them for an answer written in one turn;
`environment/episode.py` does so for a step-by-step walk. A walk that hits no wall earns the same either way.
"""

from typing import NamedTuple


class Terms(NamedTuple):
    """The terms of one walk, each 0-1."""

    validity: float = 0.0
    shortness: float = 0.0
    format: float = 0.0
    progress: float = 0.0

    def total(self) -> float:
        """The sum, weighted by `WEIGHTS`: 0 to 1.9."""
        return sum(weight * term for weight, term in zip(WEIGHTS, self))


# In the order of `Terms`; GRPO recipes override these with `reward_weights`.
WEIGHTS = (1.0, 0.5, 0.1, 0.3)
