"""What a study's report says of the inside of its models, and of runs that follow a reward."""

import re

import pytest

from ascii_maze.mri.regions.edges import ALL
from ascii_maze.plots import colours_of
from ascii_maze.study.figures import inside_figure, learning_figure, reward_figure
from ascii_maze.study.report import inside_rows

REGIONS = {
    "edges_gained": 3,
    "edges_lost": 1,
    "edges_kept": 40,
    "edges": {ALL: {"across_halves": 0.512, "noise_floor": 0.75}},
    "regions": {ALL: {"across_halves": 0.25, "noise_floor": 0.333}},
}
MRI = {
    "drift": {"sft": [0.0, 0.5, 0.25], "dpo": [None, 0.125, 0.75]},
    "cka": {"sft": [None, 0.9, 0.95], "dpo": [None, None, None]},
    "regions": {"sft": REGIONS},
}
RESULTS = {
    "models": {
        "base": {"test": {"valid": 0.1, "seeds": {"3": {"valid": 0.1}, "4": {"valid": 0.1}}}},
        "sft": {"test": {"valid": 0.7, "seeds": {"3": {"valid": 0.6543}, "4": {"valid": 0.7457}}}},
    },
    "mri": MRI,
    "settings": {"study": {"seeds": [3, 4]}},
}


def test_what_changed_inside_stands_beside_what_changed_outside_with_the_same_seed():
    assert inside_rows(RESULTS) == [
        {
            "name": "sft",
            "valid": "65.4",
            "drift": "0.500 at layer 1",
            "cka": "0.900 at layer 1",
            "edges": "+3 -1 =40",
            "edges_agree": "0.51 (0.75)",
            "regions_agree": "0.25 (0.33)",
        },
        {  # trained, but neither evaluated nor cut into regions, and no layer has a CKA
            "name": "dpo",
            "valid": "",
            "drift": "0.750 at layer 2",
            "cka": "",
            "edges": "",
            "edges_agree": "",
            "regions_agree": "",
        },
    ]


def test_a_study_without_an_mri_says_nothing_of_the_inside():
    assert inside_rows({**RESULTS, "mri": None}) == []


def histories() -> dict[str, list[dict]]:
    walked = [{"step": step, "tokens": 1000 * step, "eval_valid": step / 10} for step in (0, 5, 10)]
    return {"rlhf": [*walked, *({"step": step, "reward": step / 5} for step in range(10))], "grpo": walked[:2]}


@pytest.mark.parametrize(
    ("draw", "values", "said"),
    [
        (inside_figure, {key: {"sft": MRI["drift"]["sft"], "dpo": MRI["drift"]["dpo"]} for key in ("drift", "cka")},
         {"sft", "dpo", "layer (0: embedding)", "likeness to the base (CKA)"}),
        (reward_figure, histories(), {"rlhf", "grpo", "reward", "truly valid, per cent", "step"}),
        (learning_figure, histories(), {"rlhf", "grpo", "tokens read, thousands"}),
    ],
)  # fmt: skip
def test_figures_name_what_they_draw_and_are_the_same_every_time(draw, values, said):
    colours = colours_of([*values, *MRI["drift"]], {"base"})
    drawn = draw(values, colours)
    assert said <= set(re.findall(r">([^<>\n]+)</text>", drawn))
    assert draw(values, colours) == drawn


def test_a_layer_without_a_number_is_left_out_of_the_line():
    """One marker for each point of a line, and one of each line in the legend."""
    whole = {"drift": {"sft": [0.1, 0.5, 0.25]}, "cka": {"sft": [0.1, 0.9, 0.95]}}
    holed = {"drift": {"sft": [None, 0.5, 0.25]}, "cka": {"sft": [None, 0.9, 0.95]}}
    markers = [inside_figure(of, {"sft": "#123456"}).count("stroke: #123456") for of in (whole, holed)]
    assert markers[0] - markers[1] == 2
