import dataclasses

import numpy as np
import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.mri.activations import POSITIONS, Activations, changes_nothing, extract
from ascii_maze.mri.models import watching

from .conftest import LAYERS


def states(models, name: str, walk) -> list[np.ndarray]:
    """Every layer's states of one walk that is read alone, float32 (tokens, width) each."""
    import torch

    models.switch(name)
    found = []
    with watching(models, lambda site, layer, hidden: found.append(hidden[0].numpy())), torch.inference_mode():
        models.model(input_ids=torch.from_numpy(walk.ids)[None])
    return found


@pytest.mark.parametrize("name", ["base", "one"])
def test_what_is_read_back_is_what_the_model_holds_there(models, walks, activations, name):
    first = 0
    for index, walk in enumerate(walks[:5]):
        alone = states(models, name, walk)
        for layer in range(LAYERS + 1):
            for position in ("last_prompt", "start", "goal", "answer_end"):
                row = activations.read(name, layer, position)[index]
                np.testing.assert_allclose(row, alone[layer][getattr(walk, position)], atol=1e-4)
            mean = activations.read(name, layer, "maze_mean")[index]
            np.testing.assert_allclose(mean, alone[layer][walk.maze].mean(axis=0), atol=1e-4)
            moves = activations.read(name, layer, "moves")[first : first + len(walk.moves)]
            np.testing.assert_allclose(moves, alone[layer][walk.moves], atol=1e-4)
        first += len(walk.moves)


def test_transformers_own_hidden_states_are_the_same(models, walks):
    import torch

    models.switch("one")
    ids = torch.from_numpy(walks[0].ids)[None]
    with torch.inference_mode():
        theirs = models.model(input_ids=ids, output_hidden_states=True).hidden_states
    ours = states(models, "one", walks[0])
    for layer in range(LAYERS):
        np.testing.assert_array_equal(ours[layer], theirs[layer][0].numpy())
    with torch.inference_mode():  # theirs of the last layer is behind the normalisation
        normed = models.norm(torch.from_numpy(ours[LAYERS]))
    np.testing.assert_allclose(normed.numpy(), theirs[LAYERS][0].numpy(), atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 24])
def test_padding_and_batches_do_not_matter(models, walks, activations, tmp_path, side, batch_size):
    tokenizer = models.tokenizer
    before, tokenizer.padding_side = tokenizer.padding_side, side
    try:
        again = extract(models, walks, tmp_path, batch_size=batch_size)
    finally:
        tokenizer.padding_side = before
    for position in POSITIONS:
        one, two = (of.read("one", LAYERS, position) for of in (activations, again))
        np.testing.assert_allclose(one, two, atol=1e-4)


def test_attention_and_mlp_add_up_to_the_step_from_layer_to_layer(activations):
    for layer in range(1, LAYERS + 1):
        attention, mlp = (activations.read("one", layer, "moves", site) for site in ("attention", "mlp"))
        before, after = (activations.read("one", n, "moves") for n in (layer - 1, layer))
        np.testing.assert_allclose(before + attention + mlp, after, atol=1e-4)


def test_an_adapter_of_zeros_changes_nothing_and_others_do(activations):
    assert [name for name in activations.models[1:] if changes_nothing(activations, name)] == ["zero"]


def test_an_adapter_on_one_layer_changes_nothing_before_it(activations):
    for layer in range(LAYERS + 1):
        same = [
            np.array_equal(activations.read("base", layer, position), activations.read("high", layer, position))
            for position in POSITIONS
        ]
        assert set(same) == {layer < 2}


def test_copies_of_an_adapter_are_indistinguishable(activations):
    for layer in range(LAYERS + 1):
        for position in POSITIONS:
            one, copy = (activations.read(name, layer, position) for name in ("one", "copy"))
            np.testing.assert_array_equal(one, copy)


def test_an_adapter_that_does_not_run_is_named(models, walks, tmp_path, monkeypatch):
    monkeypatch.setattr(type(models), "switch", lambda self, name, stages=None: None)
    models.model.set_adapter("zero")
    with pytest.raises(AsciiMazeError, match="adapter 'one' is not zero, but changes no activation"):
        extract(models, walks[:4], tmp_path)


def test_walks_longer_than_the_context_are_refused(models, walks, tmp_path):
    with pytest.raises(UsageError, match=r"takes \d+ tokens, and the model reads at most 20"):
        extract(dataclasses.replace(models, context=20), walks, tmp_path)


def test_activations_that_are_no_numbers_are_refused_with_model_and_layer(models, walks, tmp_path):
    weight = models.layers[1].input_layernorm.weight
    kept = weight.data.clone()
    weight.data[0] = float("nan")
    try:
        with pytest.raises(AsciiMazeError, match="activations of 'base' at layer 2 are NaN or infinite"):
            extract(models, walks[:4], tmp_path)
    finally:
        weight.data.copy_(kept)


def test_a_folder_that_is_not_finished_is_no_activations(activations, tmp_path):
    with pytest.raises(UsageError, match="holds no activations"):
        Activations(tmp_path)
    with pytest.raises(UsageError, match="no activations of 'nobody' at layer 0, 'goal'"):
        activations.read("nobody", 0, "goal")
