"""Which layers are patched: all of a small model, and a spread of a deep one that is refined where validity changes.

Patched at the embedding the base is unchanged, and at the last layer it is the fine-tune; validity rises between them,
mostly within a few layers. A deep model is therefore patched at `FIRST` evenly spaced layers, and then repeatedly in
the middle of the gap over which validity changes most, as long as it changes there by more than `CHANGE`, which is
about half of the 95 % interval of a share of 100 mazes, and at most at `MOST` layers in all.
"""

import itertools
import re
from collections.abc import Mapping

from ..errors import UsageError

# A model with at most this many layers is patched at each of them.
ALL_UP_TO = 12
FIRST, MOST, CHANGE = 5, 9, 0.1
AUTO, ALL = "auto", "all"
OPTION = f"'{AUTO}', '{ALL}', or layers and ranges such as 0,4-8,12"


def wanted_layers(option: str, last: int) -> list[int] | None:
    """The layers that an option names; None if they are to be chosen by validity.

    Args:
        option: `auto`, `all`, or layers and ranges, such as `0,4-8`; 0 is the embedding. The last, which gives back
            the whole gain, is always among them.
        last: the last decoder layer, counted from 1.

    Raises:
        UsageError: it is none of these, or there is no such layer.
    """
    if option == ALL or (option == AUTO and last <= ALL_UP_TO):
        return list(range(last + 1))
    if option == AUTO:
        return None
    named: set[int] = set()
    for part in option.split(","):
        found = re.fullmatch(r"\s*(\d{1,4})(?:-(\d{1,4}))?\s*", part)
        if not found:
            raise UsageError(f"--patch-layers {option}: expected {OPTION}")
        first, end = int(found[1]), int(found[2] or found[1])
        if not first <= end <= last:
            raise UsageError(f"--patch-layers {option}: no layers {part.strip()}; the model has 0 to {last}")
        named |= set(range(first, end + 1))
    return sorted(named | {last})


def next_layer(measured: Mapping[int, float], last: int) -> int | None:
    """The layer to patch next, or None where enough have been.

    Args:
        measured: layer -> validity of the base patched there; 0 and the last among them.
    """
    spread = [round(last * part / (FIRST + 1)) for part in range(1, FIRST + 1)]
    if ahead := next((layer for layer in spread if layer not in measured), None):
        return ahead
    known = sorted(measured)
    gaps = [(abs(measured[b] - measured[a]), a, b) for a, b in itertools.pairwise(known) if b - a > 1]
    change, low, high = max(gaps, default=(0.0, 0, 0))
    return (low + high) // 2 if change > CHANGE and len(known) - 2 < MOST else None
