"""Fine-tunes with QLoRA: one small module per method over TRL's trainer, and what the methods share.

run.run         trains a recipe, step by step; `trainer` makes its trainer
merge           merges an adapter into its base
tokens/         how a tokenizer cuts a maze
"""

import importlib
from types import ModuleType


def method_module(method: str) -> ModuleType:
    """The module of a method. Each has `make_trainer(...)`; see `sft`."""
    return importlib.import_module(f"{__name__}.{method}")
