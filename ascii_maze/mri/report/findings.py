"""The first lines of the page: the results of the tests, in words.

Each sentence reports a test with its number; nothing else is claimed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...templating.language import Say, english
from ..layer_effects import SINGLE
from ..models import BASE
from ..schema import Results
from ..schema.causes import Patching
from ..schema.regions import Changes
from ..seeds import methods_of
from .component_figures import largest

ALPHA = 0.05


class Finding(NamedTuple):
    """What is said of one fine-tune, or of methods against seeds: then without a name."""

    name: str
    sentences: list[str]


def findings(results: Results, say: Say = english) -> list[Finding]:
    """Sentences on each fine-tune that was examined, then those on methods against seeds.

    Args:
        say: from `language.say_in`.
    """
    found = [Finding(name, _of_one(results, name, say)) for name in results["patching"]]
    return [*found, Finding("", _of_seeds(results, say))]


def changes_of(results: Results, name: str) -> Changes | None:
    """Centred edges and regions of a fine-tune against what it started from; None where there are none."""
    if name in results["against_start"]:
        return results["against_start"][name]["centred"]
    return results["regions_centred"].get(name)


def _of_one(results: Results, name: str, say: Say) -> list[str]:
    start = results["against_start"][name]["start"] if name in results["against_start"] else BASE
    if name in results["unchanged"]:
        return [say(WORDS["unchanged"]).format(name=name)]
    changes, words = changes_of(results, name), []
    if changes is not None:
        p = {of: min(1.0, 2 * changes[of]["p"]) for of in ("regions", "edges")}  # of two tests
        words.append(
            say(WORDS["changed" if min(p.values()) <= ALPHA else "alike"]).format(name=name, start=start, **p)
        )
    started = results["against_start"].get(name)
    drift = started["drift_by_position"]["last_prompt"]["relative"] if started else results["drift"][name]
    quantised = results["quantisation"]
    beside = say(WORDS["quantised"]).format(drift=max(quantised["drift"]["relative"])) if quantised else ""
    words.append(say(WORDS["most"]).format(layer=drift.index(max(drift)), drift=max(drift), beside=beside))
    place = [*_of_start(results, name, say), *_of_place(results["patching"][name], say)]
    place += _of_layers(results, name, say)
    return [*words, *place, *_of_parts(results, name, say)]


def _of_start(results: Results, name: str, say: Say) -> Sequence[str]:
    """The layer by which half of a fine-tune's gain over its start is reached."""
    of = next((of for of in results["layer_effects"] if of["model"] == name and of["reference"] != BASE), None)
    if of is None:
        return []
    if of["half_ci"] is None:
        return [say(WORDS["no surer"]).format(mazes=of["mazes"], start=of["reference"])]
    low, high = of["half_ci"]
    return [say(WORDS["start half"]).format(start=of["reference"], layer=of["half"], low=low, high=high)]


def _of_layers(results: Results, name: str, say: Say) -> Sequence[str]:
    """Of the layers that were tried alone, the one with the largest effect, if its interval is above 0."""
    of = next((of for of in results["layer_effects"] if of["model"] == name), None)
    if of is None or of["half_ci"] is None:
        return []
    alone = of["change"][SINGLE]
    place = int(np.argmax(alone["effect"]))
    layer, (low, high) = of["layers"][place], alone["ci"][place]
    if low <= 0.0:
        return []
    words = {
        "count": len(of["layers"]),
        "layer": layer,
        "reference": of["reference"],
        "effect": alone["effect"][place],
        "low": low,
        "high": high,
    }
    said = [say(WORDS["alone"]).format(**words, gap=of["gap"])]
    if of["random"]:
        control = of["random"][SINGLE]
        low, high = control["ci"][place]
        said.append(say(WORDS["alone at random"]).format(effect=control["effect"][place], low=low, high=high))
    return said


def _of_place(patching: Patching, say: Say) -> Sequence[str]:
    if patching["half_ci"] is None:
        return [say(WORDS["no gain"]).format(mazes=patching["mazes"])]
    low, high = patching["half_ci"]
    words = [say(WORDS["half"]).format(layer=patching["half"], low=low, high=high)]
    above, random = patching["above_half"], patching["random_to_half"]
    if above and random:
        words.append(
            say(WORDS["control"]).format(
                above=above["valid"],
                random=random["valid"],
                base=patching["base"],
                own=patching["fine_tune"],
                mazes=patching["mazes"],
            )
        )
    return words


def _of_parts(results: Results, name: str, say: Say) -> Sequence[str]:
    """The head or MLP with the largest effect, if the fine-tune has higher log odds of right moves than its start."""
    of = next((of for of in results["components"] if of["model"] == name), None)
    if of is None or of["gap_ci"][0] <= 0.0:
        return []
    part = largest(of)
    place = say(WORDS["mlp" if part["head"] is None else "head"]).format(**part)
    numbers = {"into": part["into"]["exact"], "out": part["out"]["exact"], "gap": of["gap"], "count": len(of["parts"])}
    return [say(WORDS["part"]).format(place=place, reference=of["reference"], **numbers)]


def _of_seeds(results: Results, say: Say) -> list[str]:
    methods = methods_of(results["models"][1:])
    if not results["seeds"]:
        return [say(WORDS["luck"])] if len(methods) > 1 else []
    found = [test for test in results["seeds"] if test["measure"] == "drift"]
    return [say(WORDS["seeds"]).format(**test) for test in found]


WORDS = {
    "unchanged": "{name}: its update is zero, and nothing changes.",
    "changed": "{name} groups the mazes differently from {start} (centred: regions p {regions:.2g}, edges "
    "p {edges:.2g}, corrected for two tests).",
    "alike": "{name} is not shown to group the mazes differently from {start} (centred: regions p {regions:.2g}, "
    "edges p {edges:.2g}, corrected for two tests).",
    "most": "Its states have moved most at layer {layer}, by {drift:.2f} of their norm{beside}.",
    "quantised": " (quantisation alone: {drift:.2f})",
    "start half": "Of what it is surer of right moves than {start}, half is there with its states after layer "
    "{layer} (95 %: {low} to {high}).",
    "no surer": "On {mazes} mazes it is not shown to be surer of right moves than {start}.",
    "no gain": "On {mazes} mazes it solves no more than the base beyond chance: there is no gain to locate.",
    "half": "Half of its gain over the base is back with its states after layer {layer} (95 %: {low} to {high}).",
    "control": "With its update in the layers above that one only, {above:.0%} of {mazes} mazes are solved; with a "
    "random update of the same size up to it, {random:.0%} (base {base:.0%}, whole fine-tune {own:.0%}).",
    "alone": "Of {count} layers tried alone, the change of layer {layer} does most: it moves {reference} by "
    "{effect:+.2f} (95 %: {low:+.2f} to {high:+.2f}) of {gap:+.2f} nats of log odds of right moves.",
    "alone at random": "One random update of the same size there moves it by {effect:+.2f} ({low:+.2f} to "
    "{high:+.2f}).",
    "head": "head {head} of layer {layer}",
    "mlp": "the MLP of layer {layer}",
    "part": "Of {count} heads and MLPs {place} does most: alone it moves {reference} by {into:+.2f} of {gap:+.2f} "
    "nats of log odds of right moves, and without it the fine-tune loses {out:+.2f}.",
    "luck": "There is no second seed of two methods: what tells methods apart here may be luck.",
    "seeds": "{a} and {b} against their seeds, by drift: p {p:.2g}, where no less than {smallest_p:.2g} is possible.",
}
