"""One maze from inside: what is drawn on the map is what the model does there."""

import numpy as np
import pytest

from ascii_maze.errors import UsageError
from ascii_maze.metrics.path_validity.maze import MOVES
from ascii_maze.metrics.path_validity.styles import GOAL, START
from ascii_maze.mri.models import watching
from ascii_maze.mri.one_maze import choose_maze, look_at, loudest_heads
from ascii_maze.mri.places import fit_places, place_labels
from ascii_maze.mri.positions import map_tokens, move_tokens
from ascii_maze.mri.report.maze_figures import maze_figures
from ascii_maze.templating.language import english

from .conftest import LAYERS, make_rows

NAMES = ["base", "one"]


@pytest.fixture(scope="module")
def view(models, rows, walks, activations):
    return look_at(models, NAMES, rows[3], rows, walks, activations, [], 0)


def test_every_place_of_the_map_has_the_token_of_its_character(rows, walks, tokenizer):
    for row, walk in zip(rows[:4], walks):
        tokens = map_tokens(row, tokenizer)
        lines = row["maze"].split("\n")
        assert tokens.shape == (len(lines), len(lines[0]))
        assert {tokens[r, c] for r, line in enumerate(lines) for c, symbol in enumerate(line) if symbol == START} == {
            walk.start
        }
        assert {tokens[r, c] for r, line in enumerate(lines) for c, symbol in enumerate(line) if symbol == GOAL} == {
            walk.goal
        }


def test_the_token_of_the_move_that_is_taken_is_the_walk_s_own(rows, walks, tokenizer):
    for row, walk in zip(rows[:4], walks):
        tokens = move_tokens(row, walk, tokenizer)
        taken = [list(MOVES).index(move) for move in walk.path]
        np.testing.assert_array_equal(tokens[np.arange(len(walk.path)), taken], walk.ids[walk.moves + 1])
        assert all(len(set(line)) == 4 for line in tokens.tolist())


def test_at_the_last_layer_the_chances_are_the_model_s_own(models, rows, walks, tokenizer, view):
    import torch

    assert view["layers"] == list(range(1, LAYERS + 1))
    tokens = move_tokens(rows[3], walks[3], tokenizer)
    for name in NAMES:
        models.switch(name)
        with torch.inference_mode():
            logits = models.model(input_ids=torch.from_numpy(walks[3].ids)[None]).logits[0, walks[3].moves]
        expected = np.take_along_axis(logits.softmax(-1).numpy(), tokens, axis=1)
        np.testing.assert_allclose(np.array(view["moves"][name][-1]), expected, atol=1e-5)


def test_attention_on_the_map_is_the_head_s_and_the_model_is_left_as_it_was(models, rows, walks, view):
    import torch

    implementation = models.model.get_base_model().config._attn_implementation
    look_at(models, ["base"], rows[3], rows, walks, _Nothing(), [], 0)
    assert models.model.get_base_model().config._attn_implementation == implementation
    assert len(view["heads"]) == 3
    for head in view["heads"]:
        for name in NAMES:
            on_map = np.array(head["maps"][name])
            assert on_map.min() >= 0
            assert 0 < on_map.sum() <= 1 + 1e-5
    states: list = []
    with watching(models, lambda site, layer, hidden: states.append(hidden)), torch.inference_mode():
        models.model(input_ids=torch.from_numpy(walks[0].ids)[None])
    assert len(states) == LAYERS + 1


class _Nothing:
    def read(self, model, layer, position):
        return np.random.default_rng(0).normal(size=(24 * 8, 32)).astype(np.float32)


def test_heads_that_do_most_when_patched_are_shown():
    none = {"estimate": 0.1, "exact": None, "ci": None}
    parts = [
        {"layer": 1, "head": 0, "into": none},
        {"layer": 1, "head": 1, "into": {"estimate": 0.0, "exact": -0.5, "ci": [-1, 0]}},
        {"layer": 1, "head": None, "into": {"estimate": 9.0, "exact": 9.0, "ci": [8, 10]}},
    ]
    assert loudest_heads([{"parts": parts}]) == [(1, 1), (1, 0)]
    assert loudest_heads([]) == []


def test_the_maze_is_the_one_asked_for_or_one_on_which_models_differ(rows):
    same, other = np.zeros(24, dtype=bool), np.arange(24) == 5
    assert choose_maze(rows, {"base": same, "one": other}, None)["id"] == "5"
    longest = max(rows, key=lambda row: len(row["solution"]))
    assert choose_maze(rows, {"base": same, "one": same}, None) == longest
    assert choose_maze(rows, {"base": same}, "7")["id"] == "7"
    with pytest.raises(
        UsageError, match="--maze x: none of the 24 mazes that are read has that id; there are 0, 1, 2"
    ):
        choose_maze(rows, {"base": same}, "x")


def test_places_that_the_states_know_are_found_and_noise_knows_none():
    rows = make_rows(120)
    _, labels, shape = place_labels(rows)
    assert labels.shape == (120, 49)
    assert shape == (7, 7)
    for row, places in zip(rows, labels.reshape(-1, 7, 7)):
        assert places.sum() == len(row["solution"].split()) + 1
        assert places[tuple(np.argwhere(np.array([list(line) for line in row["maze"].split("\n")]) == GOAL)[0])]
    rng = np.random.default_rng(0)
    planted = labels @ rng.normal(size=(49, 64)) + 0.1 * rng.normal(size=(120, 64))
    common = labels[:80].mean(axis=0) > 0.5
    scores = []
    for x in (planted, rng.normal(size=(120, 64))):
        predicted = fit_places(x[:80], labels[:80])(x[80:]) > 0.5
        scores.append((predicted == labels[80:]).mean() - (common == labels[80:]).mean())
    assert scores[0] > 0.05
    assert scores[1] < 0.01
    assert place_labels(rows[:30])[1] is None
    assert len(place_labels(rows, like=rows[0])[0]) < 120


def test_every_panel_is_drawn(view):
    figures = {drawn.kind: drawn.figure for drawn in maze_figures({"one_maze": view}, english)}
    assert set(figures) == {"maze_moves", "maze_attention", "maze_walls"}  # too few mazes for the way
    assert len(figures["maze_moves"].axes) == len(NAMES) * LAYERS
    for figure in figures.values():
        figure.draw_without_rendering()
