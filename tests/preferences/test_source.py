import pyarrow
import pyarrow.parquet
import pytest

from ascii_maze import Maze, generate_mazes, score_path
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.preferences.collection import read_collection, write_collection
from ascii_maze.preferences.source import find_questions, layout, walk_through_wall


def predictions(path, rows):
    columns = ("id", "model", "split", "maze", "completion", "sample")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(zip(columns, row)) for row in rows]), path)
    return str(path)


@pytest.fixture
def mazes():
    return [str(maze) for maze in generate_mazes("depth_first", 3, 3, 30, 1)]


def test_pairs_of_a_dataset_differ_and_come_in_the_same_order_again(dataset):
    one, two = (find_questions(str(dataset), "train", 50, seed=3) for _ in range(2))
    assert one == two
    assert len(one.questions) == 50
    assert all(first.completion != second.completion for first, second in (q.answers for q in one.questions))
    assert [q.id for q in find_questions(str(dataset), "train", 50, seed=4).questions] != [q.id for q in one.questions]
    # Which answer is called the first says nothing of it.
    firsts = [question.answers[0].model for question in one.questions]
    assert 10 < firsts.count("chosen") < 40


def test_layouts_of_validation_and_gold_are_in_no_question_of_train(dataset):
    asked = find_questions(str(dataset), "train", 256)
    train = {layout(Maze.from_ascii(q.maze)) for q in asked.questions if q.split == "train"}
    held = {layout(Maze.from_ascii(q.maze)) for q in (*asked.questions, *asked.gold) if q.split == "validation"}
    assert train
    assert held
    assert not train & held


def test_a_layout_is_the_same_however_it_is_turned_and_wherever_it_starts():
    maze = Maze.from_ascii("#####\n#S  #\n### #\n#G  #\n#####")
    turned = Maze.from_ascii("#####\n# #S#\n# # #\n#G  #\n#####")
    assert layout(maze) == layout(turned)
    assert layout(maze) != layout(Maze.from_ascii("#####\n#S  #\n#   #\n#G  #\n#####"))


def test_gold_is_a_shortest_path_against_a_walk_through_a_wall(dataset):
    gold = find_questions(str(dataset), "train", 10).gold
    assert gold
    for question in gold:
        scores = [score_path(question.maze, answer.completion) for answer in question.answers]
        assert scores[question.best].optimal
        assert scores[1 - question.best].wall_hits


def test_a_walk_through_a_wall_cuts_once_and_then_arrives():
    assert walk_through_wall(Maze.from_ascii("#####\n#S G#\n#####")) is None
    assert walk_through_wall(Maze.from_ascii("#####\n#S#G#\n#   #\n#####")) == "RR"
    for maze in generate_mazes("wilson", 5, 5, 20, 0):
        score = score_path(maze, walk_through_wall(maze))
        assert (score.valid, score.legal) == (False, False)
        assert score.wall_hits >= 1


def test_samples_of_one_model_are_compared_and_walks_that_differ_come_first(tmp_path, mazes):
    rows = [("i", "m", "test", mazes[0], said, k) for k, said in enumerate(["R R", "R R", "RR", "D D"])]
    asked = find_questions(predictions(tmp_path / "predictions.parquet", rows), "test", 10)
    pairs = [{answer.completion for answer in question.answers} for question in asked.questions]
    assert len(pairs) == 3
    assert pairs[2] == {"R R", "RR"}  # the same walk, otherwise written


def test_a_model_that_was_named_by_its_path_is_named_by_its_last_part(tmp_path, mazes):
    named = {"/home/ann/sft": "R R", "/home/bob/sft": "D D", "base": "U"}
    rows = [("i", name, "test", mazes[0], said, 0) for name, said in named.items()]
    asked = find_questions(predictions(tmp_path / "predictions.parquet", rows), "test", 10).questions
    assert {answer.model for question in asked for answer in question.answers} == {"sft", "sft (2)", "base"}


def test_models_are_compared_with_each_other_and_baselines_with_nobody(tmp_path, mazes):
    rows = [("i", model, "test", maze, said, 0) for maze in mazes for model, said in
            (("one", "R R"), ("two", "D D"), ("wall_follower", "L L"))]  # fmt: skip
    predictions(tmp_path / "predictions.parquet", rows)
    asked = find_questions(str(tmp_path), "test", 100)
    assert len(asked.questions) == 30
    assert {answer.model for question in asked.questions for answer in question.answers} == {"one", "two"}


def test_to_rate_is_to_see_every_answer_once(dataset):
    asked = find_questions(str(dataset), "train", 1000, "rate")
    assert len(asked.questions) == 2 * 256
    assert {question.rating for question in asked.gold} == {(4, 5), (1, 2)}


@pytest.mark.parametrize(
    ("rows", "split", "said"),
    [
        ([], "test", "nothing to ask"),
        ([("i", "m", "test", "#S G#", "R R", 0)], "test", "two different answers"),
        ([("i", "m", "test", "#S G#", "R R", 0)], "train", "no split 'train'; it has test"),
    ],
)
def test_what_has_nothing_to_ask_is_refused(tmp_path, rows, split, said):
    with pytest.raises(UsageError, match=said):
        find_questions(predictions(tmp_path / "predictions.parquet", rows), split, 10)


def test_no_dataset_no_predictions_and_walks_step_by_step_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.parquet").write_text("no parquet")
    with pytest.raises(AsciiMazeError, match="cannot load split"):
        find_questions(str(tmp_path / "empty"), "train", 10)
    with pytest.raises(UsageError, match="there is no such folder"):
        find_questions(str(tmp_path / "nowhere"), "train", 10)
    with pytest.raises(UsageError, match="is not what `ascii-maze evaluate` writes"):
        find_questions(str(tmp_path / "x.parquet"), "train", 10)
    row = {"model": "m", "split": "test", "maze": "#S G#", "completion": "R R", "observation": "full"}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "steps.parquet")
    with pytest.raises(UsageError, match="step by step"):
        find_questions(str(tmp_path / "steps.parquet"), "test", 10)


def test_a_collection_is_read_as_it_was_written(tmp_path, asked):
    write_collection(tmp_path, asked)
    assert read_collection(tmp_path) == asked
    assert read_collection(tmp_path).digest == asked.digest


@pytest.mark.parametrize(
    "change",
    [
        {"per_item": 0},
        {"mode": "guess"},
        {"gold_share": 2},
        {"seed": "x"},
        {"questions": 3},
        {"questions": [{"id": "a"}]},
        {"version": 9},
        {"more": 1},
    ],
)
def test_a_damaged_collection_is_one_line(tmp_path, asked, change):
    import json

    write_collection(tmp_path, asked)
    path = tmp_path / "collection.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match=r"collection\.json"):
        read_collection(tmp_path)
