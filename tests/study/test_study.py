"""A whole study through the command line; what is asserted is what a reader of its folder relies on."""

import json
import shutil
import tempfile
from html.parser import HTMLParser
from pathlib import Path

from ascii_maze.hub import plan_push
from ascii_maze.hub.content import read

from ..browser import complaints_at_every_size
from .conftest import run_study


def test_what_can_be_had_is_had_and_what_failed_is_said(study_run):
    _, done, results = study_run
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ascii-maze: train-dpo failed; the other stages are kept.")
    states = {stage["name"]: stage["state"] for stage in results["stages"]}
    assert states == {"build": "done", "train-sft": "done", "train-dpo": "failed", "evaluate": "done"}
    assert "there is no folder 'nowhere'" in next(s["note"] for s in results["stages"] if s["name"] == "train-dpo")
    assert list(results["models"])[:2] == ["base", "sft"]
    assert results["models"]["sft"]["test"]["n"] == 4
    assert [(one["a"], one["b"]) for one in results["contrasts"] if one["planned"]] == [("sft", "base")]
    assert results["training"]["sft"][0]["chain_tokens"] == results["training"]["sft"][0]["tokens"]
    assert results["training"]["sft"][0]["steps"] == 2
    assert results["settings"]["dataset"]["shared_between_splits"]


def test_the_page_asks_for_nothing_and_says_all(study_run):
    out, _, results = study_run
    page = (out / "report.html").read_text()
    asked = []

    class Links(HTMLParser):
        def handle_starttag(self, tag, attributes):
            asked.extend(value for key, value in attributes if key in ("src", "href") and tag != "a")

    Links().feed(page)
    assert asked == ["data:,"]
    assert page.count('class="walk"') == 2 * 6  # six mazes, walked by base and SFT
    assert page.count('class="plot"') == 4
    assert "With one seed, this compares these runs" in page
    for text in (page, (out / "report.md").read_text()):
        assert "train-dpo" in text
        assert f"{100 * results['models']['sft']['test']['valid']:.1f}" in text
        assert "ascii-maze evaluate base=tiny" in text


def test_a_push_of_the_report_sends_no_path_of_this_machine(study_run, study_file):
    """Nor of the study's folder, nor of the files that it names, on no page and in no figure."""
    out, _, _ = study_run
    contents = plan_push("report", out, "org/report").contents
    assert {"report.html", "report.md", "results.json", "evaluation/results.json", "evaluation/report.md"} <= set(
        contents
    )
    here = [str(out), str(study_file.parent), str(Path.home()) + "/", str(Path.cwd()), tempfile.gettempdir() + "/"]
    for name, content in contents.items():
        text = read(content).decode("utf-8", "replace")
        assert not [path for path in here if path in text], name
    page = read(contents["report.html"]).decode()
    assert f"ascii-maze build small.yaml --out {out.name}/dataset" in page
    assert f"sft={out.name}/sft" in page
    assert (out / "report.html").read_text() != page


def test_a_second_time_nothing_is_run_but_what_failed_also_elsewhere_and_with_other_workers(
    study_run, study_file, tmp_path
):
    out, _, results = study_run
    moved = shutil.copytree(out, tmp_path / "moved")
    (moved / "report.html").unlink()
    before = (moved / "sft" / "metrics.json").stat().st_mtime_ns
    again = json.loads(run_study(study_file, moved, "--json", "--workers", "2").stdout)
    assert {stage["name"]: stage["state"] for stage in again["stages"]} == {
        "build": "kept",
        "train-sft": "kept",
        "train-dpo": "failed",
        "evaluate": "kept",
    }
    assert again["models"] == results["models"]
    assert (moved / "sft" / "metrics.json").stat().st_mtime_ns == before
    assert str(moved) in (moved / "report.html").read_text()


def test_a_training_that_was_interrupted_before_it_moved_is_run_again(study_run, study_file, tmp_path):
    out, _, results = study_run
    moved = out.rename(tmp_path / "moved")
    try:
        (moved / "sft" / "metrics.json").unlink()
        record = moved / "stages" / "train-sft.json"
        record.write_text(json.dumps({**json.loads(record.read_text()), "finished": False}))
        again = json.loads(run_study(study_file, moved, "--json").stdout)
    finally:
        moved.rename(out)
    states = {stage["name"]: stage["state"] for stage in again["stages"]}
    assert states == {"build": "kept", "train-sft": "done", "train-dpo": "failed", "evaluate": "kept"}
    assert (out / "stages" / "train-sft.log").read_text().startswith(f"run again: it was begun as {out / 'sft'}")
    assert again["models"] == results["models"]


def test_the_page_can_be_read_at_every_size(study_run, tab):
    out, _, _ = study_run
    assert complaints_at_every_size(tab(out / "report.html")) == []
