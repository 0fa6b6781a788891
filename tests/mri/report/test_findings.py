"""What the page says first follows from the tests."""

from ascii_maze.mri.report.findings import findings


def said(results) -> list[str]:
    """The findings as one text for each fine-tune, and one for the seeds."""
    return [" ".join(found.sentences) for found in findings(results)]


def agreement(p: float) -> dict:
    return {"edges": {"p": p}, "regions": {"p": 1.0}}


def components(name: str, reference: str, gap: float) -> dict:
    effect = {"estimate": 0.7, "exact": 0.75, "ci": [0.5, 1.0]}
    none = {"estimate": 0.9, "exact": None, "ci": None}
    parts = [
        {"layer": 2, "head": 1, "into": effect, "out": {**effect, "exact": 0.5}},
        {"layer": 2, "head": None, "into": none, "out": none},
    ]
    return {"model": name, "reference": reference, "gap": gap, "gap_ci": [gap - 0.1, gap + 0.1], "parts": parts}


def results_of(p: float = 0.01, half_ci=(1, 2), seeds=(), unchanged=()) -> dict:
    share = {"valid": 0.5, "valid_ci": [0.4, 0.6]}
    return {
        "models": ["base", "sft", "dpo"],
        "unchanged": list(unchanged),
        "drift": {"sft": [0.0, 0.3, 0.2], "dpo": [0.0, 0.9, 0.2]},
        "regions_centred": {"sft": agreement(p), "dpo": agreement(0.01)},
        "against_start": {
            "dpo": {
                "start": "sft",
                "centred": agreement(0.5),
                "drift_by_position": {"last_prompt": {"relative": [0.0, 0.01, 0.05]}},
            }
        },
        "quantisation": {"drift": {"relative": [0.0, 0.07, 0.1]}},
        "patching": {
            name: {
                "half": 1,
                "half_ci": half_ci and list(half_ci),
                "above_half": share,
                "random_to_half": share,
                "base": 0.4,
                "fine_tune": 0.9,
                "mazes": 100,
            }
            for name in ("sft", "dpo")
        },
        "layer_effects": [
            layer_effects("sft", "base", 0, (0, 0)),
            layer_effects("dpo", "sft", 2, half_ci),
        ],
        "components": [components("sft", "base", 2.0), components("dpo", "sft", -0.5)],
        "seeds": list(seeds),
    }


def layer_effects(model, reference, half, half_ci):
    curves = {"single": {"effect": [0.0, 1.5, 0.5], "ci": [[0.0, 0.0], [1.0, 2.0], [0.1, 0.9]]}}
    random = {"single": {"effect": [0.0, -0.25, 0.1], "ci": [[0.0, 0.0], [-0.5, 0.0], [0.0, 0.2]]}}
    known = {"model": model, "reference": reference, "half": half, "half_ci": half_ci and list(half_ci)}
    return {**known, "mazes": 16, "layers": [0, 2, 4], "change": curves, "random": random, "gap": 3.0}


def test_a_fine_tune_is_told_from_its_start_by_the_test_and_from_nothing_else():
    assert [found.name for found in findings(results_of())] == ["sft", "dpo", ""]
    sft, dpo, luck = said(results_of())
    assert (
        "sft groups the mazes differently from base (centred: regions p 1, edges p 0.02, corrected for two tests)"
        in sft
    )
    assert "layer 1, by 0.30 of their norm (quantisation alone: 0.10)" in sft
    assert "layer 1 (95 %: 1 to 2)" in sft
    assert "dpo is not shown to group the mazes differently from sft" in dpo
    assert "layer 2, by 0.05" in dpo
    assert "Of 2 heads and MLPs head 1 of layer 2 does most: alone it moves base by +0.75 of +2.00 nats" in sft
    assert "heads and MLPs" not in dpo
    assert "surer of right moves than sft, half is there with its states after layer 2 (95 %: 1 to 2)" in dpo
    assert "half is there" not in sft
    assert "Of 3 layers tried alone, the change of layer 2 does most" in dpo
    assert "it moves sft by +1.50 (95 %: +1.00 to +2.00) of +3.00 nats" in dpo
    assert "One random update of the same size there moves it by -0.25 (-0.50 to +0.00)." in dpo
    assert "may be luck" in luck
    assert "is not shown" in said(results_of(p=0.03))[0]


def test_a_layer_without_an_effect_of_its_own_is_not_named():
    results = results_of()
    for of in results["layer_effects"]:
        of["change"]["single"] = {"effect": [0.0] * 3, "ci": [[0.0, 0.0]] * 3}
    assert "tried alone" not in " ".join(said(results))
    results = results_of()
    for of in results["layer_effects"]:
        of["random"] = None
    assert "tried alone" in " ".join(said(results))
    assert "One random update" not in " ".join(said(results))


def test_without_a_gain_there_is_nothing_to_locate():
    assert "no gain to locate" in said(results_of(half_ci=None))[0]
    assert "On 16 mazes it is not shown to be surer of right moves than sft." in said(results_of(half_ci=None))[1]
    assert said(results_of(unchanged=["sft"]))[0] == "sft: its update is zero, and nothing changes."


def test_seeds_are_said_with_the_smallest_p_that_they_can_reach():
    seeds = [{"a": "sft", "b": "dpo", "measure": "drift", "p": 1 / 3, "smallest_p": 1 / 3}]
    assert said(results_of(seeds=seeds))[-1].endswith("p 0.33, where no less than 0.33 is possible.")
