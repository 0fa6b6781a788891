"""Prepares an adapter's files for publication: local names become names on the Hub, and the card gets the results
measured since training.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import yaml

from ..configuration import parse_weights, read_yaml_mapping
from ..errors import UsageError
from ..recipe.run_metrics import RunMetrics, check_metrics
from ..references import Reference, find_reference, is_hub_name, is_on_hub
from ..tiny import EMBEDDED
from .cards import GENERATED, render_card
from .content import Content, Wishes, parse_card, read, read_json, to_json
from .evidence import Evidence, find_evidence
from .local_paths import without_local_paths
from .model_index import eval_results, model_index

# Left out of the published recipe, so that running it does not push to the same repository.
_OF_THE_PUSH = ("push_to_hub", "hub_")
# Keys of a recipe whose value is a name on the Hub or a folder.
_NAMES = ("dataset_name", "adapter_name_or_path", "reward_model_name_or_path")
EMBEDDED_LICENSE = "apache-2.0"


def prepare_adapter(folder: Path, contents: dict[str, Content], wishes: Wishes) -> dict[str, bytes]:
    """The files that name the base model, the dataset or a folder, with names that are valid for others.

    Raises:
        UsageError: the base is a folder or the embedded model, and no `base_model` is given; or a folder in
            `results` has none for this adapter.
    """
    config = read_json(contents, "adapter_config.json")
    trained_on = config.get("base_model_name_or_path") or ""
    base = published_base(trained_on, wishes.base_model)
    values = read_yaml_mapping(folder / "recipe.yaml")
    metrics = check_metrics(read_json(contents, "metrics.json"), "metrics.json")
    dataset = values.get("dataset_name")
    values, metrics = publishable_run(values, metrics, base, wishes.dataset)
    evidence = find_evidence(folder, trained_on, wishes.results)
    if evidence.results:
        settings = evidence.results["settings"]
        same = wishes.dataset and _is_same_folder(settings["dataset"], dataset)  # `--dataset` is that of training
        named = str(wishes.dataset) if same else _shareable(settings["dataset"])
        evidence = replace(evidence, results={**evidence.results, "settings": {**settings, "dataset": named}})
    license = wishes.license or (EMBEDDED_LICENSE if trained_on in EMBEDDED else None)
    text = read(contents["README.md"]).decode()
    if GENERATED in text:
        text = render_card(values, metrics, wishes.repo, license, evidence)
    else:
        text = _renamed(text, trained_on, base)
    card, measured = with_figures(text, base, license, evidence, wishes.repo)
    published = {"base_model_name_or_path": base, **({"revision": None} if base != trained_on else {})}
    return {
        "README.md": card.encode(),
        "adapter_config.json": to_json({**without_local_paths(config), **published}),
        "metrics.json": to_json(metrics),
        "recipe.yaml": yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode(),
        **({".eval_results/path_validity.yaml": yaml.safe_dump(measured).encode()} if measured else {}),
    }


def published_base(trained_on: str, base_model: str | None, option: str = "--base-model") -> str:
    """The Hub id of an adapter's base.

    Args:
        trained_on: the base, by the name in its run.
        base_model: the Hub id that the user gave.
        option: the option that gives it.

    Raises:
        UsageError: neither is a name on the Hub.
    """
    base = base_model or trained_on
    reference = find_reference(base)
    if reference and not reference.is_local:
        return reference.name
    # The Hub is asked about the user's name before anything is sent; a name from training may be a folder.
    if base in EMBEDDED or not is_hub_name(base) or (not base_model and Path(base).exists()):
        said = f"'{base}' is not a model on the Hub" if base_model else f"its base model is '{base}' on this machine"
        raise UsageError(f"{said}; publish that and name it: {option} ORG/NAME")
    return base


def publishable_run(
    values: dict[str, Any], metrics: RunMetrics, base: str, dataset: str | None
) -> tuple[dict[str, Any], RunMetrics]:
    """Resolved recipe and metrics for publication: names on the Hub are kept, folders are cut to their last part.

    Args:
        values: the recipe, including `method`.
        metrics: of the run.
        base: Hub id of the base.
        dataset: Hub id of the dataset, if the recipe does not name it.
    """
    kept = {key: value for key, value in values.items() if not key.startswith(_OF_THE_PUSH)}
    if base != values.get("model_name_or_path"):
        kept.pop("model_revision", None)  # it belongs to the base's former name
    named: dict[str, Any] = {key: _shareable(kept[key]) for key in _NAMES if kept.get(key)}
    named |= {"model_name_or_path": base, **({"dataset_name": dataset} if dataset else {})}
    if kept.get("dataset_mix"):
        weights = parse_weights("dataset_mix", kept["dataset_mix"])
        named["dataset_mix"] = {_shareable(name): weight for name, weight in weights.items()}
    if "output_dir" in kept:
        named["output_dir"] = Path(kept["output_dir"]).name
    measured = cast(RunMetrics, {**without_local_paths(metrics), "base_model": base})
    if measured.get("started_from"):
        measured["started_from"] = named["adapter_name_or_path"]
    if measured.get("dataset"):
        measured["dataset"] = {**measured["dataset"], "name": named["dataset_name"]}
        if "dataset_mix" in named:
            measured["dataset"]["mix"] = named["dataset_mix"]
    return {**without_local_paths(kept), **named}, measured


def _is_same_folder(one: str, other: str | None) -> bool:
    return other is not None and (one == other or Path(one).resolve() == Path(other).resolve())


def _shareable(name: str) -> str:
    """A name on the Hub unchanged; the last part of a folder."""
    return name if is_on_hub(name) else Path(name).name


def with_figures(text: str, base: str, license: str | None, evidence: Evidence, repo: str) -> tuple[str, list[dict]]:
    """The card with the metadata that the Hub indexes, and the entries for `.eval_results`.

    There are entries only for datasets on the Hub.
    """
    card = parse_card("model", text)
    card.data.base_model, card.data["base_model_relation"] = base, "adapter"
    if license:
        card.data.license = license
    if evidence.results is None:
        return str(card), []
    named = evidence.results["settings"]["dataset"]
    dataset, revision, is_local = find_reference(named) or Reference(named, is_local=True)
    results, model = evidence.results, evidence.model
    card.data["model-index"] = model_index(results, model, repo.split("/")[1], dataset, revision)
    commit = revision if re.fullmatch("[0-9a-f]{40}", revision or "") else None
    return str(card), eval_results(results, model, dataset, commit) if not is_local else []


def _renamed(text: str, old: str, new: str) -> str:
    """A card edited by hand, with the base model renamed in code spans and recipes."""
    text = text.replace(f"`{old}`", f"`{new}`")
    return re.sub(rf"(?m)^(model_name_or_path: *['\"]?){re.escape(old)}(['\"]?)$", rf"\g<1>{new}\g<2>", text)
