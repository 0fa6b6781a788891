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
    "edges": {ALL: {"agreement": 0.512, "expected": 0.75, "p": 0.01}},
    "regions": {ALL: {"agreement": 0.25, "expected": 0.333, "p": 0.5}},
}
STARTED = {
    "start": "sft@3",
    "drift_by_position": {"last_prompt": {"relative": [0.0, 0.01, 0.05]}},
    "cka": [None, 0.99, 0.98],
}
MRI = {
    "drift": {"sft@3": [0.0, 0.5, 0.25], "sft@4": [0.0, 0.25, 0.125], "dpo@3": [None, 0.125, 0.75]},
    "cka": {"sft@3": [None, 0.9, 0.95], "sft@4": [None, 0.8, 0.85], "dpo@3": [None, None, None]},
    "regions": {"sft@3": REGIONS},
    "against_start": {"dpo@3": STARTED},
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
            "name": "sft@3",
            "valid": "65.4",
            "drift": "0.500 at layer 1",
            "cka": "0.900 at layer 1",
            "edges": "+3 -1 =40",
            "edges_agree": "0.51, 0.75 expected, p 0.01",
            "regions_agree": "0.25, 0.33 expected, p 0.5",
        },
        {
            "name": "sft@4",
            "valid": "74.6",
            "drift": "0.250 at layer 1",
            "cka": "0.800 at layer 1",
            "edges": "",
            "edges_agree": "",
            "regions_agree": "",
        },
        {  # from SFT; neither evaluated nor cut into regions, and no layer has a CKA with the base's
            "name": "dpo@3",
            "valid": "",
            "drift": "0.050 at layer 2 (0.750 at layer 2 from base)",
            "cka": "0.980 at layer 2",
            "edges": "",
            "edges_agree": "",
            "regions_agree": "",
        },
    ]


def test_a_study_without_an_mri_says_nothing_of_the_inside():
    assert inside_rows({**RESULTS, "mri": None}) == []


def histories() -> dict[str, list[dict]]:
    rates = {step: {"eval_valid": step / 10, "eval_optimal": step / 20} for step in (0, 5, 10)}
    walked = [{"step": step, "tokens": 1000 * step, **of_step} for step, of_step in rates.items()]
    return {"rlhf": [*walked, *({"step": step, "reward": step / 5} for step in range(10))], "grpo": walked[:2]}


def curves(values, colours):
    """Learning curves; `rlhf` builds on runs of 200,000 tokens."""
    return learning_figure(values, {"rlhf": 200_000, "grpo": 0}, colours)


@pytest.mark.parametrize(
    ("draw", "values", "panels", "said"),
    [
        (inside_figure, dict.fromkeys(("drift", "cka"), MRI["drift"]), 2,
         {"sft", "dpo", "layer (0: embedding)", "likeness to the base (CKA)"}),
        (reward_figure, histories(), 2, {"rlhf", "grpo", "reward", "truly valid, per cent", "step"}),
        (curves, histories(), 1, {"rlhf", "grpo", "tokens read, thousands", "200"}),
    ],
)  # fmt: skip
def test_figures_name_what_they_draw_and_are_the_same_every_time(draw, values, panels, said):
    colours = colours_of([*values, "sft", "dpo"], {"base"})
    drawn = draw(values, colours)
    assert said <= set(re.findall(r">([^<>\n]+)</text>", drawn))
    assert drawn.count("<svg") == panels  # each a picture of its own, which a narrow page can stack
    assert draw(values, colours) == drawn


def test_a_layer_without_a_number_is_left_out_of_the_line():
    """One marker for each point of a line, and one of each line in the legend."""
    whole = {"drift": {"sft": [0.1, 0.5, 0.25]}, "cka": {"sft": [0.1, 0.9, 0.95]}}
    holed = {"drift": {"sft": [None, 0.5, 0.25]}, "cka": {"sft": [None, 0.9, 0.95]}}
    markers = [inside_figure(of, {"sft": "#123456"}).count("stroke: #123456") for of in (whole, holed)]
    assert markers[0] - markers[1] == 2


@pytest.mark.filterwarnings("error")
def test_where_no_layer_has_a_number_there_is_no_panel():
    mri = {"drift": {"sft@3": [None, None], "sft@4": [0.0, 0.5]}, "cka": {"sft@3": [None], "sft@4": [None]}}
    drawn = inside_figure(mri, {"sft": "#123456"})
    assert drawn.count("<svg") == 1
    assert ">sft</text>" in drawn  # named by the seed that is drawn
