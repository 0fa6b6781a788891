"""The card of a collection: its questions, its annotators, and their agreement."""

from typing import Any

import yaml

from ..templating import PAGES, literal, render
from .collection import Collection
from .schema import Agreement, Share


def render_card(name: str, collection: Collection, figures: Agreement, record: dict[str, Any]) -> str:
    """README.md of a collection, with the YAML head by which `load_dataset` finds its files.

    Args:
        name: of the dataset.
        record: preferences.json.
    """
    context = {
        "head": _head(name, figures, record),
        "name": literal(name),
        "collection": collection,
        "source": literal(collection.source),
        "figures": figures,
        "rows": record["rows"],
        "lines": lines_of(figures),
        "people": [(literal(one["name"]), one) for one in figures["people"]],
        "models": [(literal(one["model"]), one) for one in figures["models"]],
        "share": in_words,
        "guideline": "\n".join(f"> {line}" for line in collection.guideline.strip().splitlines()),
    }
    return render(PAGES / "preferences.md.jinja", context)


def _head(name: str, figures: Agreement, record: dict[str, Any]) -> str:
    """The YAML of the card. `datasets` caches by the head, so it has the digest of the answers."""
    configs: list[dict[str, Any]] = []
    for config in ("preference", "annotations"):
        places = [place for place, count in record["rows"].items() if place.startswith(f"{config}/") and count]
        if places:
            files = [{"split": place.split("/")[1], "path": f"{place}-*.parquet"} for place in places]
            configs.append({"config_name": config, "description": f"answers {figures['digest']}", "data_files": files})
    if configs:
        configs[0]["default"] = True
    simulated = ["simulated"] if figures["simulated"] else []
    head = {
        "pretty_name": name,
        "license": "apache-2.0",
        "language": ["en"],
        "task_categories": ["text-generation"],
        "tags": ["maze", "planning", "preference", "human-feedback", "ascii-maze", *simulated],
        "configs": configs,
    }
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip()


def in_words(share: Share) -> str:
    """`83 % (71 to 91) of 40`, or `none`."""
    if share["share"] is None or share["ci"] is None:
        return "none"
    low, high = share["ci"]
    return f"{100 * share['share']:.0f} % ({100 * low:.0f} to {100 * high:.0f}) of {share['n']:,}"


def lines_of(figures: Agreement) -> list[tuple[str, str]]:
    """The results as pairs of a name and a figure in words; the same on page, card and terminal."""
    alpha = "not known: no question was answered by two people"
    if figures["alpha"] is not None:
        low, high = figures["alpha_ci"] or (None, None)
        interval = "" if low is None else f" ({low:.2f} to {high:.2f})"
        alpha = f"{figures['alpha']:.2f}{interval} on {figures['alpha_questions']:,} questions"
    elif figures["alpha_questions"]:
        alpha = f"not defined: on {figures['alpha_questions']:,} questions everybody said the same"
    left = figures["left"]
    seconds = figures["seconds"]
    lines = [("Krippendorff's alpha", alpha), ("agreement with gold", in_words(figures["gold"]))]
    lines.append(("agreement with oneself", in_words(figures["same"])))
    if figures["mode"] == "compare":
        p = "" if left["p"] is None else f", p = {left['p']:.3g}"
        lines.append(("left side taken", f"{in_words(left)}{p}"))
    lines.append(("agreement with the true path score", in_words(figures["truth"])))
    if seconds:
        lines.append(("seconds an answer", f"{seconds[1]:.1f} (quartiles {seconds[0]:.1f} and {seconds[2]:.1f})"))
    return lines
