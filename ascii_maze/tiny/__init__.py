"""The embedded model, which is part of the package: its folder has weights, tokenizer and card."""

from pathlib import Path

TINY = Path(__file__).resolve().parent
EMBEDDED = {"tiny": TINY}  # name -> folder
