"""The card of an adapter, from its run's files and the results of an evaluation and an MRI."""

import json
import shlex
from collections import defaultdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from ..evaluation.findings import p_text
from ..evaluation.schema import COMPARED
from ..recipe.methods import METHODS
from ..recipe.run_metrics import RunMetrics
from ..references import find_reference, is_on_hub
from ..templating import render
from .evidence import Evidence

# The locations in an installed package and in a checkout.
_TEMPLATES = [folder / "model_cards" / "adapter.md.jinja" for folder in Path(__file__).resolve().parents[1:3]]
# A card with this line is regenerated at every push; without it the card was edited by hand and is kept.
GENERATED = "<!-- Written by ascii-maze, and again at every push. Remove this line to keep words of your own. -->"
# The metrics that a run logs at each evaluation: key in the history -> name in the card.
MEASURED = MappingProxyType(
    {
        "eval_valid": "valid",
        "eval_optimal": "shortest",
        "eval_pair_accuracy": "pairs ranked rightly",
    }
)


def render_card(
    values: dict[str, Any],
    metrics: RunMetrics,
    name: str,
    license: str | None = None,
    evidence: Evidence | None = None,
    published: bool = True,
) -> str:
    """The card of an adapter as Markdown with its YAML head, from `model_cards/adapter.md.jinja`.

    Args:
        values: the resolved recipe, including `method`.
        metrics: of the run.
        name: where to load it from: ORG/NAME on the Hub, or a folder.
        license: the Hub's identifier; by default the card names none.
        evidence: later measurements; without them the card has only the metrics of training.
        published: whether `name` is a repository on the Hub; a run that was not pushed is a folder.
    """
    from ..evaluation.tables import READINGS_HEADER, TABLE_HEADER
    from ..mazes.prompts import PLAIN

    evidence = evidence or Evidence()
    method = values["method"]
    described = METHODS[method]
    evaluations = [line for line in metrics["history"] if MEASURED.keys() & line.keys()]
    losses = [line["loss"] for line in metrics["history"] if "loss" in line]
    context = {
        "head": _head(values, name, license, evidence),
        "generated": GENERATED,
        "method": method,
        "title": described.title,
        "paper": described.paper,
        "arxiv": described.arxiv,
        "scores": described.scores,
        "name": name,
        "again": _again(name, published, metrics.get("processes", 1)),
        "license": license,
        # Recipes may omit keys with defaults, and older ones have booleans as text.
        "values": defaultdict(lambda: None, {key: value != "false" and value for key, value in values.items()}),
        "recipe": yaml.safe_dump(values, sort_keys=False, allow_unicode=True),
        "metrics": metrics,
        "chat": metrics.get("chat", {}),
        "losses": losses,
        "evaluations": evaluations,
        "measured": {key: text for key, text in MEASURED.items() if any(key in line for line in evaluations)},
        "table_header": TABLE_HEADER,
        "readings_header": READINGS_HEADER,
        "evidence": evidence,
        "compared": COMPARED,
        "p_text": p_text,
        "base_on_hub": is_on_hub(values["model_name_or_path"]),
        "rules": evidence.system_prompt or PLAIN.system_prompt,
        "dataset_on_hub": is_on_hub(values.get("dataset_name") or ""),
        "quoted": lambda text: json.dumps(text, ensure_ascii=False),
    }
    return render(next(path for path in _TEMPLATES if path.is_file()), context)


def _again(name: str, published: bool, processes: int) -> list[str]:
    """The commands that train a published run again, or one in a folder into another folder."""
    train = "ascii-maze train"
    if processes > 1:
        train = f"accelerate launch --multi_gpu --num_processes {processes} --module ascii_maze train"
    if not published:
        return [f"{train} {shlex.quote(f'{name}/recipe.yaml')} --output_dir {shlex.quote(f'{name}-again')}"]
    return ["pip install ascii-maze", f"hf download {name} recipe.yaml --local-dir .", f"{train} recipe.yaml"]


def _head(values: dict[str, Any], name: str, license: str | None, evidence: Evidence) -> str:
    """The YAML of the card."""
    from huggingface_hub import ModelCardData

    base, dataset = values["model_name_or_path"], values.get("dataset_name") or ""
    on_hub = {"base_model": base, "base_model_relation": "adapter"} if is_on_hub(base) else {}
    trained_on = find_reference(dataset)
    data = ModelCardData(
        license=license,
        library_name="peft",
        pipeline_tag="text-classification" if METHODS[values["method"]].scores else "text-generation",
        datasets=[trained_on.name] if trained_on and not trained_on.is_local else None,
        tags=["ascii-maze", "maze", "lora", "trl", values["method"]],
        **on_hub,
    )
    return data.to_yaml()
