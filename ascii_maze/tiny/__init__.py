"""The embedded models, which are part of the package: a folder has weights, tokenizer and card."""

from pathlib import Path

TINY = Path(__file__).resolve().parent
PLAIN = TINY / "plain"
EMBEDDED = {"tiny": TINY, "tiny-plain": PLAIN}  # name -> folder
