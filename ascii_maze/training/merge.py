"""Merges an adapter into its base: one model, no PEFT needed to use it, its validity measured before and after.

An adapter trained on a 4-bit base has learned to compensate for that base's rounding. It is therefore merged into the
weights that it was trained on, dequantised, not into the original ones. The remaining difference, the rounding of the
sum, is measured on mazes rather than assumed to be small.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dataset_builder.load import load_mazes

from ..errors import AsciiMazeError, UsageError
from ..files import new_folder, write_text
from ..metrics.path_validity.scoring import score_path
from ..models.chat import AS_IT_IS, Chat, turn_ends
from ..models.generation import answer_mazes
from ..models.loading import load_source
from ..models.sources import describe, find_model
from ..terminal import OnProgress


class HeldOut(NamedTuple):
    """The mazes on which a model is compared before and after merging.

    Attributes:
        dataset: folder or Hub id.
        limit: most mazes of the split; see `dataset_builder.load.limited_places`.
    """

    dataset: str
    split: str
    limit: int | None = None


def merge_adapter(
    adapter: str,
    out: Path,
    held_out: HeldOut,
    margin: float,
    on_progress: OnProgress,
    base: str | None = None,
    chat: Chat = AS_IT_IS,
) -> dict:
    """Merge, measure validity on held-out mazes before and after, and save if no more than the margin is lost.

    Args:
        adapter: folder or Hub id.
        margin: validity that may be lost, 0-1.
        on_progress: called with the phase, mazes done and mazes in total.
        base: the location of the adapter's base, if it is not that in its config.
        chat: how conversations are rendered; by default with the tokenizer's own settings.

    Returns:
        What merge.json in the folder holds: `before` and `after`, validity 0-1, `mazes`, how many, and `base`, how
        the adapter's base was loaded.

    Raises:
        UsageError: the folder already exists, or the name is not an adapter's.
        AsciiMazeError: something cannot be loaded, or the merged model lost more than the margin; nothing is saved.
    """
    if os.path.lexists(out):  # also a link to nothing
        raise UsageError(f"{out} already exists; give another --out")
    rows = load_mazes(*held_out)
    source = find_model(adapter, base=base, chat=chat)
    model, tokenizer = load_source(source)
    if not hasattr(model, "peft_config"):
        raise UsageError(f"'{adapter}' is a full model; there is nothing to merge")
    with new_folder(out) as folder:  # before the work, which takes long
        before = share_valid(model, tokenizer, rows, lambda done: on_progress("before", done, len(rows)))
        merged = merge_weights(model)
        merged.generation_config.eos_token_id = turn_ends(tokenizer, merged)
        after = share_valid(merged, tokenizer, rows, lambda done: on_progress("after", done, len(rows)))
        figures = {
            "adapter": adapter,
            "base": describe(source),
            "before": before,
            "after": after,
            "mazes": len(rows),
            "margin": margin,
        }
        if before - after > margin:
            raise AsciiMazeError(
                f"not saved: {100 * before:.1f} % of {len(rows)} mazes were walked before merging and "
                f"{100 * after:.1f} % after, more than the margin of {100 * margin:.1f} points less; "
                "use the adapter as it is"
            )
        merged.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_text(folder / "merge.json", json.dumps(figures, indent=2))
    return figures


def merge_weights(model):
    """Add the adapter to the model's weights and return the model without it; 4-bit weights are dequantised first."""
    import copy

    if not getattr(model, "is_quantized", False):
        return model.merge_and_unload()
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    config = copy.deepcopy(model.peft_config["default"])
    config.base_model_name_or_path = None
    plain = get_peft_model(model.unload().dequantize(), config)
    set_peft_model_state_dict(plain, weights)
    return plain.merge_and_unload().eval()


def share_valid(model, tokenizer, rows: list[dict], on_progress: Callable[[int], None] | None = None) -> float:
    """The share of mazes with a valid greedy completion, 0-1."""
    answers = answer_mazes(model, tokenizer, rows, on_progress=on_progress)
    return sum(score_path(row["maze"], answer).valid for row, (answer,) in zip(rows, answers)) / len(rows)
