import io
from xml.etree import ElementTree

import pytest
from matplotlib.patches import Rectangle

from ascii_maze.mri.regions.comparison import RegionSettings, compare_regions, fit_regions
from ascii_maze.mri.regions.edges import ALL
from ascii_maze.templating.language import english

from ..made import Made

pytest.importorskip("llm_mri", reason="llm-mri is not installed; `make setup` adds it")

from ascii_maze.mri.regions.areas import HiddenStates, fit_areas
from ascii_maze.mri.regions.reduction import SharedPCA
from ascii_maze.mri.report.areas import DrawnAreas
from ascii_maze.mri.report.region_figures import region_figures

HOSTILE = "<b>$\\frac$</b>"


@pytest.fixture(scope="module")
def compared():
    made = Made(changed={"sft": 0.5, "orpo": 0.0})
    settings = {"components": 4, "gridsize": 5, "splits": 2}
    return compare_regions(fit_regions(made, RegionSettings("goal", 0, **settings)), made.labels, [HOSTILE, "solved"])


@pytest.fixture(scope="module")
def drawn(compared):
    return list(region_figures(compared, english))


def texts_of(figure) -> list[str]:
    """What is written in a figure, as it stands in its SVG."""
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "text.parse_math": False}):
        figure.savefig(file, format="svg")
    return [
        element.text for element in ElementTree.fromstring(file.getvalue()).iter("{http://www.w3.org/2000/svg}text")
    ]


def test_every_model_has_its_figures_each_with_one_sentence(drawn):
    of_one = ["regions", "graphs", "labels_overlaid"]
    of_two = [*of_one, "regions_changed", "edges_changed"]
    assert [(one.model, one.kind) for one in drawn] == [
        *((None, kind) for kind in ("regions_overview", "regions_by_layer")),
        *(("base", kind) for kind in of_one),
        *((model, kind) for model in ("sft", "orpo") for kind in of_two),
    ]
    for one in drawn:
        assert one.caption.endswith(".")
        assert ". " not in one.caption
        assert one.figure.get_size_inches()[0] == 7.5


def test_names_are_written_as_they_are(drawn):
    written = {(one.model, one.kind): texts_of(one.figure) for one in drawn}
    assert {"sft", "orpo", "edges", "regions"} <= set(written[None, "regions_overview"])
    assert HOSTILE in written["base", "regions"]
    assert f"sft: {HOSTILE} (100)" in written["sft", "graphs"]
    assert {HOSTILE, "solved"} <= set(written["base", "labels_overlaid"])


def test_the_figures_show_what_the_numbers_say(compared, drawn):
    figures = {(one.model, one.kind): one.figure for one in drawn}
    for model in ("sft", "orpo"):
        table = compared["models"][model]
        edges = table["edges"][ALL]
        written = texts_of(figures[model, "edges_changed"])
        assert {f"{what} ({edges[what]})" for what in ("kept", "lost", "gained")} <= set(written)
        lines = figures[model, "edges_changed"].axes[1].collections
        assert [len(some.get_segments()) for some in lines[:3]] == [edges["kept"], edges["lost"], edges["gained"]]
        panel = figures[model, "regions_changed"].axes[0]
        # Each cell has one in white and one in black, for dark cells and pale ones.
        frames = [patch for patch in panel.patches if isinstance(patch, Rectangle) and patch.get_width() == 1]
        assert len(frames) / 2 == sum(by["gained"] + by["lost"] for by in table["regions"].values())
    assert edges["gained"] == edges["lost"] == 0


def test_overlaid_models_keep_the_width_of_each_edge(compared, drawn):
    figure = next(one.figure for one in drawn if (one.model, one.kind) == ("sft", "edges_changed"))
    both = figure.axes[0].collections[:2]
    for model, lines in zip(("base", "sft"), both):
        assert len(lines.get_segments()) == len(compared["graphs"][model][ALL]["edges"])
    shared = {(e["source"], e["target"]): e["weight"] for e in compared["graphs"]["base"][ALL]["edges"]}
    other = {(e["source"], e["target"]): e["weight"] for e in compared["graphs"]["sft"][ALL]["edges"]}
    assert any(abs(shared[edge] - other[edge]) > 0.05 for edge in shared.keys() & other.keys())
    assert sorted(both[0].get_linewidths()) != sorted(both[1].get_linewidths())


def test_llm_mris_own_calls_draw_too():
    made, names = Made(), [HOSTILE, "solved"]
    states = HiddenStates(lambda layer: made.read("base", layer, "goal"), 4, made.labels, names)
    plane = SharedPCA(2, gridsize=5, random_state=0)
    areas = fit_areas(plane, ["base"], {"base": states}, 0.05, DrawnAreas)["base"]
    counts = areas.graph_class.counts("solved")[1]
    written = texts_of(areas.get_grid(1, "solved"))
    assert "hidden state 1: solved" in written
    assert all(str(count) in written for count in counts[counts > 0])
    assert set(names) <= set(texts_of(areas.get_graph_image(areas.get_graph(names))))
