from contextlib import nullcontext

import pytest
import yaml

from ascii_maze.errors import UsageError
from ascii_maze.launch import train
from ascii_maze.policies import POLICIES
from ascii_maze.study import DEMO, Study, load_study, run_study


def test_a_small_study_from_dataset_to_page(tmp_path):
    """Every stage for real, with two steps of training."""
    config = tmp_path / "small.yaml"
    splits = {"train": 64, "validation": 4, "test": 6}
    config.write_text(
        yaml.safe_dump({"name": "small", "sizes": ["4x4"], "generators": ["depth_first"], "splits": splits})
    )
    study = Study(str(config), "tiny", {"sft": "recipes/tiny/sft.yaml"}, ["test"], limit=4)
    short = ["--max_steps", "2", "--per_device_train_batch_size", "4"]
    stages = []

    def progress():
        return nullcontext(lambda stage, done, total: stages.append(stage))

    results = run_study(study, tmp_path / "out", 1, lambda words: train(words[0], [*words[1:], *short]), progress)
    assert list(results["models"])[:2] == ["base", "sft"]
    assert results["models"]["sft"]["test"]["n"] == 4
    building = ["surveying", "hashing mazes", "writing parquet"]
    assert list(dict.fromkeys(stages)) == [*building, "base", "sft", *POLICIES]
    page = (tmp_path / "out" / "report.html").read_text()
    # Each maze by each model, and each answer once more among those of its kind.
    assert page.count("<svg") == 2 * (2 * 4)
    assert len(list((tmp_path / "out" / "evaluation" / "figures").iterdir())) == 4
    assert {"dataset", "sft", "evaluation", "report.html"} == {path.name for path in (tmp_path / "out").iterdir()}


def test_the_demo_is_the_study_without_a_file():
    assert load_study(None) == DEMO


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: demo\n", "study.yaml: no 'base'"),
        ("datasett: demo\n", "unknown key 'datasett'; did you mean 'dataset'"),
        ("dataset: demo\nbase: tiny\nrecipes: {sft: recipes/stf.yaml}\nsplits: [test]\n", "did you mean 'recipes/sft"),
    ],
)
def test_bad_study_files(tmp_path, text, message):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        load_study(tmp_path / "study.yaml")
    assert "\n" not in str(caught.value)
