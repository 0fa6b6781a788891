"""Activations made for the purpose, with what is to be found in them planted."""

import numpy as np


class Made:
    """Models whose layers carry the same few hidden causes, each through maps of its own layer.

    Args:
        rows: prompts; half of them have label 0 and half label 1, which moves the first cause.
        changed: by name of a fine-tune, how much of what each of its layers from 2 on holds is of other prompts.
    """

    def __init__(self, rows: int = 200, layers: int = 4, width: int = 16, changed: dict[str, float] | None = None):
        rng = np.random.default_rng(7)
        changed = {"sft": 0.5} if changed is None else changed
        self.models, self.layers, self.positions = ["base", *changed], layers, ["goal"]
        self.labels = np.arange(rows) % 2
        causes = rng.normal(size=(rows, 6)) * [3, 2.5, 2, 1.5, 1, 0.5]
        causes[:, 0] += 6 * self.labels
        maps = [rng.normal(size=(6, width)) for _ in range(layers)]
        noise = [rng.normal(size=(rows, width)) for _ in range(layers)]
        others = [rng.permutation(causes) for _ in range(layers)]
        self.arrays = {}
        for model in self.models:
            for layer in range(layers):
                part = changed.get(model, 0.0) if layer >= 2 else 0.0
                mixed = (1 - part) * causes + part * others[layer]
                self.arrays[model, layer] = (mixed @ maps[layer] + 0.5 * noise[layer]).astype(np.float32)

    def read(self, model: str, layer: int, position: str) -> np.ndarray:
        return self.arrays[model, layer]
