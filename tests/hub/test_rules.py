import pytest

from ascii_maze.hub.rules import broken_results, broken_rules

RESULT = {
    "task": {"type": "text-generation"},
    "dataset": {"type": "org/ascii-maze", "name": "ascii-maze"},
    "metrics": [{"type": "path_validity", "value": 0.5}],
}


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("model", {"license": "llama3.2", "base_model": ["org/a", "org/b"], "base_model_relation": "merge"}),
        ("model", {"license": "other", "license_name": "ours", "model-index": [{"name": "x", "results": [RESULT]}]}),
        ("dataset", {"license": ["mit", "cc-by-4.0"], "size_categories": ["n<1K"], "tags": ["maze"]}),
        ("space", {"title": "x", "sdk": "gradio", "colorFrom": "blue", "short_description": "x" * 60}),
    ],
)
def test_what_the_hub_takes(kind, head):
    assert list(broken_rules(kind, head)) == []


@pytest.mark.parametrize(
    ("kind", "head", "message"),
    [
        ("model", {"license": "apache-2"}, "'license' has no value 'apache-2'; did you mean 'apache-2.0'?"),
        ("model", {"license": "other"}, "'license: other' needs a 'license_name'"),
        (
            "model",
            {"base_model": "/home/ann/base"},
            "'base_model' names '/home/ann/base'",
        ),
        ("model", {"base_model_relation": "adaptor"}, "did you mean 'adapter'?"),
        ("model", {"datasets": ["outputs/a/b"]}, "'datasets' names 'outputs/a/b'"),
        ("model", {"tags": ["maze", 7]}, "'tags' holds 7, which is not text"),
        ("model", {"model-index": [{"results": []}]}, "'model-index' has an entry without a 'name'"),
        ("model", {"model-index": [{"name": "x"}]}, "'model-index' is not in the Hub's format: 'results'"),
        (
            "model",
            {"model-index": [{"name": "x", "results": [{**RESULT, "task": {}, "metrics": [{"type": "x"}]}]}]},
            "without task.type, metrics.value",
        ),
        (
            "model",
            {"model-index": [{"name": "x", "results": [{**RESULT, "dataset": {"type": "/a/b", "name": "b"}}]}]},
            "names the dataset '/a/b'",
        ),
        ("dataset", {"size_categories": ["1000"]}, "'size_categories' has no value '1000'"),
        ("space", {"sdk": "flask"}, "'sdk' has no value 'flask'"),
        ("space", {"colorTo": "grey"}, "did you mean 'gray'?"),
        ("space", {"short_description": "x" * 61}, "longer than 60 characters"),
    ],
)
def test_what_it_does_not_take_is_named(kind, head, message):
    (broken,) = broken_rules(kind, head)
    assert message in broken


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [{"dataset": {"id": "ascii-maze", "task_id": "test"}, "value": 0.5}],
            "'ascii-maze' is not a dataset",
        ),
        ([{"dataset": {"id": "org/x", "task_id": "test", "revision": "v1"}, "value": 0.5}], "'v1' is not a commit"),
        ([{"value": 0.5}], "not in the Hub's format"),
    ],
)
def test_results_that_the_hub_does_not_take(entries, message):
    (broken,) = broken_results(entries)
    assert message in broken
    assert list(broken_results([{"dataset": {"id": "org/x", "task_id": "test"}, "value": 0.5}])) == []
