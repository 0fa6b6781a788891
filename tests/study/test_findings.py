"""What a report claims of studies whose truth is known, and in which words."""

import numpy as np
import pytest

from ascii_maze.evaluation.crossed import Components, Design, mean_squares, pairs_in_effect
from ascii_maze.study.contrasts import compare, verdict
from ascii_maze.study.findings import findings, more_training, sentence_of, unequal_terms
from ascii_maze.study.pairs import default_pairs
from ascii_maze.study.simulation import STARTS, effect_of, simulate

PAIRS = default_pairs(list(STARTS), STARTS)
SPREAD = {"sft": 0.08, "orpo": 0.15, "sft_twice": 0.08, "dpo": 0.15, "kto": 0.1, "rlhf": 0.02, "grpo": 0.12}
CLAIMS = (" solves more of them than ", " solves fewer of them than ")


def studied(rng, seeds: int, mazes: int, effects=None) -> list:
    """The planned contrasts of a simulated study."""
    answers = simulate(rng, seeds, mazes, SPREAD, effects)
    return compare(answers, PAIRS, "test", "optimal", True, 0.05, foresee=False)


@pytest.mark.parametrize("seeds", [2, 5])
def test_without_an_effect_at_most_one_study_in_twenty_claims_a_difference(seeds):
    rng, studies = np.random.default_rng(seeds), 500
    false = sum(
        any(claim in sentence for sentence in findings(studied(rng, seeds, 300), 3, 0.05) for claim in CLAIMS)
        for _ in range(studies)
    )
    assert false / studies < 0.05 + 1.645 * np.sqrt(0.05 * 0.95 / studies)


@pytest.mark.parametrize("seeds", [2, 5])
def test_an_effect_of_ten_points_is_shown_as_often_as_stated(seeds):
    """The stated power is that of the true variances, which the mean squares of many studies give."""
    rng, studies, mazes = np.random.default_rng(seeds), 300, 500
    effects, shown, squares, pooled = {"dpo": effect_of(0.1)}, 0, [], []
    for _ in range(studies):
        answers = simulate(rng, seeds, mazes, SPREAD, effects)
        contrasts = compare(answers, PAIRS, "test", "optimal", True, 0.05, foresee=False)
        (one,) = (one for one in contrasts if (one["a"], one["b"]) == ("dpo", "sft"))
        shown += one["verdict"] == "more"
        squares.append(mean_squares(np.stack([answers["dpo"][seed] - answers["sft"][seed] for seed in range(seeds)])))
        pooled.append(one["variance"]["pooled"])
    of = {name: np.mean([getattr(one, name) for one in squares]) for name in squares[0]._fields}
    components = Components(
        (of["of_seeds"] - of["of_both"]) / mazes, (of["of_mazes"] - of["of_both"]) / seeds, of["of_both"]
    )
    assert of["mean"] == pytest.approx(0.1, abs=0.01)
    design = Design(components, np.mean(pooled), seeds, mazes, len(PAIRS), pairs_in_effect(PAIRS))
    assert shown / studies == pytest.approx(design.power(of["mean"]), abs=0.05)


@pytest.mark.parametrize("seeds", [2, 5])
def test_methods_that_differ_by_the_margin_are_called_equivalent_in_one_study_of_twenty_at_most(seeds):
    rng, studies = np.random.default_rng(seeds), 300
    false = sum(
        one["verdict"] == "equivalent"
        for _ in range(studies)
        for one in studied(rng, seeds, 1000, {"dpo": effect_of(0.05)})
        if (one["a"], one["b"]) == ("dpo", "sft")
    )
    assert false / studies < 0.05 + 1.645 * np.sqrt(0.05 * 0.95 / studies)


CONTRAST = {
    **{"a": "dpo", "b": "sft", "split": "test", "outcome": "optimal", "planned": True, "seeds": [0, 1], "mazes": 1500},
    **{"difference": 0.1234, "ci": [0.05, 0.2], "ci90": [0.06, 0.19], "p": 0.001, "p_holm": 0.004},
    **{"p_equivalent": 0.9, "p_equivalent_holm": 0.9, "smallest": 0.071, "variance": {}, "verdict": "more"},
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "dpo solves more of them than sft: +12.3 points (95 % +5.0 to +20.0), p = 0.004."),
        ({"difference": -0.02, "ci": [-0.03, -0.01], "p_holm": 0.0001, "p_equivalent_holm": 0.01},
         "dpo solves fewer of them than sft: -2.0 points (95 % -3.0 to -1.0), p < 0.001. That is within the margin of "
         "5.0 points."),
        ({"p_holm": 0.05, "p_equivalent_holm": 0.049},
         "dpo and sft are equivalent within 5.0 points: +12.3 points (90 % +6.0 to +19.0), p = 0.049."),
        ({"p_holm": 0.05},
         "No difference shown between dpo and sft: +12.3 points (95 % +5.0 to +20.0). A true difference of 7.1 points "
         "would be shown 80 % of the time."),
        ({"p_holm": 1.0, "smallest": None},
         "No difference shown between dpo and sft: +12.3 points (95 % +5.0 to +20.0). So few seeds and mazes could "
         "have shown no difference at all."),
    ],
)  # fmt: skip
def test_sentences_say_no_more_than_the_numbers(changes, sentence):
    contrast = {**CONTRAST, **changes}
    assert sentence_of({**contrast, "verdict": verdict(contrast)}, 0.05) == sentence


def test_what_was_not_planned_is_no_finding():
    exploratory = {**CONTRAST, "planned": False, "p_holm": None, "p_equivalent_holm": None}
    assert verdict(exploratory) == "exploratory"
    assert findings([exploratory], 1, 0.05) == ["No planned contrast could be computed."]
    first, second = findings([CONTRAST, exploratory], 4, 0.05)
    assert first == (
        "Share of mazes that a model solves by a shortest path, on 1,500 mazes of test, 2 seeds. p values are "
        "corrected (Holm) for the number of planned contrasts, 4; intervals are not."
    )
    assert second.startswith("dpo solves more")
    assert "these runs and not the methods" in findings([{**CONTRAST, "seeds": [0]}], 1, 0.05)[1]


def test_of_other_splits_the_largest_difference_is_given_as_exploratory():
    elsewhere = {**CONTRAST, "planned": False, "split": "test_larger", "p_holm": None, "verdict": "exploratory"}
    smaller, valid = {**elsewhere, "difference": 0.01}, {**elsewhere, "outcome": "valid", "difference": 0.9}
    far = {**elsewhere, "a": "grpo", "difference": -0.13, "ci": [-0.181, -0.079]}
    assert findings([CONTRAST, smaller, far, valid], 2, 0.05)[2:] == [
        "Other splits are exploratory. There grpo and sft differ most, on test_larger: -13.0 points (95 % -18.1 to "
        "-7.9), not corrected."
    ]
    unshown = {**CONTRAST, "verdict": "not shown"}
    assert findings([unshown, smaller, far], 2, 0.05)[2:] == [
        "Other splits are exploratory. Of pairs without a shown difference, dpo and sft differ most, on test_larger: "
        "+1.0 points (95 % +5.0 to +20.0), not corrected."
    ]


@pytest.mark.parametrize(("control", "end"), [(True, "sft_twice is the comparison"), (False, "A run sft_twice in")])
def test_a_run_that_read_more_than_its_start_is_named_with_the_control(control, end):
    def cost(tokens: int, chain=()) -> list[dict]:
        return [{"chain": list(chain), "chain_tokens": tokens}]

    training = {"sft": cost(121_986), "grpo": cost(246_328, ["sft"])}
    training |= {"sft_twice": cost(246_000, ["sft"])} if control else {}
    pairs = [("grpo", "sft"), ("sft_twice", "sft"), ("grpo", "sft_twice"), ("sft", "base")]
    (sentence,) = more_training([{**CONTRAST, "a": a, "b": b} for a, b in pairs], training)
    assert sentence.startswith("Tokens read in all their training: grpo 246,328; sft 121,986. A difference from sft")
    assert end in sentence


def test_runs_that_had_unlike_means_are_named():
    def cost(tokens: int, chain=(), **other) -> list[dict]:
        return [
            {"budget": "tokens=1", "selected_on": "validation", "chain": list(chain), "chain_tokens": tokens, **other}
        ]

    fair = {"sft": cost(100), "dpo": cost(200, ["sft"]), "grpo": cost(205, ["sft"])}
    contrasts = [{**CONTRAST, "a": a, "b": b} for a, b in (("dpo", "sft"), ("grpo", "dpo"), ("sft", "base"))]
    assert unequal_terms(contrasts, fair) == []
    dear = {**fair, "grpo": cost(400, ["sft"])}
    assert unequal_terms(contrasts, dear) == [
        "grpo and dpo differ in the tokens of all their training together: 400 and 200."
    ]
    alike_in_all = {**fair, "grpo": cost(205, ["sft"], budget="tokens=9")}
    assert unequal_terms(contrasts, alike_in_all) == []
    loose = {**fair, "grpo": cost(205, ["sft"], budget="steps=9", selected_on="test")}
    assert unequal_terms(contrasts, loose) == [
        "grpo and dpo differ in their budget: steps=9 and tokens=1.",
        "grpo and dpo differ in their split to choose settings on: test and validation.",
    ]
    record = {"trials": 12, "settings": 2, "budget": "tokens=1", "selected_on": "validation", "holds": True}
    swept = {
        "sft": cost(100, tuning=record),
        "dpo": cost(200, ["sft"], tuning={**record, "trials": 30}),
        "grpo": cost(205, ["sft"], tuning={**record, "holds": False, "budget": "tokens=2"}),
    }
    assert unequal_terms(contrasts, swept) == [
        "grpo does not have the settings that its sweep found best.",
        "The settings of grpo were searched with another budget than they are trained with.",
        "dpo and sft differ in the trials of their settings: 30 and 12.",
        "grpo and dpo differ in the trials of their settings: 12 and 30.",
    ]
    assert "grpo and dpo differ in how many settings were searched: none and 2." in unequal_terms(
        contrasts, {**swept, "grpo": cost(205, ["sft"])}
    )
