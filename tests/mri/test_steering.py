"""States pushed along a direction: what is planted steers, and random directions of the same norm do less."""

import copy

import numpy as np
import pytest

from ascii_maze.errors import AsciiMazeError
from ascii_maze.metrics.path_validity.maze import Maze
from ascii_maze.metrics.path_validity.styles import OPEN, WALL
from ascii_maze.mri import steering, walls
from ascii_maze.mri.components import gradients
from ascii_maze.mri.labels import move_labels
from ascii_maze.mri.models import as_models
from ascii_maze.mri.odds import asked_moves, log_odds, score_batches
from ascii_maze.mri.positions import map_tokens
from ascii_maze.mri.reading import batches, read_walks, record
from ascii_maze.mri.steering import DOSES, mean_change, steer
from ascii_maze.mri.walls import close_places, find_wall_effect

from .conftest import LAYERS


@pytest.fixture(scope="module")
def asked(rows, walks):
    return asked_moves(walks, move_labels(rows, walks)["decision"])


def test_a_change_of_zero_steers_nowhere(models, walks, asked):
    found = steer(models, "base", "zero", walks, asked, 0)
    assert found["layers"] == [1, 2, 3]
    for key in ("response", "random"):
        assert {value for row in found[key] for value in row} == {0.0}


def test_at_the_last_layer_a_dose_of_one_is_that_change(models, walks, asked):
    import torch

    found = steer(models, "base", "one", walks, asked, 0)
    tuned, own = (record(models, name, walks) for name in ("one", "base"))
    change = torch.from_numpy(mean_change(tuned, own, LAYERS))
    models.switch("base")
    odds = []
    for batch in own.batches:
        moved = log_odds(models, batch.states[-1] + change, batch.walks, [asked[index] for index in batch.chosen])
        odds += (moved.numpy() - score_batches(models, read_walks(models, walks)[1], asked)[batch.chosen]).tolist()
    assert found["response"][-1][DOSES.index(1.0)] == pytest.approx(np.mean(odds), abs=1e-4)
    assert found["response"][-1][-1] != 0.0


def test_a_planted_direction_steers_more_than_random_ones_of_its_norm(models, walks, asked, monkeypatch):
    """The direction along which the log odds of right moves rise fastest is planted as the mean change."""
    models.switch("base")
    chosen, ids = next(batches(walks, len(walks)))
    _, slopes = gradients(models, ids, [walks[i] for i in chosen], [asked[i] for i in chosen])
    at_moves = [slopes[-1][row, walks[index].moves[asked[index]]] for row, index in enumerate(chosen)]
    best = np.concatenate([each.numpy() for each in at_moves]).mean(axis=0)
    best = (best / np.linalg.norm(best)).astype(np.float32)
    monkeypatch.setattr(steering, "mean_change", lambda after, before, layer: best)
    found = steer(models, "base", "one", walks, asked, 0)
    response, random = found["response"][-1], found["random"][-1]
    assert response == sorted(response)
    assert response[0] > 0
    assert all(one > 2 * abs(other) for one, other in zip(response, random))


@pytest.fixture(scope="module")
def walled(peft_model, tokenizer, walks, rows):
    """The small model whose embedding of a wall is that of open ground and a planted direction."""
    import torch

    model = copy.deepcopy(peft_model)
    tokens = map_tokens(rows[0], tokenizer)
    lines = np.array([list(line) for line in rows[0]["maze"].split("\n")])
    wall, opened = (int(walks[0].ids[tokens[lines == symbol][0]]) for symbol in (WALL, OPEN))
    planted = 4 * torch.from_numpy(np.random.default_rng(0).normal(size=32).astype(np.float32))
    weight = model.get_input_embeddings().weight
    weight.data[wall] = weight.data[opened] + planted
    return as_models(model.eval(), tokenizer, ["zero", "one", "copy", "high"]), planted.numpy()


def test_a_planted_wall_direction_is_found_and_steers(walled, rows, walks):
    models, planted = walled
    models.switch("base")
    mazes, tables = [Maze.from_ascii(row["maze"]) for row in rows], [map_tokens(r, models.tokenizer) for r in rows]
    directions = walls._directions(models, walks, mazes, tables)
    np.testing.assert_allclose(directions[0], planted, atol=1e-4)
    found = close_places(models, rows, walks, 0)
    assert 0 < found["cases"] <= found["asked"] <= len(rows)
    assert found["added"][0] == found["removed"][0] == 1.0  # the state is the true wall's
    assert found["added_random"][0] < 1.0
    assert len(found["added"]) == LAYERS + 1
    assert found["added"][LAYERS] == 0.0  # after the last layer nothing else looks at that place


@pytest.fixture
def hidden(peft_model, tokenizer, walks, rows):
    """The small model, to which a wall is open ground until the first layer's MLP adds a planted direction there."""
    import torch

    model = copy.deepcopy(peft_model)
    tokens = map_tokens(rows[0], tokenizer)
    lines = np.array([list(line) for line in rows[0]["maze"].split("\n")])
    wall, opened = (int(walks[0].ids[tokens[lines == symbol][0]]) for symbol in (WALL, OPEN))
    planted = 16 * np.random.default_rng(0).normal(size=32).astype(np.float32)
    embedding, read = model.get_input_embeddings(), []
    embedding.weight.data[wall] = embedding.weight.data[opened]
    embedding.register_forward_hook(lambda module, given, output: read.append(given[0]))
    models = as_models(model.eval(), tokenizer, ["zero", "one", "copy", "high"])
    models.layers[0].mlp.register_forward_hook(
        lambda module, given, output: output + (read[-1] == wall)[..., None] * torch.from_numpy(planted)
    )
    return models, planted


def test_a_wall_direction_planted_in_a_hidden_layer_is_found_there_and_steers(hidden, rows, walks):
    models, planted = hidden
    models.switch("base")
    mazes, tables = [Maze.from_ascii(row["maze"]) for row in rows], [map_tokens(r, models.tokenizer) for r in rows]
    below, there, *_ = walls._directions(models, walks, mazes, tables)
    assert not below.any()
    assert there @ planted > 0.99 * np.linalg.norm(there) * np.linalg.norm(planted)
    found = close_places(models, rows, walks, 0)
    assert found["cases"] > 0
    assert found["added"][0] == 0.0
    assert found["added"][1] == 1.0 > found["added_random"][1]


def test_places_that_share_a_token_are_not_closed(models, rows, walks, monkeypatch):
    monkeypatch.setattr(walls, "map_tokens", lambda row, tokenizer: np.zeros((7, 7), dtype=int))
    with pytest.raises(AsciiMazeError, match="share tokens"):
        close_places(models, rows, walks, 0)
    found, missing = find_wall_effect(models, rows, walks, 0)
    assert found is None
    assert list(missing) == ["walls put in and taken out inside"]
    assert find_wall_effect(models, [], [], 0) == (None, {})
