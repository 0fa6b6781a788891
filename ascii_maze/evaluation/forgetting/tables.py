"""The figures of forgetting as cells of a table, for the terminal and for a study's report."""

from collections.abc import Mapping
from typing import Any

HEADER = ("model", "pass@1", "pass@8", "pass@64", "shortest walks found", "KL(start, it)", "KL(it, start)", "before")
WORDS = (
    "pass@k: per cent of hard mazes of which at least one of k sampled answers is a shortest walk (unbiased, Chen et "
    "al., 2021). Shortest walks found: different ones among the samples to a maze that has several, and per cent of "
    "those that could be found. KL: nats an answer, between a model and what it started from, on the start's answers "
    "and on its own. Before: what the base could do before; of a base that reads text its perplexity on a page that "
    "has nothing to do with mazes; of an embedded one the per cent of the choices of tiny's habit that it finds "
    "the most likely. No test is made of these figures."
)


def cells(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of one model under `HEADER`.

    Args:
        found: a `schema.ModelForgetting`, or the mean of several.
    """
    rates, loops, apart = found["pass_at"]["optimal"], found["loops"], found["divergence"]
    return (
        name,
        *(f"{100 * rates[k]:.1f}" if k in rates else "" for k in ("1", "8", "64")),
        f"{loops['found']:.1f} ({100 * loops['share']:.0f})" if loops else "",
        *(f"{apart[way]:.2f}" if apart else "" for way in ("forward", "reverse")),
        before(found),
    )


def before(found: Mapping[str, Any]) -> str:
    """What a model has kept of the base's knowledge: perplexity of plain text, or the old habit."""
    if found["plain_text"]:
        return f"perplexity {found['plain_text']['perplexity']:.1f}"
    return f"habit {100 * found['habit']['right']:.1f}" if found["habit"] else ""
