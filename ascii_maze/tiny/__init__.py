"""The embedded models, which are part of the package: a folder has weights, tokenizer and card."""

from pathlib import Path

TINY = Path(__file__).resolve().parent
EMBEDDED = {"tiny": TINY, "tiny-plain": TINY / "plain"}  # name -> folder
