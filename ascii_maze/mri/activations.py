"""Hidden states of base and fine-tunes on the same walks, at named positions, streamed to disk as float32.

One safetensors file per model and layer holds a tensor for each position. The files are allocated at full size and
filled row by row: memory holds one layer of one batch while writing, and one tensor while reading. Walks are padded on
the right, regardless of the tokenizer's padding side, since a causal model's states do not depend on what follows.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import AsciiMazeError, UsageError, reason
from ..files import write_text
from ..terminal import OnProgress
from .models import BASE, Models, adapter_is_zero
from .positions import CELLS, TokenisedWalk
from .reading import batches, cut_prefix, read, read_prefix

POSITIONS = ("last_prompt", "start", "goal", "maze_mean", "answer_end", "moves", "cells")
# What is recorded of each layer; layer 0 has only `hidden`.
SITES = ("hidden", "attention", "mlp")


class Activations:
    """Activations on disk, in a folder that `extract` wrote.

    Attributes:
        models: `base`, then the adapters.
        layers: hidden states per position: the embedding's output (0), then each decoder layer's.
        positions: one row per maze at `last_prompt` (the last token before the answer), `start`, `goal`,
            `maze_mean` (mean over the map) and `answer_end` (the last token, where the model decides to stop); one per
            move at `moves`, where the model decides on it; `CELLS` per maze at `cells`.
        sites: those of `SITES` that were recorded.
    """

    def __init__(self, folder: Path):
        """Open a folder.

        Raises:
            UsageError: it holds no activations, or extraction was interrupted.
        """
        self.folder = Path(folder)
        try:
            index = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{folder} holds no activations that `extract` has finished") from error
        self.models: list[str] = index["models"]
        self.layers: int = index["layers"]
        self.positions: list[str] = index["positions"]
        self.sites: list[str] = index["sites"]

    def read(self, model: str, layer: int, position: str, site: str = "hidden") -> np.ndarray:
        """One tensor: float32 (mazes, width), or a row per move (`moves`) or cell (`cells`) in the order of the mazes.

        Raises:
            UsageError: there is no such model, layer, position or site.
        """
        from safetensors import safe_open

        path = self.folder / model / f"{site}-{layer:03d}.safetensors"
        if position not in self.positions or not path.is_file():
            raise UsageError(f"no activations of '{model}' at layer {layer}, '{position}', {site} in {self.folder}")
        with safe_open(path, framework="numpy") as file:
            return file.get_tensor(position)


def extract(
    models: Models,
    walks: Sequence[TokenisedWalk],
    folder: Path,
    sites: Sequence[str] = ("hidden",),
    positions: Sequence[str] = POSITIONS,
    batch_size: int = 64,
    on_progress: OnProgress | None = None,
) -> Activations:
    """Run every model over every walk, up to the last position asked for, and write its hidden states.

    Args:
        folder: new, or one whose extraction was interrupted, which is overwritten.
        sites: of `SITES`.
        positions: of `POSITIONS`.
        on_progress: called with the model's name, walks done and walks in all.

    Raises:
        UsageError: a walk is longer than the context, or there is no such position.
        AsciiMazeError: a model's activations are not finite, or an adapter that is not all zero changes none of them.
    """
    check_lengths(models, walks)
    if unknown := set(positions) - set(POSITIONS):
        raise UsageError(f"no position '{min(unknown)}'; there are {', '.join(POSITIONS)}")
    on_progress = on_progress or (lambda name, done, total: None)
    whole = [
        replace(walk, ids=walk.ids[: max(np.max(walk_tokens(walk, name)) for name in positions) + 1]) for walk in walks
    ]
    prefix, cut = cut_prefix(models, whole)
    for name in models.names:
        models.switch(name)
        _extract_one(models, name, prefix, cut, folder / name, sites, positions, batch_size, on_progress)
    index = {"models": models.names, "layers": len(models.layers) + 1}
    write_text(folder / "index.json", json.dumps({**index, "positions": list(positions), "sites": list(sites)}))
    activations = Activations(folder)
    for name in models.names[1:]:
        if not adapter_is_zero(models, name) and changes_nothing(activations, name):
            raise AsciiMazeError(
                f"adapter '{name}' is not zero, but changes no activation: it is not applied where it was "
                "put; does its base have other layer names?"
            )
    return activations


def check_lengths(models: Models, walks: Sequence[TokenisedWalk]) -> None:
    """Check that every walk fits the model's context.

    Raises:
        UsageError: one does not.
    """
    longest = max(len(walk.ids) for walk in walks)
    if longest > models.context:
        raise UsageError(
            f"a maze with its answer takes {longest:,} tokens, and the model reads at most {models.context:,}; "
            "choose a split of smaller mazes"
        )


def changes_nothing(activations: Activations, name: str) -> bool:
    """Whether a model's activations are the base's, bit for bit."""
    return all(
        np.array_equal(activations.read(BASE, layer, position), activations.read(name, layer, position))
        for layer in reversed(range(activations.layers))
        for position in activations.positions
    )


def _extract_one(
    models: Models,
    name: str,
    prefix: np.ndarray,
    walks: Sequence[TokenisedWalk],
    folder: Path,
    sites: Sequence[str],
    positions: Sequence[str],
    batch_size: int,
    on_progress: OnProgress,
) -> None:
    ends = np.cumsum([len(walk.moves) for walk in walks])
    several = {"moves": int(ends[-1]), "cells": CELLS * len(walks)}
    rows = {position: several.get(position, len(walks)) for position in positions}
    batch: list[int] = []

    def visit(site: str, layer: int, hidden) -> None:
        if site not in sites:
            return
        values = _gather(hidden, [walks[index] for index in batch], positions)
        if not all(np.isfinite(array).all() for array in values.values()):
            raise AsciiMazeError(
                f"activations of '{name}' at layer {layer} are NaN or infinite: its weights are broken"
            )
        path = folder / f"{site}-{layer:03d}.safetensors"
        if not done:
            _lay_out(path, {position: (count, hidden.shape[-1]) for position, count in rows.items()})
        places = {
            **dict.fromkeys(positions, np.array(batch)),
            "moves": np.concatenate([np.arange(ends[i] - len(walks[i].moves), ends[i]) for i in batch]),
            "cells": np.concatenate([np.arange(CELLS * i, CELLS * (i + 1)) for i in batch]),
        }
        _write_rows(path, values, places)

    done, parts = 0, any(site != "hidden" for site in sites)
    known = read_prefix(models, prefix)
    for batch, ids in batches(walks, batch_size):
        read(models, ids, known, visit, parts)
        done += len(batch)
        on_progress(name, done, len(walks))


def _gather(hidden, walks: Sequence[TokenisedWalk], positions: Sequence[str]) -> dict[str, np.ndarray]:
    """The rows of one layer's states (batch, tokens, width) at the named positions."""
    return {
        name: np.stack([hidden[row, walk.maze].float().mean(0).cpu().numpy() for row, walk in enumerate(walks)])
        if name == "maze_mean"
        else states_at(hidden, [walk_tokens(walk, name) for walk in walks])
        for name in positions
    }


def walk_tokens(walk: TokenisedWalk, position: str) -> np.ndarray:
    """The tokens of a walk that a position reads, int64 (tokens,)."""
    return np.atleast_1d(walk.maze if position == "maze_mean" else getattr(walk, position))


def states_at(hidden, tokens: Sequence[np.ndarray]) -> np.ndarray:
    """States of a batch (batch, tokens, width) at some tokens of each row, one after the other: float32."""
    import torch

    rows = np.repeat(np.arange(len(tokens)), [len(each) for each in tokens])
    return hidden[torch.as_tensor(rows), torch.as_tensor(np.concatenate(tokens))].float().cpu().numpy()


def _lay_out(path: Path, shapes: dict[str, tuple[int, int]]) -> None:
    """Allocate a safetensors file of float32 tensors of these shapes.

    Raises:
        AsciiMazeError: the disk is full. Writing to mapped memory on a full disk would end in a bus error.
    """
    entries, size = {}, 0
    for name, shape in shapes.items():
        end = size + 4 * shape[0] * shape[1]
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [size, end]}
        size = end
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, 8 + len(header) + size)
    except OSError as error:
        raise AsciiMazeError(
            f"no room for the activations of a layer, {size:,} bytes, in {path.parent}: {reason(error)}; give fewer "
            "mazes (--limit) or an --out on another disk"
        ) from error


def _write_rows(path: Path, values: dict[str, np.ndarray], places: dict[str, np.ndarray]) -> None:
    """Write rows at their places in a file that `_lay_out` allocated; nothing stays mapped afterwards."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(length))
    for name, rows in values.items():
        first, shape = 8 + length + entries[name]["data_offsets"][0], tuple(entries[name]["shape"])
        np.memmap(path, np.float32, "r+", offset=first, shape=shape)[places[name]] = rows
