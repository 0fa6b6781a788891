"""The figure of what fine-tunes change on text that has nothing to do with mazes."""

from collections.abc import Iterator

from ...templating.language import Say
from ..models import BASE
from ..schema import Results
from .charts import CaptionedFigure, lines


def text_figures(results: Results, say: Say) -> Iterator[CaptionedFigure]:
    """Drift by layer; perplexities and tokens are in the caption."""
    texts = results["plain_text"]
    if not texts:
        return
    said = [say("perplexity of {model} {perplexity:.2f}").format(model=BASE, perplexity=texts[BASE]["perplexity"])]
    for name, of in texts.items():
        if name != BASE:
            tokens = " ".join(repr(token) for token in of["tokens"])
            leaks = say(", its mean change at layer {layer} resembles {tokens}") if tokens else ""
            leaks = leaks.format(layer=of["layer"], tokens=tokens)
            said.append(f"{name} {of['perplexity']:.2f}{leaks}")
    yield CaptionedFigure(
        "plain_text",
        None,
        say(
            "On plain text that has nothing to do with mazes: how far each fine-tune's states are from the base's, as "
            "a share of their norm. What the tuning costs and leaks there: {said}."
        ).format(said="; ".join(said)),
        lines({name: of["drift"] for name, of in texts.items() if name != BASE}, "drift", low=0),
    )
