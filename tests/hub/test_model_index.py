import pytest
import yaml
from huggingface_hub import ModelCardData, parse_eval_result_entries
from huggingface_hub.repocard_data import model_index_to_eval_results

from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.evaluation.schema import RATES
from ascii_maze.hub.model_index import eval_results, model_index


@pytest.fixture(scope="module")
def results(dataset, tmp_path_factory):
    return evaluate({}, str(dataset), ["test", "test_larger"], tmp_path_factory.mktemp("out"), Options(limit=7))


def test_model_index_is_read_back_by_the_hub_client(results):
    index = model_index(results, "greedy", "walker", "org/ascii-maze", revision="v1")
    name, entries = model_index_to_eval_results(yaml.safe_load(yaml.safe_dump(index)))
    assert name == "walker"
    assert {(entry.dataset_type, entry.dataset_split, entry.dataset_revision) for entry in entries} == {
        ("org/ascii-maze", "test", "v1"),
        ("org/ascii-maze", "test_larger", "v1"),
    }
    read = {(entry.dataset_split, entry.metric_name): entry.metric_value for entry in entries}
    measured = results["models"]["greedy"]
    assert read["test", "valid"] == round(measured["test"]["valid"], 4)
    assert read["test_larger", "optimal"] == round(measured["test_larger"]["optimal"], 4)
    assert read["test", "valid_lenient"] == round(measured["test"]["valid_lenient"], 4)
    assert ModelCardData(**{"model-index": index}).to_dict()["model-index"] == index


def test_eval_results_are_read_back_by_the_hub_client(results):
    url = "https://huggingface.co/datasets/org/predictions"
    content = eval_results(results, "greedy", "org/ascii-maze", "0123abc", "2026-11-22", url)
    entries = parse_eval_result_entries(yaml.safe_load(yaml.safe_dump(content)))
    assert [(entry.dataset_id, entry.task_id, entry.value) for entry in entries] == [
        ("org/ascii-maze", split, round(results["models"]["greedy"][split]["valid"], 4))
        for split in ("test", "test_larger")
    ]
    first = entries[0]
    assert (first.dataset_revision, first.date, first.source_url) == ("0123abc", "2026-11-22", url)
    assert "7 mazes, greedy" in first.notes
    assert first.notes.endswith("if a path in a longer text counts")


def test_results_of_an_earlier_version_have_one_reading(results):
    def strict(value):
        if isinstance(value, dict):
            return {key: strict(inner) for key, inner in value.items() if not key.endswith("_lenient")}
        return value

    earlier = strict(results)
    _, entries = model_index_to_eval_results(model_index(earlier, "greedy", "walker", "org/ascii-maze"))
    assert {entry.metric_name for entry in entries} == set(RATES)
    assert eval_results(earlier, "greedy", "org/ascii-maze")[0]["notes"].endswith("7 mazes, greedy")


def test_a_model_that_was_not_evaluated_has_no_results(results):
    with pytest.raises(KeyError, match="sft"):
        model_index(results, "sft", "walker", "org/ascii-maze")
