"""Versions of the packages that can affect a result, for its record."""

import importlib.metadata
from collections.abc import Iterable

from . import __version__

# The packages that train, generate and score; a record names those that are installed.
PACKAGES = (
    "ascii-maze",
    "accelerate",
    "bitsandbytes",
    "datasets",
    "deepspeed",
    "flash-attn",
    "kernels",
    "liger-kernel",
    "numba",
    "numpy",
    "peft",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
    "trl",
    "vllm",
)


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Package -> version, for installed packages; for ascii-maze, the version of the running code."""
    installed = {}
    for name in packages:
        if name == "ascii-maze":
            installed[name] = __version__
            continue
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed
