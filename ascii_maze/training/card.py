"""The model card of a run."""

from pathlib import Path

from ..recipe import Recipe

_PACKAGE = Path(__file__).resolve().parent.parent


def render_card(recipe: Recipe, metrics: dict) -> str:
    """The card of an adapter as Markdown, from `model_cards/adapter.md.jinja`."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    folders = [_PACKAGE / "model_cards", _PACKAGE.parent / "model_cards"]
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(folders), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )
    losses = [line["loss"] for line in metrics["history"] if "loss" in line]
    return environment.get_template("adapter.md.jinja").render(
        method=recipe.method.upper(),
        recipe=recipe.to_yaml(),
        values=recipe.values,
        metrics=metrics,
        losses=losses,
        measured=measured_at_the_end(metrics["history"]),
    )


def measured_at_the_end(history: list[dict]) -> str:
    """The figures of the last evaluation as text, empty where there was none."""
    rates = {
        "eval_valid": "valid",
        "eval_optimal": "shortest",
        "eval_pair_accuracy": "pairs ranked rightly",
    }
    last: dict = next((line for line in reversed(history) if rates.keys() & line.keys()), {})
    return ", ".join(f"{100 * last[key]:.1f} % {name}" for key, name in rates.items() if key in last)
