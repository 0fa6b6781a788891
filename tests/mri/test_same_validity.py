"""The base's validity is one number, whoever asks."""

from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.mri.activations import extract
from ascii_maze.mri.models import find_adapters, load_models
from ascii_maze.mri.patching import own_answers, solved
from ascii_maze.mri.positions import locate_walks
from ascii_maze.mri.rows import load_rows

MAZES = 24


def test_the_report_and_an_evaluation_of_the_same_mazes_agree_on_the_base(adapters, dataset, tmp_path):
    models = load_models(find_adapters("tiny", {"zero": adapters["zero"]}))
    rows = load_rows(str(dataset), "train", MAZES)
    walks = locate_walks(rows, models.tokenizer, 0)
    activations = extract(models, walks, tmp_path / "states", positions=("moves", "answer_end"))
    inside = solved(rows, own_answers(models, activations, "base", rows, walks)).mean()
    found = evaluate(
        {"tiny": "tiny"}, str(dataset), ["train"], tmp_path / "evaluation", Options(limit=MAZES, baselines=False)
    )
    assert found["models"]["tiny"]["train"]["valid"] == inside
