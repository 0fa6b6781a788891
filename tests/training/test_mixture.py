from collections import Counter

import pytest
from datasets import Dataset

from ascii_maze.configuration import parse_weights
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.training.mixture import mix, mixture_sizes


def rows(name: str, count: int, **more) -> Dataset:
    """Rows that say where they are from."""
    return Dataset.from_list(
        [{"id": f"{name}{k}", "prompt": [{"role": "user", "content": name}], **more} for k in range(count)]
    )


def test_shares_are_as_asked_for_and_no_row_comes_twice():
    mixed = mix({"a": rows("a", 100, extra=1), "b": rows("b", 30)}, {"a": 0.8, "b": 0.2}, ("prompt",), 0)
    assert Counter(name[0] for name in mixed["id"]) == {"a": 100, "b": 25}
    assert len(set(mixed["id"])) == 125
    assert mixed.column_names == ["id", "prompt"]
    assert set(list(mixed["id"])[:40]) & {f"b{k}" for k in range(30)}  # and not one after the other


def test_the_seed_draws_the_rows_and_their_order():
    parts, weights = {"a": rows("a", 50), "b": rows("b", 50)}, {"a": 4, "b": 1}
    one, again, other = (list(mix(parts, weights, ("prompt",), seed)["id"]) for seed in (0, 0, 1))
    assert one == again
    assert sorted(one) != sorted(other)


def test_exact_shares_lose_no_row_to_rounding():
    assert mixture_sizes({"a": 90, "b": 10}, {"a": 0.9, "b": 0.1}) == {"a": 90, "b": 10}
    assert mixture_sizes({"a": 3, "b": 7}, {"a": 0.3, "b": 0.7}) == {"a": 3, "b": 7}


def test_a_dataset_that_would_have_no_row_in_it_and_other_types_are_refused():
    with pytest.raises(AsciiMazeError, match="no row of 'b' would be in the mixture of 5"):
        mixture_sizes({"a": 5, "b": 5}, {"a": 1, "b": 0.01})
    odd = Dataset.from_list([{"prompt": "text", "id": "x"}] * 5)
    with pytest.raises(AsciiMazeError, match="are not of the types"):
        mix({"a": rows("a", 5), "odd": odd}, {"a": 1, "odd": 1}, ("prompt",), 0)


@pytest.mark.parametrize(
    "given", ["demo=0.8,preferences=0.2", '{"demo": 0.8, "preferences": 0.2}', {"demo": 0.8, "preferences": 0.2}]
)
def test_weights_are_read_in_every_form(given):
    assert parse_weights("dataset_mix", given) == {"demo": 0.8, "preferences": 0.2}


@pytest.mark.parametrize(
    "given",
    [
        "demo",
        "demo=1",
        "demo=0,b=1",
        "demo=x,b=1",
        "=1,b=1",
        "a=inf,b=1",
        "a=nan,b=1",
        "{",
        '{"a": []}',
        [1],
        3,
        {"a": 1},
    ],
)
def test_weights_that_are_none_are_one_line(given):
    with pytest.raises(UsageError, match="dataset_mix is '"):
        parse_weights("dataset_mix", given)


def test_a_run_trains_on_the_mixture_and_says_so(dataset, tmp_path):
    from types import SimpleNamespace

    from ascii_maze.preferences.collection import write_collection
    from ascii_maze.preferences.collector import Collector
    from ascii_maze.preferences.export import export_folder
    from ascii_maze.preferences.opening import Wishes, new_collection
    from ascii_maze.preferences.simulation import annotators, simulate
    from ascii_maze.training.data import identify_rows, load_rows

    folder = tmp_path / "preferences"
    collection = new_collection(Wishes(str(dataset), limit=40))
    write_collection(folder, collection)
    simulate(Collector(folder, collection, [], simulated=True), annotators(1))
    export_folder(folder)
    given = f"{dataset}=0.75,{folder}=0.25"
    arguments = SimpleNamespace(
        script=SimpleNamespace(
            dataset_name=str(dataset),
            dataset_config="preference",
            dataset_train_split="train",
            dataset_test_split="validation",
        ),
        run=SimpleNamespace(dataset_mix=given, train_limit=None, eval_limit=8),
        training=SimpleNamespace(eval_strategy="steps", seed=0),
    )
    train, held_out = load_rows(arguments, ("prompt", "chosen", "rejected"))
    people = len(load_rows_of(folder))
    assert len(train) == pytest.approx(4 * people, abs=4)
    assert {"prompt", "chosen", "rejected", "maze"} <= set(train.column_names)
    assert len(held_out) == 8
    assert identify_rows(arguments.script, train, given)["mix"] == {str(dataset): 0.75, str(folder): 0.25}


def load_rows_of(folder):
    from dataset_builder.load import load_split

    return load_split(str(folder), "train", "preference")
