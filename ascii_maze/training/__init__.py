"""Fine-tunes with QLoRA: one small module per method over TRL's trainer, and what the methods share."""

import importlib
from types import ModuleType


def method_module(method: str) -> ModuleType:
    """The module of a method. Each has `make_trainer(...)`; see `sft`."""
    return importlib.import_module(f"{__name__}.{method}")
