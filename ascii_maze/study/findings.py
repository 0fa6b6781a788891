"""The results of a study's planned contrasts, in words, with no claim that the tests do not support.

A difference is claimed if it survives the correction, equivalence if its test does; otherwise the smallest effect that
the study could have shown is given. Methods are not ranked: only the two of a contrast are compared.
"""

from collections.abc import Sequence
from typing import Literal

from ..evaluation.crossed import POWER
from ..evaluation.findings import p_text
from ..templating.language import Say, english
from .contrasts import is_within_margin
from .pairs import CONTROL
from .schema import Contrast, Cost

WORDS = {"optimal": "solves by a shortest path", "valid": "solves by any path"}
# Key of a sweep's record -> what it is, in words.
TUNED: dict[Literal["trials", "settings", "selected_on"], str] = {
    "trials": "the trials of their settings",
    "settings": "how many settings were searched",
    "selected_on": "the split on which trials were compared",
}
# Costs that differ by less are called the same.
ALIKE = 1.1


def findings(
    contrasts: Sequence[Contrast], tests: int, margin: float, unequal: Sequence[str] = (), say: Say = english
) -> list[str]:
    """Sentences on the planned contrasts: first how they were tested, then one on each, then one on other splits.

    Args:
        tests: the number of planned contrasts, including those that could not be computed.
        unequal: from `unequal_terms` and `more_training`, put last.
        say: from `language.say_in`.
    """
    planned = [contrast for contrast in contrasts if contrast["planned"]]
    if not planned:
        return [say("No planned contrast could be computed.")]
    first = planned[0]
    seeds = max((contrast["seeds"] for contrast in planned), key=len)
    of_seeds = say("{count} seeds").format(count=len(seeds)) if len(seeds) > 1 else say("one seed")
    opening = say(
        "Share of mazes that a model {share}, on {mazes:,} mazes of {split}, {seeds}. p values are corrected (Holm) "
        "for the number of planned contrasts, {count}; intervals are not."
    )
    facts = {"share": say(WORDS[first["outcome"]]), "mazes": first["mazes"], "split": first["split"]}
    sentences = [opening.format(**facts, seeds=of_seeds, count=tests)]
    if len(seeds) == 1:
        sentences.append(
            say("With one seed, this compares these runs and not the methods; another seed may give another result.")
        )
    sentences += [sentence_of(contrast, margin, say) for contrast in planned]
    return [*sentences, *largest_elsewhere(contrasts, planned, say), *unequal]


def largest_elsewhere(contrasts: Sequence[Contrast], planned: Sequence[Contrast], say: Say = english) -> list[str]:
    """A sentence on the largest difference of the planned pairs on other splits; empty where there is no other split.

    It is that of a pair of which no difference is claimed, if there is one: the others' is a finding already.
    """
    unshown = {(one["a"], one["b"]) for one in planned if one["verdict"] not in ("more", "fewer")}
    first = planned[0]
    others = [
        one
        for one in contrasts
        if one["split"] != first["split"]
        and one["outcome"] == first["outcome"]
        and (not unshown or (one["a"], one["b"]) in unshown)
    ]
    if not others:
        return []
    largest = max(others, key=lambda one: abs(one["difference"]))
    words = (
        say("Other splits are exploratory. Of pairs without a shown difference, {a} and {b} differ most, on {split}:")
        if unshown
        else say("Other splits are exploratory. There {a} and {b} differ most, on {split}:")
    )
    facts = {"a": largest["a"], "b": largest["b"], "split": largest["split"]}
    size = say("{size}, not corrected.").format(size=difference_of(largest, say=say))
    return [f"{words.format(**facts)} {size}"]


def sentence_of(contrast: Contrast, margin: float, say: Say = english) -> str:
    """What one planned contrast shows."""
    found = contrast["verdict"]
    size = difference_of(contrast, "ci90" if found == "equivalent" else "ci", say)
    facts = {"a": contrast["a"], "b": contrast["b"], "size": size, "margin": points(margin, say)}
    if found in ("more", "fewer"):
        within = say(" That is within the margin of {margin}.").format(**facts) if is_within_margin(contrast) else ""
        sentence = say("{a} solves {word} of them than {b}: {size}, p {p}.")
        return sentence.format(**facts, word=say(found), p=p_text(contrast["p_holm"])) + within
    if found == "equivalent":
        sentence = say("{a} and {b} are equivalent within {margin}: {size}, p {p}.")
        return sentence.format(**facts, p=p_text(contrast["p_equivalent_holm"]))
    none = say("No difference shown between {a} and {b}: {size}.").format(**facts)
    return f"{none} {could_show(contrast, say)}"


def difference_of(contrast: Contrast, of: Literal["ci", "ci90"] = "ci", say: Say = english) -> str:
    """`+1.2 points (95 % -3.0 to +5.4)`."""
    low, high = contrast[of]
    share = "95 %" if of == "ci" else "90 %"
    words = say("{difference:+.1f} points ({share} {low:+.1f} to {high:+.1f})")
    return words.format(difference=100 * contrast["difference"], share=share, low=100 * low, high=100 * high)


def could_show(contrast: Contrast, say: Say = english) -> str:
    """The smallest effect that the design would have shown, in a sentence."""
    smallest = contrast["smallest"]
    if smallest is None:
        return say("So few seeds and mazes could have shown no difference at all.")
    words = say("A true difference of {smallest} would be shown {power:.0f} % of the time.")
    return words.format(smallest=points(smallest, say), power=100 * POWER)


def unequal_terms(contrasts: Sequence[Contrast], training: dict[str, list[Cost]], say: Say = english) -> list[str]:
    """Which planned contrasts compare two fine-tunes trained on unequal terms, a sentence each.

    The cost may differ if one run starts from the other, since the contrast then measures what the second run adds.
    Tokens are compared with those of all runs that a run builds on. Other budgets, the split that settings were
    validated on, and the number of trials that found them must be equal, and a trial must cost what the run does.
    """
    runs = {name: costs[0] for name, costs in training.items() if costs}
    tuned = {name: (run, tuning) for name, run in runs.items() if (tuning := run.get("tuning"))}
    sentences = [
        say("{name} does not have the settings that its sweep found best.").format(name=name)
        for name, (_, tuning) in tuned.items()
        if not tuning["holds"]
    ]
    if others := [name for name, (run, tuning) in tuned.items() if run.get("budget") != tuning["budget"]]:
        words = say("The settings of {names} were searched with another budget than they are trained with.")
        sentences.append(words.format(names=", ".join(others)))
    for contrast in contrasts:
        one, two = training.get(contrast["a"], []), training.get(contrast["b"], [])
        if not contrast["planned"] or not one or not two:
            continue
        a, b = contrast["a"], contrast["b"]
        for key, what in (("budget", "budget"), ("selected_on", "split to choose settings on")):
            given = [costs[0].get(key) for costs in (one, two)]
            in_tokens = key == "budget" and all(str(of).startswith("tokens=") for of in given)
            if given[0] != given[1] and not in_tokens:
                differ = say("{a} and {b} differ in their {what}: {one} and {two}.")
                sentences.append(differ.format(a=a, b=b, what=say(what), one=given[0], two=given[1]))
        for key, what in TUNED.items():
            of = [tuning[key] if (tuning := costs[0].get("tuning")) else say("none") for costs in (one, two)]
            if of[0] != of[1]:
                differ = say("{a} and {b} differ in {what}: {one} and {two}.")
                sentences.append(differ.format(a=a, b=b, what=say(what), one=of[0], two=of[1]))
        related = a in two[0]["chain"] or b in one[0]["chain"]
        costs = [mean_tokens(costs) for costs in (one, two)]
        if not related and all(costs) and max(costs) > ALIKE * min(costs):
            differ = say("{a} and {b} differ in the tokens of all their training together: {one:,.0f} and {two:,.0f}.")
            sentences.append(differ.format(a=a, b=b, one=costs[0], two=costs[1]))
    return sentences


def more_training(contrasts: Sequence[Contrast], training: dict[str, list[Cost]], say: Say = english) -> list[str]:
    """Which planned contrasts compare a run with its start, a sentence for each start: the difference may be due to
    more training, of any method. The control is left out, since that is what it measures.
    """
    later: dict[str, dict[str, float]] = {}
    for contrast in contrasts:
        a, b = contrast["a"], contrast["b"]
        one, two = (mean_tokens(training.get(name, [])) for name in (a, b))
        if contrast["planned"] and a != CONTROL and one and two and b in training[a][0]["chain"] and one > ALIKE * two:
            later.setdefault(b, {})[a] = one
    sentences = []
    for start, runs in later.items():
        words = say(
            "Tokens read in all their training: {runs}; {start} {tokens:,.0f}. A difference from {start} may come "
            "from more training alone."
        )
        said = ", ".join(f"{name} {tokens:,.0f}" for name, tokens in runs.items())
        fair = (
            say("{control} is the comparison that spends as much on more supervised training.")
            if training.get(CONTROL)
            else say("A run {control} in the study, with as much spent on more supervised training, would tell.")
        )
        compared = words.format(runs=said, start=start, tokens=mean_tokens(training[start]))
        sentences.append(f"{compared} {fair.format(control=CONTROL)}")
    return sentences


def mean_tokens(costs: Sequence[Cost]) -> float:
    """Tokens of a run and of all runs that it builds on, mean over the seeds; 0 if unknown."""
    known = [cost["chain_tokens"] for cost in costs if cost["chain_tokens"]]
    return sum(known) / len(known) if known else 0.0


def points(rate: float, say: Say = english) -> str:
    """A difference of rates in words."""
    return say("{points:.1f} points").format(points=100 * rate)
