"""Every number of the report as rows of tables, for CSV files."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..analysis import HEADLINE
from ..models import BASE
from ..schema import Results

Tables = dict[str, Sequence[Mapping[str, Any]]]


def tables(results: Results) -> Tables:
    """Every table of the report; some may be empty."""
    return {
        **_of_states(results),
        **_of_references(results),
        **_of_moves(results),
        "weights": [
            {"model": name, **update} for name in results["models"][1:] for update in results["weights"][name]
        ],
        "subspace_overlap": results["overlaps"],
        **_of_causes(results),
        "plain_text": [
            {"model": name, "perplexity": of["perplexity"], "layer": layer, "drift": of["drift"][layer]}
            for name, of in results["plain_text"].items()
            for layer in range(results["layers"])
        ],
        "regions": list(_leaves(results["regions_by_label"])),
    }


def _of_states(results: Results) -> Tables:
    adapters, layers = results["models"][1:], range(results["layers"])
    likeness = {"cka": results["cka"], "procrustes": results["procrustes"], "rsa": results["rsa"]}
    return {
        "answers": [{"model": name, **answers} for name, answers in results["answers"].items()],
        "drift": [
            {"model": name, "position": position, "layer": layer, **_at(layer, of)}
            for name in adapters
            for position, of in results["drift_by_position"][name].items()
            for layer in layers
        ],
        "similarity": [
            {"model": name, "layer": layer, **{key: of[name][layer] for key, of in likeness.items()}}
            for name in adapters
            for layer in layers
        ],
        "cka_layers": [
            {"model": name, "base_layer": row, "layer": column, "cka": results["cka_layers"][name][row][column]}
            for name in results["models"]
            for row in layers
            for column in layers
        ],
        "effective_rank": [
            {"model": name, "layer": layer, "effective_rank": results["effective_rank"][name][layer]}
            for name in results["models"]
            for layer in layers
        ],
    }


def _of_references(results: Results) -> Tables:
    """Fine-tunes against another that they started from, and the quantised base against its full precision."""
    layers = range(results["layers"])
    return {
        "against_start": [
            {
                "model": name,
                "start": of["start"],
                "layer": layer,
                **_at(layer, of["drift_by_position"][HEADLINE]),
                **_at(layer, {key: of[key] for key in ("cka", "procrustes", "rsa")}),
            }
            for name, of in results["against_start"].items()
            for layer in layers
        ],
        "weights_against_start": [
            {"model": name, "start": of["start"], **update}
            for name, of in results["against_start"].items()
            for update in of["weights"]
        ],
        "quantisation": [
            {"layer": layer, **_at(layer, {**results["quantisation"]["drift"], "cka": results["quantisation"]["cka"]})}
            for layer in layers
            if results["quantisation"]
        ],
    }


def _of_moves(results: Results) -> Tables:
    layers = range(results["layers"])
    return {
        "probes": list(_probes(results)),
        "logit_lens": [
            {"model": name, "layer": layer, **_at(layer, of)}
            for name, of in results["lens"].items()
            for layer in layers
        ],
        "moves": [results["moves"]],
        "next_token_kl": [
            {"model": name, **of, **(results["against_start"][name]["kl"] if name in results["against_start"] else {})}
            for name, of in results["kl"].items()
        ],
    }


def _of_causes(results: Results) -> Tables:
    layers = range(results["layers"])
    return {
        "patching": list(_patching(results)),
        "patching_by_role": [
            {"model": name, "role": role, "layer": layer, "accuracy": accuracy[layer]}
            for name, of in results["patching"].items()
            for role, accuracy in (("prompt", of["accuracy"]["prompt"]), ("answer", of["accuracy"]["answer"]))
            for layer in of["layers"]
        ],
        "layer_effects": list(_layer_effects(results)),
        "components": list(_components(results)),
        "mixtures": list(_mixtures(results)),
        "steering": list(_steering(results)),
        "walls": [{"layer": layer, **_at(layer, _lists(results["walls"]))} for layer in layers if results["walls"]],
    }


def to_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as CSV; missing values are empty."""
    text, names = io.StringIO(), dict.fromkeys(key for record in records for key in record)
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in record.items()} for record in records)
    return text.getvalue()


def _at(layer: int, columns: Any) -> dict[str, float]:
    """The values at one layer, from lists per layer by name."""
    return {name: values[layer] for name, values in columns.items()}


def _plain(value):
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _probes(results: Results) -> Iterator[dict]:
    for name, questions in results["probes"].items():
        for question, cells in questions.items():
            for layer, cell in enumerate(cells):
                low, high = cell["ci"]
                plain = {key: cell[key] for key in ("measure", "score", "control", "chance")}
                found = {"model": name, "question": question, "layer": layer, **plain, "low": low, "high": high}
                yield {**found, **_gain(results, name, question, layer)}


def _gain(results: Results, name: str, question: str, layer: int) -> dict:
    if name == BASE:
        return {}
    of = results["probe_gains"][name][question]
    low, high = of["ci"][layer]
    return {"gain_on": of["reference"], "gain": of["gain"][layer], "gain_low": low, "gain_high": high}


def _patching(results: Results) -> Iterator[dict]:
    for name, of in results["patching"].items():
        for layer in of["layers"]:
            low, high = of["valid_ci"][layer] or (None, None)
            plain = {"valid": of["valid"][layer], "low": low, "high": high, "restored": of["restored"][layer]}
            cell = {"model": name, "layer": layer, **plain}
            yield {**cell, BASE: of["base"], "fine_tune": of["fine_tune"], "mazes": of["mazes"]}


def _layer_effects(results: Results) -> Iterator[dict]:
    for of in results["layer_effects"]:
        for update, curves in (("fine-tune", of["change"]), ("random", of["random"] or {})):
            for part, curve in curves.items():
                for layer, effect, (low, high) in zip(of["layers"], curve["effect"], curve["ci"]):
                    cell = {"model": of["model"], "reference": of["reference"], "update": update, "layers": part}
                    yield {**cell, "layer": layer, "effect": effect, "low": low, "high": high, "gap": of["gap"]}


def _components(results: Results) -> Iterator[dict]:
    for of in results["components"]:
        for part in of["parts"]:
            cell = {"model": of["model"], "reference": of["reference"], "layer": part["layer"], "head": part["head"]}
            for way, effect in (("into", part["into"]), ("out", part["out"])):
                low, high = effect["ci"] or (None, None)
                plain = {"estimate": effect["estimate"], "exact": effect["exact"], "low": low, "high": high}
                yield {**cell, "way": way, **plain}


def _mixtures(results: Results) -> Iterator[dict]:
    for of in results["mixtures"]:
        points = [*(("line", part, point) for part, point in zip(of["parts"], of["line"])), ("ties", None, of["ties"])]
        for how, part, point in points:
            yield {"a": of["a"], "b": of["b"], "how": how, "part_of_b": part, **point}


def _steering(results: Results) -> Iterator[dict]:
    for of in results["steering"]:
        for row, layer in enumerate(of["layers"]):
            for column, dose in enumerate(of["doses"]):
                (low, high), cell = of["ci"][row][column], {"model": of["model"], "reference": of["reference"]}
                yield {
                    **{**cell, "layer": layer, "dose": dose, "response": of["response"][row][column]},
                    **{"low": low, "high": high, "random": of["random"][row][column]},
                }


def _lists(values: Any) -> dict[str, list]:
    """The entries of a mapping that are lists."""
    return {key: value for key, value in values.items() if isinstance(value, list)}


def _leaves(value, path: tuple[str, ...] = ()) -> Iterator[dict]:
    """The numbers in nested mappings and lists, each with its path."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, int | float):
        yield {"number": "/".join(path), "value": value}
