"""Runs on the model's own answers: what rows they make, what they cost, and how an interrupted run goes on."""

import json

import pytest

from ascii_maze import generate_mazes
from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.mazes.prompts import format_answer, prompt_messages
from ascii_maze.metrics.path_validity.maze import Maze
from ascii_maze.metrics.path_validity.scoring import score_path
from ascii_maze.models.budgets import tokens_read
from ascii_maze.models.loading import load_tokenizer
from ascii_maze.recipe import Budget, load_recipe
from ascii_maze.training import own_answers
from ascii_maze.training.own_answers import check_own_answers, made_rows, with_answers
from ascii_maze.training.trainer import what_is_left
from dataset_builder.load import load_split

from .conftest import settings

RFT, ON_POLICY = "recipes/tiny/rft.yaml", "recipes/tiny/dpo_on_policy.yaml"
TRAINED = {"mazes": 4, "answers": 8, "rows": 4, "tokens": 900, "seconds": 2.5}


def right(maze: str) -> str:
    return format_answer(Maze.from_ascii(maze).solve())


def roundabout(maze: str) -> str:
    """It arrives, by one step there and back again more."""
    first, *rest = Maze.from_ascii(maze).solve()
    return format_answer("".join([first, {"U": "D", "D": "U", "L": "R", "R": "L"}[first], first, *rest]))


def test_right_walks_are_shortest_ones_each_once(dataset):
    rows = load_split(str(dataset), "train", "sft").select(range(3))
    one, two, three = rows["maze"]
    answers = [[right(one), right(one) + " ", "U"], [roundabout(two), "no idea"], [roundabout(three), right(three)]]
    made = made_rows(("prompt", "completion"), rows, answers)
    assert [(row.place, row.texts["completion"]) for row in made] == [(0, right(one)), (2, right(three))]
    changed = with_answers(rows, made)
    assert changed.column_names == rows.column_names
    assert changed.features == rows.features
    assert changed["maze"][:] == [one, three]
    assert changed[1]["completion"] == [{"role": "assistant", "content": right(three)}]


def test_pairs_are_of_the_best_walk_and_a_worse_one(dataset):
    rows = load_split(str(dataset), "train", "preference").select(range(3))
    one, two, three = rows["maze"]
    answers = [[roundabout(one), right(one)], [right(two), right(two)], ["U", roundabout(three)]]
    made = made_rows(("prompt", "chosen", "rejected"), rows, answers)
    assert [(row.place, row.texts["chosen"]) for row in made] == [(0, right(one)), (2, roundabout(three))]
    changed = with_answers(rows, made)
    assert changed[0]["rejected"] == [{"role": "assistant", "content": roundabout(one)}]
    assert changed["rejected_kind"][:] == [row.kind for row in made]


@pytest.mark.parametrize("recipe", [RFT, ON_POLICY])
def test_the_shipped_recipes_sample_as_many_tokens_as_grpo_does(recipe):
    """GRPO's rollouts are its budget."""
    values = load_recipe(recipe).values
    mazes = [
        str(maze) for size in (5, 6) for maze in generate_mazes("wilson", size, size, 20, 0)
    ]  # the sizes of `demo`
    asked = [prompt_messages(maze) for maze in mazes]
    said = [[right(maze)] * values["own_answers"] for maze in mazes]
    tokens = tokens_read(load_tokenizer("tiny"), asked, said) / len(mazes) * values["train_limit"]
    assert tokens == pytest.approx(
        Budget.parse(load_recipe("recipes/tiny/grpo.yaml").values["budget"]).amount, rel=0.1
    )


@pytest.fixture
def answers(monkeypatch):
    """Answers without a model: to each maze a right walk and one that is too long. The places of what was asked."""
    asked: list[str] = []

    def answer(model, tokenizer, rows, decoding):
        asked.extend(row["maze"] for row in rows)
        return [[right(row["maze"]), roundabout(row["maze"])][: decoding.samples] for row in rows]

    monkeypatch.setattr(own_answers, "answer_mazes", answer)
    monkeypatch.setattr(own_answers, "CHUNK", 8)
    return asked


def words(dataset, start, out, **changes) -> list[str]:
    """Overrides of a recipe that learns from two answers to each of twenty mazes."""
    changes = {"max_steps": 1, "train_limit": 20, "own_answers": 2, "adapter_name_or_path": start, **changes}
    return settings(dataset, out, **changes)


def test_an_interrupted_run_asks_what_is_missing_alone_and_a_finished_one_nothing(
    dataset, sft_run, train, tmp_path, answers, monkeypatch, capsys
):
    out, mazes = tmp_path / "run", load_split(str(dataset), "train", "sft")["maze"][:20]
    with monkeypatch.context() as patch:
        write = own_answers.write_text

        def interrupted(path, text):
            if "000000016" in path.name:
                raise KeyboardInterrupt
            write(path, text)

        patch.setattr(own_answers, "write_text", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(RFT, words(dataset, sft_run[0], out))
    del answers[:]
    train(RFT, words(dataset, sft_run[0], out))
    assert answers == mazes[16:]
    metrics = json.loads((out / "metrics.json").read_text())
    assert {key: metrics["own_answers"][key] for key in ("mazes", "answers", "rows")} == {
        "mazes": 20,
        "answers": 40,
        "rows": 20,
    }
    assert metrics["own_answers"]["tokens"] > metrics["tokens"] > 0
    assert metrics["own_answers"]["seconds"] > 0
    assert "40 sampled on 20 mazes make 20 rows" in capsys.readouterr().out
    assert "40 answers to 20 mazes give 20 rows" in (out / "README.md").read_text()
    del answers[:]
    train(RFT, words(dataset, sft_run[0], out))
    assert not answers
    train(RFT, [*words(dataset, sft_run[0], tmp_path / "whole")])
    assert (tmp_path / "whole" / "adapter_model.safetensors").read_bytes() == (
        out / "adapter_model.safetensors"
    ).read_bytes()


def test_dpo_learns_from_pairs_of_its_start_and_answers_of_another_model_are_not_used_again(
    dataset, sft_run, train, tmp_path, answers
):
    out = tmp_path / "run"
    train(ON_POLICY, words(dataset, sft_run[0], out))
    assert json.loads((out / "metrics.json").read_text())["own_answers"]["rows"] == 20
    before = {path.name for path in (out / "own_answers").iterdir()}
    del answers[:]
    train(ON_POLICY, words(dataset, sft_run[0], out, seed=1), overwrite=True)
    assert len(answers) == 20
    after = {path.name for path in (out / "own_answers").iterdir()}
    assert len(after) == 3
    assert not before & after


def test_a_dry_run_asks_nothing_and_writes_nothing(dataset, sft_run, train, tmp_path, answers, capsys):
    train(RFT, words(dataset, sft_run[0], tmp_path / "run"), dry_run=True)
    assert "own_answers: 2" in capsys.readouterr().out
    assert not answers
    assert not list(tmp_path.iterdir())


def test_answers_of_no_use_are_one_line(dataset, sft_run, train, tmp_path, answers, monkeypatch):
    monkeypatch.setattr(own_answers, "answer_mazes", lambda model, tokenizer, rows, how: [["U"] * 2 for _ in rows])
    with pytest.raises(AsciiMazeError, match="none of the model's 40 own answers can be used by sft: raise own"):
        train(RFT, words(dataset, sft_run[0], tmp_path / "run"))


def test_a_model_is_really_asked(dataset, train, tmp_path, capsys):
    """The base, without an adapter: it walks some small mazes, whatever its weights are."""
    out = tmp_path / "run"
    changes = {"own_answers": 8, "train_limit": 16, "max_steps": 1, "budget": "tokens=50000"}
    train("recipes/tiny/sft.yaml", settings(dataset, out, **changes))
    metrics = json.loads((out / "metrics.json").read_text())
    parts = [json.loads(path.read_text()) for path in sorted((out / "own_answers").iterdir())]
    found = [of_maze for part in parts for of_maze in part["answers"]]
    mazes = load_split(str(dataset), "train", "sft")["maze"][:16]
    optimal = [{one.strip() for one in given if score_path(maze, one).optimal} for maze, given in zip(mazes, found)]
    assert [len(given) for given in found] == [8] * 16
    assert metrics["own_answers"]["rows"] == sum(map(len, optimal)) > 0


def test_sampling_uses_up_a_budget_of_seconds_alone():
    assert what_is_left(Budget("tokens", 900), TRAINED) == Budget("tokens", 900)
    assert what_is_left(Budget("seconds", 10), TRAINED) == Budget("seconds", 7)
    assert what_is_left(Budget("steps", 10), TRAINED) == Budget("steps", 10)
    assert what_is_left(Budget("seconds", 1000), None) == Budget("seconds", 1000)
    with pytest.raises(UsageError, match="took 3 of the budget of 3 seconds and leaves nothing to train with"):
        what_is_left(Budget("seconds", 3), TRAINED)


@pytest.mark.parametrize("method", ["reward", "rlhf", "grpo"])
def test_methods_that_have_no_walks_to_learn_from_are_refused(method):
    with pytest.raises(UsageError, match=f"'own_answers' is for sft, dpo, orpo and kto; leave it out of .* {method}"):
        check_own_answers(method, 4)


def test_a_pair_needs_two_answers():
    check_own_answers("sft", 1)
    with pytest.raises(UsageError, match="'own_answers' is 1, and dpo learns from pairs; give 2 or more"):
        check_own_answers("dpo", 1)


def test_the_recipes_learn_from_their_start_and_ask_alike():
    rft, pairs = load_recipe(RFT), load_recipe(ON_POLICY)
    for recipe in (rft, pairs):
        assert recipe.values["adapter_name_or_path"] == "outputs/tiny/sft"
        assert (recipe.values["own_answers"], recipe.values["train_limit"]) == (4, 168)
    assert (rft.method, pairs.method) == ("sft", "dpo")
