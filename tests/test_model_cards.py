"""The cards of what is released say what was measured, and what they were measured on has not changed since."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from ascii_maze.hub.cards import render_card
from ascii_maze.hub.evidence import Evidence
from ascii_maze.hub.rules import broken_rules
from ascii_maze.recipe.methods import METHODS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def cards():
    """`model_cards/make.py`, which is run as a program."""
    spec = importlib.util.spec_from_file_location("make", ROOT / "model_cards" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def facts(cards):
    return json.loads(cards.FACTS.read_text(encoding="utf-8"))


def test_what_was_measured_is_what_there_is(cards, facts):
    assert list(cards.stale(facts)) == [], "measure again: see CONTRIBUTING.md"
    assert set(facts["methods"]) == set(METHODS)


def test_every_card_is_as_make_cards_writes_it(cards, facts):
    paths = []
    for path, text in cards.render(facts):
        assert path.read_text(encoding="utf-8") == text, f"{path} is stale; make cards"
        paths.append(path.parent.name)
    assert {*METHODS, "tiny", "path_validity"} == set(paths)


def test_the_card_of_the_dataset_is_that_of_a_build_of_now(cards, facts, tmp_path):
    card = (cards.HERE / "dataset" / "README.md").read_text(encoding="utf-8")
    assert cards.render_dataset(facts, tmp_path / "ascii-maze") == card
    assert f'load_dataset("{cards.DATASET}"' in card


@pytest.mark.parametrize("method", METHODS)
def test_a_released_card_is_one_that_the_hub_takes(cards, facts, method):
    text = (cards.HERE / method / "README.md").read_text(encoding="utf-8")
    card = ModelCard(text)
    assert list(broken_rules("model", card.data.to_dict())) == []
    assert card.data.base_model == cards.BASE
    assert (cards.HERE / method / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert not re.search(r"(?m)(^|[\s`\"'(])(/[a-z]+/|~/)", text), "a path of some machine"
    if method != "reward":
        cell = facts["models"][method]["test"]
        assert f"| test | all | {method} | {cell['n']} | {100 * cell['valid']:.1f} |" in text
        assert {result.dataset_type for result in card.data.eval_results} == {cards.DATASET}


def test_a_changed_recipe_or_base_is_noticed(cards, facts):
    other = json.loads(json.dumps(facts))
    other["methods"]["dpo"]["recipe"]["beta"] = 7
    other["weights_sha256"] = "0" * 64
    assert list(cards.stale(other)) == ["the weights of the embedded model", "recipes/tiny/dpo.yaml: beta"]


@pytest.mark.parametrize("method", METHODS)
def test_a_recipe_that_leaves_everything_to_its_defaults_has_a_card_too(facts, method):
    values = {"method": method, "model_name_or_path": "org/base"}
    card = render_card(values, facts["methods"][method]["metrics"], "outputs/run")
    assert "4bit" not in card
    assert "4-bit base" not in card
    assert "dtype=torch.float32" in card


def test_the_snippet_of_a_card_loads_the_revision_that_was_trained_on(facts):
    values = {"method": "sft", "model_name_or_path": "org/base", "model_revision": "v1"}
    assert '"org/base",\n    revision="v1",\n' in render_card(values, facts["methods"]["sft"]["metrics"], "org/run")


@pytest.mark.parametrize("off", [False, "false"])  # as a recipe says it, and as a command line did
def test_a_card_names_no_quantisation_that_was_turned_off(facts, off):
    values = {**facts["methods"]["sft"]["recipe"], "load_in_4bit": off, "use_bnb_nested_quant": off}
    card = render_card(values, facts["methods"]["sft"]["metrics"], "outputs/run")
    assert "BitsAndBytesConfig" not in card
    assert "QLoRA" not in card


def test_a_card_says_how_to_train_the_run_again_from_where_it_is(facts):
    """A folder such as `outputs/run` has the form of a name on the Hub, and the Hub knows nothing of it."""
    values, metrics = facts["methods"]["sft"]["recipe"], facts["methods"]["sft"]["metrics"]
    local = render_card(values, metrics, "outputs/run", published=False)
    assert "\nascii-maze train outputs/run/recipe.yaml --output_dir outputs/run-again\n" in local
    assert "hf download" not in local
    of_two = render_card(values, {**metrics, "processes": 2}, "org/run")
    launched = "accelerate launch --multi_gpu --num_processes 2 --module ascii_maze train recipe.yaml"
    assert f"\nhf download org/run recipe.yaml --local-dir .\n{launched}\n" in of_two


def test_names_are_no_markup_of_a_card(facts):
    values, metrics = facts["methods"]["sft"]["recipe"], facts["methods"]["sft"]["metrics"]
    results = {"models": {"<b>x": {"test": facts["models"]["sft"]["test"]}}, "paired": []}
    settings = {"dataset": "`<b>data", "limit": None, "decoding": "greedy", "dataset_sha256": "0", "system_prompt": ""}
    evidence = Evidence("<b>x", {**results, "settings": settings})
    values = {**values, "model_name_or_path": "models/`<b>x"}
    card = render_card(values, metrics, "outputs/<b>run", published=False, evidence=evidence)
    assert "# &lt;b>run: SFT" in card
    assert "A LoRA adapter on `models/'<b>x` that" in card
    assert "Evaluated on `'<b>data` (" in card
    assert "| test | all | &lt;b>x |" in card
