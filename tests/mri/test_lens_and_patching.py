import numpy as np
import pytest

from ascii_maze.mazes.baselines import open_positions
from ascii_maze.metrics.path_validity.maze import Maze
from ascii_maze.models.budgets import answer_budget
from ascii_maze.models.generation import generate
from ascii_maze.mri import lens, patching
from ascii_maze.mri.answering import reference_or_generated
from ascii_maze.mri.labels import move_labels
from ascii_maze.mri.lens import logit_lens, next_token_kl
from ascii_maze.mri.models import watching
from ascii_maze.mri.reading import batches

from .conftest import LAYERS


def generated(models, rows) -> list[str]:
    """Answers of the model that is switched on, all of them generated."""
    budget = answer_budget(models.tokenizer, max(open_positions(Maze.from_ascii(row["maze"])) for row in rows))
    return generate(models.model, models.tokenizer, [row["prompt"] for row in rows], budget)


def logits(models, ids, visit=None) -> np.ndarray:
    import torch

    with watching(models, visit or (lambda *seen: None)), torch.inference_mode():
        return models.model(input_ids=ids).logits.numpy()


@pytest.mark.parametrize("name", ["one", "high"])
def test_patching_every_layer_restores_the_answers_of_the_fine_tune_exactly(models, rows, walks, activations, name):
    models.switch(name)
    own = generated(models, rows)
    models.switch("base")
    assert own != generated(models, rows)
    assert (
        patching.patched_answers(models, patching.record_to_patch(models, name, rows, walks), LAYERS, rows, walks)
        == own
    )
    assert patching.own_answers(models, activations, name, rows, walks) == own


def test_patching_before_the_adapter_changes_nothing(models, rows, walks):
    models.switch("base")
    base = generated(models, rows)
    recorded = patching.record_to_patch(models, "high", rows, walks)
    for layer in (0, 1):
        assert patching.patched_answers(models, recorded, layer, rows, walks) == base


@pytest.mark.parametrize("layer", range(LAYERS + 1))
def test_the_adapter_up_to_a_layer_is_the_base_with_the_states_of_that_layer(models, walks, layer):
    _, ids = next(batches(walks, 8))
    states = []
    models.switch("one")
    logits(models, ids, lambda site, here, hidden: states.append(hidden))
    models.switch("base")
    patched = logits(models, ids, lambda site, here, hidden: states[layer] if here == layer else None)
    models.switch("one", range(layer + 1))
    np.testing.assert_allclose(logits(models, ids), patched, atol=1e-5)


def test_answers_go_on_from_what_was_read_and_are_those_generated_from_the_prompt(models, rows, walks, monkeypatch):
    monkeypatch.setattr("ascii_maze.mri.answering.answer_mazes", None)  # from the prompt: not called
    whole = {name: patching.partial_answers(models, name, range(LAYERS + 2), rows, walks) for name in ("base", "one")}
    monkeypatch.undo()
    for name, answers in whole.items():
        models.switch(name)
        assert answers == generated(models, rows)
    assert patching.can_go_on(models, rows, walks)
    monkeypatch.setattr("ascii_maze.mri.reading.why_not", lambda model: "its positions are not rotary")
    assert not patching.can_go_on(models, rows, walks)
    for name, answers in whole.items():
        assert patching.partial_answers(models, name, range(LAYERS + 2), rows, walks) == answers


def test_a_reference_solution_that_is_likeliest_is_not_generated(models, rows, walks, monkeypatch):
    right = [np.ones(len(walk.moves) + 1, dtype=bool) for walk in walks]
    monkeypatch.setattr("ascii_maze.models.generation.complete", None)
    assert reference_or_generated(models, rows, walks, right) == [row["solution"] for row in rows]


def test_accuracy_by_role_goes_from_the_base_s_to_the_fine_tune_s(models, walks):
    of = patching.patched_accuracy(models, "one", walks)
    assert of["prompt"][LAYERS] == of["base"][0]  # what follows the last layer looks at no other token
    assert of["answer"][LAYERS] == of["fine_tune"][0]
    assert of["prompt"][0] == of["answer"][0] == of["base"][0]
    assert of["base"] != of["fine_tune"]


def test_the_lens_on_the_last_layer_is_the_model_s_own_answer(models, rows, walks, activations):
    decisions = move_labels(rows, walks)["decision"]
    lens = logit_lens(models, activations, walks, decisions)
    for name in ("base", "one"):
        models.switch(name)
        probabilities = [np.zeros(0)] * len(walks)
        for chosen, ids in batches(walks, 8):
            table = logits(models, ids).astype(np.float64)
            table = np.exp(table - table.max(-1, keepdims=True))
            table /= table.sum(-1, keepdims=True)
            for row, index in enumerate(chosen):
                walk = walks[index]
                probabilities[index] = table[row, walk.moves, walk.ids[walk.moves + 1]]
        right = np.concatenate(probabilities)
        assert lens[name]["probability"][LAYERS] == pytest.approx(right.mean(), rel=1e-4)
        assert lens[name]["probability_at_decisions"][LAYERS] == pytest.approx(right[decisions].mean(), rel=1e-4)
    assert lens["zero"] == lens["base"]
    assert lens["copy"] == lens["one"]


def test_divergence_is_zero_without_a_change_and_positive_with_one(models, activations):
    kl = {name: next_token_kl(models, activations, "base", name) for name in ("zero", "one", "copy")}
    assert not kl["zero"].any()
    np.testing.assert_array_equal(kl["copy"], kl["one"])
    assert kl["one"].mean(axis=0).min() > 0.01
    assert kl["one"].min() > -1e-6
    np.testing.assert_allclose(next_token_kl(models, activations, "one", "base"), kl["one"][:, ::-1])


def test_a_wide_vocabulary_is_read_in_parts_and_gives_the_same(models, activations, monkeypatch):
    whole, width = next_token_kl(models, activations, "base", "one"), models.head.out_features
    monkeypatch.setattr(lens, "LOGITS", 3 * width + 1)
    assert list(lens.slices(models, 7)) == [slice(0, 3), slice(3, 6), slice(6, 9)]
    np.testing.assert_allclose(next_token_kl(models, activations, "base", "one"), whole, rtol=1e-4, atol=1e-6)


def test_an_adapter_is_at_work_where_it_has_weights(models):
    assert models.stages("one") == {1, 2, 3}
