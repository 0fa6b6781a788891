"""The figure of what fine-tunes change on text that has nothing to do with mazes."""

from collections.abc import Iterator

from ..models import BASE
from ..schema import Results
from .charts import CaptionedFigure, lines


def text_figures(results: Results) -> Iterator[CaptionedFigure]:
    """Drift by layer; perplexities and tokens are in the caption."""
    texts = results["plain_text"]
    if not texts:
        return
    said = [f"perplexity of {BASE} {texts[BASE]['perplexity']:.2f}"]
    for name, of in texts.items():
        if name != BASE:
            tokens = " ".join(repr(token) for token in of["tokens"])
            leaks = f", its mean change at layer {of['layer']} resembles {tokens}" if tokens else ""
            said.append(f"{name} {of['perplexity']:.2f}{leaks}")
    yield CaptionedFigure(
        "plain_text",
        None,
        "On plain text that has nothing to do with mazes: how far each fine-tune's states are from the base's, as "
        f"a share of their norm. What the tuning costs and leaks there: {'; '.join(said)}.",
        lines({name: of["drift"] for name, of in texts.items() if name != BASE}, "drift", low=0),
    )
