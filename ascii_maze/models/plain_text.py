"""Text unrelated to mazes: its tokens, and a model's perplexity on it.

The paragraphs of `plain_texts.txt` were written for this project and are in the public domain (CC0).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

TEXTS = Path(__file__).with_name("plain_texts.txt")


def load_texts() -> list[str]:
    """The texts, a paragraph each."""
    return [" ".join(part.split()) for part in TEXTS.read_text(encoding="utf-8").split("\n\n") if part.strip()]


def encode_texts(tokenizer) -> list[list[int]]:
    """The tokens of each text; empty if a tokenizer, such as the embedded model's, cannot spell words."""
    texts = load_texts()
    encoded = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    spelt = all("".join(tokenizer.decode(ids).split()) == "".join(text.split()) for ids, text in zip(encoded, texts))
    return encoded if spelt else []


def perplexity(model, texts: Sequence[Sequence[int]]) -> float:
    """A model's perplexity on texts, over all tokens except the first of each text.

    Args:
        texts: the tokens of each, at least two.
    """
    import torch

    nats = []
    for text in texts:
        ids = torch.tensor([list(text)], device=model.device)
        with torch.inference_mode():
            shares = model(input_ids=ids, use_cache=False).logits[0, :-1].float().log_softmax(-1)
        nats.append(-shares.gather(1, ids[0, 1:, None])[:, 0].cpu().numpy())
    return float(np.exp(np.concatenate(nats).mean()))
