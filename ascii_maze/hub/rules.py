"""The Hub's rules for the metadata of a README.md, checked offline.

They are taken from its documentation (docs/hub/repositories-licenses, modelcard.md, datasetcard.md,
spaces-config-reference, as of 2026). The Hub validates the metadata as well, before anything is sent.
"""

import re
from collections.abc import Iterator
from typing import Any

from ..errors import did_you_mean
from ..references import is_hub_name

LICENSES = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0
lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl
openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma unknown
other
"""
_LICENSES = frozenset(LICENSES.split())
RELATIONS = ("adapter", "merge", "quantized", "finetune")
SDKS = ("gradio", "streamlit", "docker", "static")
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
SIZE_CATEGORIES = (
    "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "10B<n<100B",
    "100B<n<1T", "n>1T",
)  # fmt: skip
# Allowed values of a key, by repository type.
CHOICES: dict[str, dict[str, tuple[str, ...] | frozenset[str]]] = {
    "model": {"license": _LICENSES, "base_model_relation": RELATIONS},
    "dataset": {"license": _LICENSES, "size_categories": SIZE_CATEGORIES},
    "space": {"license": _LICENSES, "sdk": SDKS, "colorFrom": COLOURS, "colorTo": COLOURS},
}
IDS = ("base_model", "datasets", "models")
TEXTS = ("tags", "language", "library_name", "pipeline_tag", "title", "pretty_name")


def broken_rules(repo_type: str, head: dict[str, Any]) -> Iterator[str]:
    """The rules that a card's metadata breaks, a few words each.

    Args:
        repo_type: `model`, `dataset` or `space`.
        head: the metadata, as from `CardData.to_dict`.
    """
    for key, allowed in CHOICES[repo_type].items():
        for value in _values(head, key):
            if value not in allowed:
                yield f"'{key}' has no value '{value}'{did_you_mean(str(value), allowed)}"
    if head.get("license") == "other" and not head.get("license_name"):
        yield "'license: other' needs a 'license_name'"
    for key in IDS:
        for value in _values(head, key):
            if not isinstance(value, str) or not is_hub_name(value):
                yield f"'{key}' names '{value}', which is not a name on the Hub"
    for key in TEXTS:
        for value in _values(head, key):
            if not isinstance(value, str) or not value.strip():
                yield f"'{key}' holds {value!r}, which is not text"
    if len(str(head.get("short_description") or "")) > 60:
        yield "'short_description' is longer than 60 characters"
    yield from _broken_in_index(head.get("model-index") or [])


def _values(head: dict[str, Any], key: str) -> list[Any]:
    value = head.get(key)
    return [] if value is None else value if isinstance(value, list) else [value]


def _broken_in_index(index: Any) -> Iterator[str]:
    """The rules of `model-index` that are broken: keys that a result lacks or that are invalid."""
    needed = {"task": ("type",), "dataset": ("type", "name")}
    try:
        for model in index:
            if not model.get("name"):
                yield "'model-index' has an entry without a 'name'"
            for result in model["results"]:
                missing = [
                    f"{part}.{key}" for part, keys in needed.items() for key in keys if not result[part].get(key)
                ]
                missing += [
                    f"metrics.{key}" for metric in result["metrics"] for key in ("type", "value") if key not in metric
                ]
                if missing:
                    yield f"'model-index' has a result without {', '.join(missing)}"
                dataset = str(result["dataset"].get("type"))
                if not is_hub_name(dataset):
                    yield f"'model-index' names the dataset '{dataset}', which is not a name on the Hub"
    except (KeyError, TypeError, AttributeError) as error:
        yield f"'model-index' is not in the Hub's format: {error}"


def broken_results(entries: Any) -> Iterator[str]:
    """The rules that a file of `.eval_results` breaks; see https://huggingface.co/docs/hub/eval-results."""
    from huggingface_hub import parse_eval_result_entries

    try:
        parsed = parse_eval_result_entries(entries)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        yield f"not in the Hub's format: {error}"
        return
    for entry in parsed:
        if "/" not in entry.dataset_id or not is_hub_name(entry.dataset_id):
            yield f"'{entry.dataset_id}' is not a dataset on the Hub"
        if entry.dataset_revision and not re.fullmatch(r"[0-9a-f]{40}", entry.dataset_revision):
            yield f"'{entry.dataset_revision}' is not a commit"
