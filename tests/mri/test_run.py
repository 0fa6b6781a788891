import json
import re
import shutil

import numpy as np
import pytest

from ascii_maze.errors import UsageError
from ascii_maze.models.chat import describe_reading
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.mri.measure import measure
from ascii_maze.mri.models import find_adapters, load_models
from ascii_maze.mri.options import Options
from ascii_maze.mri.rows import load_rows
from ascii_maze.mri.run import write_report
from ascii_maze.mri.schema import read_results
from ascii_maze.mri.schema.share import without_nan

from ..browser import complaints_at_every_size

FILES = ("adapter_config.json", "adapter_model.safetensors")


@pytest.fixture(scope="module")
def report(adapters, dataset, tmp_path_factory):
    """The folder of a report on both."""
    out = tmp_path_factory.mktemp("mri")
    write_report("tiny", adapters, str(dataset), "train", out, Options(limit=60, seed=5, cause_mazes=4))
    return out


@pytest.fixture(scope="module")
def numbers(report):
    return read_results(report / "mri.json")


def test_the_keys_that_a_program_may_read_are_there(numbers):
    assert numbers["models"] == ["base", "zero", "random"]
    assert numbers["layers"] == 9
    for key in ("drift", "cka"):
        assert {name: len(values) for name, values in numbers[key].items()} == {"zero": 9, "random": 9}
    assert {"regions", "probes", "patching"} <= set(numbers)
    assert numbers["settings"]["seed"] == 5
    assert "torch" in numbers["settings"]["versions"]
    assert numbers["settings"]["loaded"]["chat"] == describe_reading(load_tokenizer("tiny"))


def test_an_adapter_of_zeros_changes_nothing_anywhere(numbers):
    assert numbers["unchanged"] == ["zero"]
    for of_position in numbers["drift_by_position"]["zero"].values():
        nothing = [0.0] * 9
        assert of_position == {"relative": nothing, "cosine": [1.0] * 9, "offset": nothing, "offset_share": nothing}
    assert numbers["cka"]["zero"] == numbers["rsa"]["zero"] == [1.0] * 9
    assert numbers["procrustes"]["zero"] == [0.0] * 9
    assert set(numbers["kl"]["zero"].values()) == {0.0}
    for key in ("probes", "lens", "effective_rank", "answers"):
        assert numbers[key]["zero"] == numbers[key]["base"]
    assert {update["norm"] for update in numbers["weights"]["zero"]} == {0.0}
    patched = numbers["patching"]["zero"]
    assert set(patched["valid"]) == {patched["base"]}
    parts = next(of for of in numbers["components"] if of["model"] == "zero")
    assert {part[way]["exact"] for part in parts["parts"] for way in ("into", "out")} <= {0.0, None}
    edges = numbers["regions"]["zero"]
    assert edges["edges_gained"] == edges["edges_lost"] == 0
    assert edges["edges_kept"] > 0


def test_an_adapter_of_noise_changes_much(numbers):
    assert numbers["drift"]["random"][0] == 0.0
    assert min(numbers["drift"]["random"][1:]) > 0.01
    assert numbers["kl"]["random"]["from_base"] > 1e-4


def test_the_same_seed_gives_the_same_numbers(adapters, dataset, numbers, tmp_path):
    rows = load_rows(str(dataset), "train", 60)
    models = load_models(find_adapters("tiny", adapters))
    again = measure(models, rows, numbers["settings"], tmp_path, lambda *done: None)
    assert without_nan(again.results) == numbers


def test_every_figure_is_in_the_page_and_a_png_and_an_svg(report):
    page = (report / "report.html").read_text()
    names = re.findall(r'<figure id="([^"]+)"', page)
    assert {"drift", "cka", "patching", "random_drift", "zero_weights", "effective_rank", "maze_moves"} <= set(names)
    files = {path.name for path in (report / "figures").iterdir()}
    assert files == {f"{name}.{suffix}" for name in names for suffix in ("png", "svg")}
    assert page.count("<figcaption>") == len(names)
    assert not re.search(r"<figcaption>\s*</figcaption>", page)


def test_every_table_has_the_numbers_of_the_json(report, numbers):
    lines = (report / "tables" / "similarity.csv").read_text().splitlines()
    assert lines[0] == "model,layer,cka,procrustes,rsa"
    assert len(lines) == 1 + 2 * 9
    cells = lines[1 + 9 + 3].split(",")
    assert cells[:2] == ["random", "3"]
    assert float(cells[2]) == pytest.approx(numbers["cka"]["random"][3])
    probes = (report / "tables" / "probes.csv").read_text().splitlines()
    assert len(probes) == 1 + sum(len(cells) for of in numbers["probes"].values() for cells in of.values())


def test_the_steps_of_the_maze_are_hidden_without_a_script_and_hold_its_numbers(report, numbers):
    page = (report / "report.html").read_text()
    assert '<div id="steps" hidden>' in page
    walk = json.loads(re.search(r'<script type="application/json" id="walk">(.*?)</script>', page)[1])
    assert [name for name, _ in walk["moves"]] == list(numbers["one_maze"]["moves"])
    assert np.allclose(walk["moves"][0][1], numbers["one_maze"]["moves"]["base"], atol=5e-4)
    assert len(walk["path"]) == len(walk["places"]) == len(walk["moves"][0][1][0])


def test_no_request_leaves_the_page(report):
    page = (report / "report.html").read_text()
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)([^"']*)""", page) == []
    assert re.findall(r"url\((?!#)", page) == []
    assert "@import" not in page


def test_ids_of_the_page_are_its_own(report):
    found = re.findall(r' id="([^"]+)"', (report / "report.html").read_text())
    assert len(found) == len(set(found))


def test_the_page_can_be_read_at_every_size(report, tab):
    page = tab(report / "report.html")
    figures = page.locator("figure")
    assert figures.count()
    assert figures.count() == page.locator("figure.zoomable").count()  # its script has run to the end
    assert re.match(r"1 / \d+: [UDLR]", page.locator("#steps output").text_content())  # and shows the first step
    assert complaints_at_every_size(page) == []


def test_adapters_of_one_base_that_was_quantised_and_was_not_are_refused(adapters, tmp_path):
    other = tmp_path / "quantised"
    shutil.copytree(adapters["random"], other)
    recipe = "method: sft\nmodel_name_or_path: tiny\ndtype: float32\nload_in_4bit: true\nuse_peft: true\n"
    (other / "recipe.yaml").write_text(recipe)
    both = {"plain": adapters["random"], "quantised": str(other)}
    with pytest.raises(UsageError, match=r"'quantised' .* was trained with load_in_4bit True, and 'plain' with False"):
        find_adapters("tiny", both)


def test_heatmaps_leave_out_what_is_no_number():
    from ascii_maze.mri.report.charts import TIP, heatmap

    figure = heatmap(np.array([[0.25, np.nan]]), ["a"], [0, 1])
    assert [patch.get_gid() for patch in figure.axes[0].patches] == [f"{TIP}a, layer 0: 0.25"]
