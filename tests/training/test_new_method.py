"""A method that nobody has heard of, added as docs/howto/method.md says: an entry, a module and a recipe, no more."""

import json

import pytest

from ascii_maze import training
from ascii_maze.cli import main
from ascii_maze.recipe import methods
from ascii_maze.recipe.methods import ANSWERS, Method

MODULE = """
def make_trainer(trainer_class, run, **arguments):
    from ascii_maze.training.watch import watched

    class FlatLoss(watched(trainer_class)):
        def compute_loss(self, *words, **more):
            return super().compute_loss(*words, **more) * 0 + 3

    return FlatLoss(**arguments)
"""
RECIPE = """
extends: recipes/tiny/sft.yaml
method: flat
max_steps: 2
per_device_train_batch_size: 4
logging_steps: 1
eval_limit: 2
"""


@pytest.fixture
def method(tmp_path, monkeypatch):
    """A method `flat`: SFT whose loss is 3, whatever the answer."""
    (tmp_path / "flat.py").write_text(MODULE)
    monkeypatch.setattr(training, "__path__", [*training.__path__, str(tmp_path)])
    monkeypatch.setitem(
        methods._ENTRIES, "flat", Method("flat fine-tuning", "Doe et al., 2031", "3101.00001", ANSWERS, "trl:SFT")
    )
    (tmp_path / "flat.yaml").write_text(RECIPE)
    return tmp_path / "flat.yaml"


@pytest.mark.slow
def test_a_method_added_as_documented_trains_to_its_card_and_is_evaluated_and_shown(
    method, dataset, tmp_path, monkeypatch, capsys
):
    def call(*words):
        monkeypatch.setattr("sys.argv", ["ascii-maze", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        return said.out

    run, out = tmp_path / "run", tmp_path / "evaluation"
    call("train", method, "--dataset_name", dataset, "--output_dir", run)
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["method"], metrics["steps"], metrics["samples"]) == ("flat", 2, 8)
    assert [line["loss"] for line in metrics["history"] if "loss" in line] == [3, 3]
    card = (run / "README.md").read_text()
    assert "# run: FLAT on ASCII mazes" in card
    assert "flat fine-tuning ([Doe et al., 2031](https://arxiv.org/abs/3101.00001))" in card
    told = json.loads(call("evaluate", f"flat={run}", "--dataset", dataset, "--limit", 2, "--out", out, "--json"))
    assert told["models"]["flat"]["test"]["n"] == 2
    assert "flat" in call("show", out / "predictions.parquet")
