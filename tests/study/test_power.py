import json
from dataclasses import replace

import pytest

from ascii_maze.errors import UsageError
from ascii_maze.evaluation.crossed import POWER, Components, Design, pairs_in_effect
from ascii_maze.study import power
from ascii_maze.study.power import ASSUMED, plan_power, power_lines, variances
from ascii_maze.study.settings import load_study

GIVEN = {"seeds": 0.0001, "mazes": 0.02, "both": 0.1}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(power, "SEEDS", (2, 5))
    monkeypatch.setattr(power, "MAZES", (200, 2000))


def test_more_seeds_and_mazes_show_smaller_effects(tmp_path):
    study = replace(load_study(None), variance=GIVEN, contrasts=[["sft", "base"], ["dpo", "sft"]])
    plan = plan_power(study, tmp_path)
    assert (plan["variance"], plan["source"], plan["contrasts"]) == (GIVEN, "given in the study file", 2)
    smallest = {(seeds, mazes): of for seeds, row in plan["smallest"].items() for mazes, of in row.items()}
    assert smallest["5", "2000"] < smallest["5", "200"] < smallest["2", "200"]
    design = Design(
        Components(**GIVEN), GIVEN["seeds"], 5, 2000, 2, pairs_in_effect([("sft", "base"), ("dpo", "sft")])
    )
    assert design.power(smallest["5", "2000"]) == pytest.approx(POWER, abs=0.01)
    for effect, by_seeds in plan["needed"].items():
        for seeds, mazes in by_seeds.items():
            for many in ("200", "2000"):
                reached = mazes is not None and int(many) >= mazes
                assert reached == (smallest[seeds, many] <= float(effect) / 100 + 1e-4)
    lines = power_lines(plan)
    assert lines[0].startswith(
        "Variances of a difference between two models: seeds 0.0001, mazes 0.02, both 0.1 (given"
    )
    assert f"{100 * smallest['5', '2000']:.1f}" in next(line for line in lines if "5 seeds" in line)
    assert lines[-1].startswith("10 points: ")


def test_variances_that_a_study_has_measured(tmp_path):
    study = load_study(None)
    assert variances(study, tmp_path)[0] == ASSUMED
    contrasts = [
        {"planned": planned, "seeds": [0, 1], "variance": {"seeds": 9, "mazes": mazes, "both": 0.1, "pooled": 0.3}}
        for planned, mazes in ((True, 0.1), (True, 0.2), (True, 0.9), (False, 5.0))
    ]
    (tmp_path / "results.json").write_text(json.dumps({"contrasts": contrasts}))
    assert variances(study, tmp_path) == (Components(0.3, 0.2, 0.1), f"measured in {tmp_path}")
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(UsageError, match="has no contrasts"):
        variances(study, tmp_path)
