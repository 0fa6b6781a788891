"""The metric as its users have it: through `evaluate`, from its folder."""

import shutil
import subprocess
import sys

import datasets
import evaluate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascii_maze import Maze, MazeError, metric_path, score_path
from ascii_maze.metrics.path_validity.app import ANSWER, MAZE, draw
from ascii_maze.metrics.path_validity.lenient import score_lenient
from ascii_maze.metrics.path_validity.tests import LOOP, test_cases

from .test_maze import maps

SPOILED = st.one_of(st.text(st.characters()), st.none(), st.integers(), st.binary(), st.lists(st.integers()))


@pytest.fixture(scope="module")
def metric():
    return evaluate.load(metric_path())


@pytest.mark.parametrize("case", test_cases, ids=lambda case: case["predictions"][0])
def test_cases_of_the_space(metric, case):
    assert metric.compute(predictions=case["predictions"], references=case["references"]) == case["result"]


def test_the_example_of_the_card(metric):
    result = metric.compute(predictions=["R R D D", "D D R"], references=[LOOP, LOOP])
    with open(f"{metric_path()}/README.md") as card:
        shown = card.read().partition("# {")[2].partition("}")[0].replace("#", "")
    assert " ".join(f"{{{shown}}}".split()) == str(result)


def test_items_are_what_the_scorer_says(metric):
    answers = ["D D R R", "R L R R D D", "R R R D D", "I would turn right."]
    items = metric.compute(predictions=answers, references=[LOOP] * 4, per_item=True)["items"]
    assert items == [both_readings(LOOP, answer) for answer in answers]


def both_readings(maze, answer):
    score = score_path(maze, answer)
    return {**score.to_dict(), **score_lenient(maze, answer)._asdict()}


def test_batches_and_single_pairs_add_up(metric):
    metric.add_batch(predictions=["R R D D", None], references=[LOOP, LOOP])
    metric.add_batch(predictions=["\ud800"], references=[LOOP])
    metric.add(prediction=7, reference=LOOP)
    result = metric.compute()
    assert (result["n"], result["valid"]) == (4, 0.25)


def test_messages_are_read_as_their_text(metric):
    said = {"role": "assistant", "content": "<think>D D D</think>R R D D"}
    assert metric.compute(predictions=[[said], ["R R D D"], "R R D D"], references=[LOOP] * 3)["valid"] == 1.0
    metric.add(prediction=[said], reference=LOOP)
    assert metric.compute()["valid"] == 1.0


def test_of_nothing_there_is_no_mean(metric):
    result = metric.compute(predictions=[], references=[])
    assert result.pop("n") == 0
    assert set(result.values()) == {None}


class Words(evaluate.Metric):
    """Another metric over the same inputs."""

    def _info(self):
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"words": sum(len(prediction.split()) for prediction in predictions)}


def test_combines_with_another_metric(metric):
    both = evaluate.combine([metric, Words()])
    result = both.compute(predictions=["R R D D", "D R"], references=[LOOP, LOOP])
    assert (result["words"], result["valid"]) == (6, 0.5)


@settings(max_examples=30)
@given(st.lists(st.tuples(SPOILED, maps()), min_size=1, max_size=5))
def test_never_raises_on_a_prediction(metric, pairs):
    predictions, references = zip(*pairs, strict=True)
    items = metric.compute(predictions=predictions, references=references, per_item=True)["items"]
    assert items == [both_readings(maze, prediction) for prediction, maze in pairs]


@settings(max_examples=10)  # evaluate keeps the lock of a computation that failed, and waits a while for it
@given(st.lists(maps(), max_size=4), SPOILED, st.lists(maps(), max_size=4))
def test_always_raises_on_a_bad_reference_with_its_index(metric, before, bad, after):
    with pytest.raises(MazeError):
        Maze.from_ascii(bad)
    references = [*before, bad, *after]
    with pytest.raises(ValueError, match=rf"^references\[{len(before)}\] is not "):
        metric.compute(predictions=["R"] * len(references), references=references)


def test_goes_on_after_a_bad_reference(metric):
    with pytest.raises(ValueError, match=r"references\[1\] is not a maze: row 1, column 2: expected .* found '\?'"):
        metric.compute(predictions=["R", "R"], references=["SG", "S?"])
    assert metric.compute(predictions=["R"], references=["SG"])["valid"] == 1


ALONE = """
import sys
for name in ("ascii_maze", "scipy", "statsmodels", "numba", "rich", "trl", "gradio"):
    sys.modules[name] = None
import evaluate
print(evaluate.load(sys.argv[1]).compute(predictions=["R"], references=["SG"])["valid"])
sys.path.insert(0, sys.argv[1])
import app
print(app.draw("SG", "R")[1]["valid"])
"""


def test_stands_alone(tmp_path):
    folder = shutil.copytree(metric_path(), tmp_path / "path_validity")
    done = subprocess.run([sys.executable, "-c", ALONE, str(folder)], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "1.0\nTrue\n", done.stderr


def test_the_page_draws_the_path_and_every_field():
    picture, fields = draw(MAZE, ANSWER)
    assert picture.startswith('<img alt="arrives"')
    assert fields == score_path(MAZE, ANSWER).to_dict()
    assert fields["optimal"]
    assert 'alt="not a path"' in draw(MAZE, "<script>")[0]


def test_the_page_escapes_what_is_pasted():
    picture, fields = draw("<b>SG", "<script>alert(1)</script>")
    assert picture == "<p>Not a maze: row 1, column 1: expected &#x27;#&#x27;, &#x27; &#x27;, &#x27;S&#x27; or " + (
        "&#x27;G&#x27;, found &#x27;&lt;&#x27;</p>"
    )
    assert fields == {}
    for answer in ("<script>alert(1)</script>", "R<script>", '"><img src=x onerror=alert(1)>'):
        assert "script" not in draw(MAZE, answer)[0]
        assert "onerror" not in draw(MAZE, answer)[0]
