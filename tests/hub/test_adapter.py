"""An adapter that was really trained: what of it is published, and that it comes back as it went."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.hub import plan_push
from ascii_maze.hub.cards import GENERATED
from ascii_maze.hub.evidence import find_evidence
from ascii_maze.models.loading import load_model

from .conftest import ORG, READ, ROOT

TINY = ROOT / "ascii_maze" / "tiny"
BASE, SFT, MAZES = f"{ORG}/ascii-maze-tiny", f"{ORG}/ascii-maze-sft", f"{ORG}/ascii-maze"
LOGITS = """
import sys, torch
from ascii_maze import load_model, prompt_messages
model, tokenizer = load_model(sys.argv[1])
talk = prompt_messages("#####\\n#S G#\\n#####")
ids = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_tensors="pt")
with torch.inference_mode():
    print(model(**ids).logits[0, -1].tolist(), "in 4 bits" if model.is_loaded_in_4bit else "")
"""


def text_of(plan, path):
    content = plan.contents[path]
    return content.decode() if isinstance(content, bytes) else content.read_text()


@pytest.fixture(scope="module")
def plan(trained):
    return plan_push("adapter", trained / "sft", SFT, base_model=BASE, dataset=MAZES)


def test_the_head_has_what_the_hub_sorts_by(plan):
    head = ModelCard(text_of(plan, "README.md")).data
    assert (head.library_name, head.pipeline_tag, head.license) == ("peft", "text-generation", "apache-2.0")
    assert (head.base_model, head["base_model_relation"], head.datasets) == (BASE, "adapter", [MAZES])
    assert {"ascii-maze", "sft", "lora"} <= set(head.tags)
    valid = {(result.dataset_type, result.dataset_split, result.metric_name) for result in head.eval_results}
    assert (MAZES, "test", "valid") in valid
    (entry,) = yaml.safe_load(text_of(plan, ".eval_results/path_validity.yaml"))
    assert (entry["dataset"]["id"], entry["dataset"]["task_id"]) == (MAZES, "test")
    assert entry["value"] == next(result.metric_value for result in head.eval_results if result.metric_name == "valid")


def test_the_card_says_what_was_done_and_what_came_of_it(plan, trained):
    card = text_of(plan, "README.md")
    metrics = json.loads((trained / "sft" / "metrics.json").read_text())
    results = json.loads((trained / "evaluation" / "results.json").read_text())
    low, high = results["models"]["sft"]["test"]["valid_ci"]
    assert f"| test | all | sft | 16 | {100 * results['models']['sft']['test']['valid']:.1f} " in card
    assert f"{100 * low:.1f} - {100 * high:.1f}" in card
    for other in ("base", "random_walk", "wall_follower", "shortest_path"):
        assert f"| test | 4x4 | {other} | 16 |" in card or f"| test | all | {other} | 16 |" in card
    read = [
        100 * results["models"]["sft"]["test"][rate] for rate in ("parsed", "parsed_lenient", "valid", "valid_lenient")
    ]
    assert "| test | sft | {:.1f} | {:.1f} | {:.1f} | {:.1f} |".format(*read) in card
    assert f"| tokens | {metrics['tokens']:,} " in card
    assert metrics["dataset"]["sha256"] in card
    assert "256 rows; built as `small`, seed 0" in card
    assert "https://arxiv.org/abs/2203.02155" in card
    assert yaml.safe_load(re.search(r"```yaml\n(.*?)```", card, re.DOTALL)[1]) == yaml.safe_load(
        text_of(plan, "recipe.yaml")
    )
    for line in metrics["history"]:
        if "eval_valid" in line:
            assert f"| {line['step']} | {100 * line['eval_valid']:.1f} | {100 * line['eval_optimal']:.1f} |" in card
    assert "learning_curve.png" in plan.contents
    assert "The completion, and its path:" in card


def test_no_path_of_this_machine_is_published(plan, trained, dataset):
    for path, content in plan.contents.items():
        text = content if isinstance(content, bytes) else content.read_bytes()
        for local in (trained, dataset, ROOT, Path.home() / "", trained.parent):
            assert f"{local}/".encode() not in text, path
    assert yaml.safe_load(text_of(plan, "recipe.yaml"))["output_dir"] == "sft"
    assert json.loads(text_of(plan, "adapter_config.json"))["base_model_name_or_path"] == BASE
    assert json.loads(text_of(plan, "metrics.json"))["dataset"]["name"] == MAZES


def test_results_on_another_dataset_are_not_given_the_name_of_the_training_data(trained, tmp_path):
    elsewhere = tmp_path / "evaluation"
    shutil.copytree(trained / "evaluation", elsewhere)
    results = json.loads((elsewhere / "results.json").read_text())
    results["settings"]["dataset"] = "elsewhere/hard"
    (elsewhere / "results.json").write_text(json.dumps(results))
    plan = plan_push("adapter", trained / "sft", SFT, base_model=BASE, dataset=MAZES, results=[elsewhere])
    head = ModelCard(text_of(plan, "README.md")).data
    assert head.datasets == [MAZES]
    assert MAZES not in {result.dataset_type for result in head.eval_results}


def test_a_dataset_that_is_on_no_hub_is_named_by_its_folder(trained):
    plan = plan_push("adapter", trained / "sft", SFT, base_model=BASE)
    head = ModelCard(text_of(plan, "README.md")).data
    assert head.datasets is None
    assert {result.dataset_type for result in head.eval_results} == {"ascii-maze"}
    assert ".eval_results/path_validity.yaml" not in plan.contents
    assert "with the dataset in the folder `ascii-maze`" in text_of(plan, "README.md")


def test_words_of_ones_own_stay(trained, tmp_path):
    folder = shutil.copytree(trained / "sft", tmp_path / "sft")
    written = (folder / "README.md").read_text()
    assert GENERATED in written
    (folder / "README.md").write_text(written.replace(GENERATED, "Mine, on `tiny`."))
    card = text_of(plan_push("adapter", folder, SFT, base_model=BASE), "README.md")
    assert f"Mine, on `{BASE}`." in card
    assert ModelCard(card).data.base_model == BASE


def test_figures_are_found_beside_the_run_or_where_one_says(trained, dataset, tmp_path):
    folder = shutil.copytree(trained / "sft", tmp_path / "moved" / "sft")
    alone = text_of(plan_push("adapter", folder, SFT, base_model=BASE), "README.md")
    assert "| test |" not in alone
    assert "During training, on held-out mazes" in alone
    told = plan_push("adapter", folder, SFT, base_model=BASE, results=[trained / "evaluation"])
    assert "| test | all | sft | 16 |" in text_of(told, "README.md")
    with pytest.raises(UsageError, match=r"nowhere has no results.json and no mri.json"):
        plan_push("adapter", folder, SFT, base_model=BASE, results=[tmp_path / "nowhere"])
    other = folder.rename(tmp_path / "moved" / "other")
    told = plan_push("adapter", other, SFT, base_model=BASE, results=[trained / "evaluation"])
    assert "| test | all | sft | 16 |" in text_of(told, "README.md")  # known by its weights


def test_figures_of_other_weights_are_not_taken(trained, tmp_path):
    """Neither of an adapter that was trained again, nor of another model's whose folder has the same name."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    results = json.loads((tmp_path / "evaluation" / "results.json").read_text())
    weights = tmp_path / "sft" / "adapter_model.safetensors"
    changed = load_file(weights)
    save_file({key: 2 * value for key, value in changed.items()}, weights)
    card = text_of(plan_push("adapter", tmp_path / "sft", SFT, base_model=BASE), "README.md")
    assert "| test |" not in card
    with pytest.raises(UsageError, match=r"evaluation has no results of .*sft as it is now; it has base, sft"):
        plan_push("adapter", tmp_path / "sft", SFT, base_model=BASE, results=[tmp_path / "evaluation"])
    # An evaluation of before weights were recorded: found by its folder, if that is gone, and of the same base.
    facts = results["settings"]["loaded"]["sft"]
    del facts["adapter_sha256"]
    for location, base, known in (
        (tmp_path / "gone" / "sft", "tiny", True),
        (tmp_path / "gone" / "sft", "org/other", False),
        (trained / "sft", "tiny", False),
    ):
        facts["base"], results["settings"]["models"]["sft"] = base, str(location)
        (tmp_path / "evaluation" / "results.json").write_text(json.dumps(results))
        assert (find_evidence(tmp_path / "sft", "tiny").results is not None) == known


def test_what_an_mri_found_is_told(trained, tmp_path):
    mri = {
        "models": ["base", "sft"],
        "layers": [0, 1],
        "drift": {"sft": [0.0, 0.125]},
        "cka": {"sft": [1.0, 0.75]},
        "regions": {"sft": {"edges_gained": 3, "edges_lost": 1, "edges_kept": 8, "noise_floor": 0.5}},
    }
    (tmp_path / "mri.json").write_text(json.dumps(mri))
    results = [trained / "evaluation", tmp_path]
    card = text_of(plan_push("adapter", trained / "sft", SFT, base_model=BASE, results=results), "README.md")
    assert "| 1 | 0.125 | 0.750 |" in card
    assert "3 gained, 1 lost, 8 kept" in card


@pytest.fixture
def published(trained, push, builds):
    """The base, the adapter and a dataset, on the Hub; the adapter's commit."""
    push(TINY, "model", BASE)
    push(builds.first, "dataset", MAZES)
    return push(trained / "sft", "adapter", SFT, base_model=BASE, dataset=MAZES).commit


def test_the_adapter_comes_back_with_the_same_logits(published, trained, run):
    import torch

    from ascii_maze.mazes.prompts import prompt_messages

    model, tokenizer = load_model(str(trained / "sft"))
    messages = prompt_messages("#####\n#S G#\n#####")
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")
    with torch.inference_mode():
        before = model(**ids).logits[0, -1].tolist()
    done = run("-c", LOGITS, SFT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{before} in 4 bits\n"
    offline = run("-c", LOGITS, f"{SFT}@{published}", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert offline.stdout == done.stdout


def test_the_snippet_of_the_card_runs(published, trained, api, run, tmp_path):
    card = Path(api.hf_hub_download(SFT, "README.md", local_dir=tmp_path / "fetched")).read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    done = run("-c", snippet)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[UDLR]( [UDLR])*", done.stdout.strip())


def test_evaluate_of_a_name_on_the_hub_says_what_it_says_of_the_folder(published, trained, builds, run, tmp_path):
    words = ["evaluate", f"sft={SFT}@{published}", "--dataset", MAZES, "--limit", "4", "--out", tmp_path / "there"]
    there = run("-m", "ascii_maze", *words, "--json", token=READ)
    assert there.returncode == 0, there.stderr
    here = evaluate({"sft": str(trained / "sft")}, str(builds.first), ["test"], tmp_path / "here", Options(limit=4))
    assert json.loads(there.stdout)["models"] == here["models"]


def test_a_private_adapter_needs_a_token(published, builds, run):
    done = run("-m", "ascii_maze", "evaluate", SFT, "--dataset", builds.first, token=None)
    assert done.returncode == 1
    assert SFT in done.stderr


@pytest.mark.parametrize(
    "change", [{"versions": None}, {"history": None}, {"history": [5]}, {"history": ["\x1b[31m"]}]
)
def test_a_record_that_somebody_changed_is_one_line(trained, tmp_path, change):
    copied = shutil.copytree(trained / "sft", tmp_path / "copied")
    metrics = json.loads((copied / "metrics.json").read_text())
    (copied / "metrics.json").write_text(json.dumps({**metrics, **change}))
    with pytest.raises(AsciiMazeError, match=r"copied holds a record that cannot be read: |metrics.json: "):
        plan_push("adapter", copied, SFT, base_model=BASE, dataset=MAZES)
