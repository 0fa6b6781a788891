"""The verifiable reward of a walk: four terms, logged separately, and their weights.

`training/rewards.py` says how each resists being exploited, and computes them for an answer written at once;
`environment/episode.py` for a walk made step by step. A walk without a bump earns the same either way.
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


# The order of `Terms`; a GRPO recipe gives its own as `reward_weights`.
WEIGHTS = (1.0, 0.5, 0.1, 0.3)
