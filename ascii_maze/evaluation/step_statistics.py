"""Statistics of step-by-step walks: means over the walks of a model, and how they ended.

`rows` is a pandas table as in `statistics`, one row per walk.
"""

import numpy as np

from ..environment.episode import ENDS
from .schema import StepRates
from .statistics import wilson


def summarise_steps(rows) -> StepRates:
    """The figures of walks step by step; see `StepRates`. The interval counts mazes, as that of validity does."""
    success = float(rows["reaches_goal"].mean())
    moves, ended = rows["moves"].to_numpy(dtype=float), rows["ended"].value_counts(normalize=True)
    repeated = np.divide(rows["loops"].to_numpy(dtype=float), moves, out=np.zeros_like(moves), where=moves > 0)
    return {
        "success": success,
        "success_ci": wilson(success, len(rows) // (int(rows["sample"].max()) + 1)),
        "optimal": float(rows["optimal"].mean()),
        "spl": float(rows["spl"].mean()),
        "loop_rate": float(repeated.mean()),
        "bumps": float(rows["wall_hits"].mean()),
        "moves": float(moves.mean()),
        "turns": float(rows["turns"].mean()),
        "looks": float(rows["looks"].mean()),
        "errors": float(rows["errors"].mean()),
        "reward": float(rows["reward"].mean()),
        "ended": {end: float(ended[end]) for end in ENDS if ended.get(end, 0)},
    }
