import numpy as np
import pytest

from ascii_maze.mri import reading
from ascii_maze.mri.activations import POSITIONS, extract
from ascii_maze.mri.patching import patched_accuracy, patched_answers, record_to_patch
from ascii_maze.mri.positions import locate_walks
from ascii_maze.mri.reading import cut_prefix, read, read_prefix, record, starting_after

from .conftest import LAYERS


@pytest.fixture(scope="module")
def ruled(rows, tokenizer):
    """Walks that all begin with the same rules, as they do where the chat template shows the system message."""
    template = tokenizer.chat_template
    tokenizer.chat_template = "{{ '# UDLR' * 8 }}\n" + template
    try:
        return locate_walks(rows, tokenizer, seed=0)
    finally:
        tokenizer.chat_template = template


def read_whole(monkeypatch) -> None:
    monkeypatch.setattr(reading, "SHORTEST", 10**6)


def test_what_all_walks_begin_with_is_cut_and_every_position_with_it(models, ruled):
    prefix, cut = cut_prefix(models, ruled)
    assert len(prefix) >= 32
    for walk, rest in zip(ruled, cut):
        np.testing.assert_array_equal(np.concatenate([prefix, rest.ids]), walk.ids)
        for position in ("start", "goal", "maze", "last_prompt", "moves", "answer_end", "cells"):
            np.testing.assert_array_equal(walk.ids[getattr(walk, position)], rest.ids[getattr(rest, position)])
            assert np.min(getattr(rest, position)) >= 0


def test_walks_without_a_common_beginning_are_read_whole(models, walks):
    prefix, cut = cut_prefix(models, walks)
    assert len(prefix) == 0
    assert cut == list(walks)


def test_states_are_the_same_whether_the_rules_are_read_once_or_in_every_row(models, ruled, tmp_path, monkeypatch):
    once = extract(models, ruled, tmp_path / "once", batch_size=7)
    read_whole(monkeypatch)
    whole = extract(models, ruled, tmp_path / "whole", batch_size=7)
    for name in ("base", "one"):
        for layer in range(LAYERS + 1):
            for position in POSITIONS:
                one, other = (found.read(name, layer, position) for found in (once, whole))
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)


def test_patching_is_the_same_whether_the_rules_are_read_once_or_in_every_row(models, rows, ruled, monkeypatch):
    def patched():
        recorded = record_to_patch(models, "one", rows, ruled)
        answers = [patched_answers(models, recorded, layer, rows, ruled) for layer in range(LAYERS + 1)]
        return recorded.prefix, answers, patched_accuracy(models, "one", ruled)

    once = patched()
    read_whole(monkeypatch)
    whole = patched()
    assert (once[0] is None, whole[0] is None) == (False, True)
    assert once[1:] == whole[1:]


@pytest.mark.parametrize("layer", range(LAYERS + 1))
def test_a_model_that_starts_after_a_layer_computes_none_below(models, walks, layer, monkeypatch):
    recorded = record(models, "one", walks[:5])
    (batch,) = recorded.batches
    models.switch("one")
    run = [0] * LAYERS
    for number, module in enumerate(models.layers):
        module.mlp.register_forward_hook(lambda *given, number=number: run.__setitem__(number, run[number] + 1))
    seen: list = []
    with starting_after(models, layer, batch.states[layer]):
        run[:] = [0] * LAYERS  # it may look first at what a layer returns
        read(models, batch.ids, None, lambda site, here, hidden, seen=seen: seen.append(hidden))
    assert run == [0] * layer + [1] * (LAYERS - layer)
    for here in range(layer, LAYERS + 1):
        np.testing.assert_array_equal(seen[here], batch.states[here])
    assert all("forward" not in vars(module) for module in models.layers)


def test_a_prefix_holds_keys_of_every_layer(models, ruled):
    ids, _ = cut_prefix(models, ruled)
    models.switch("base")
    prefix = read_prefix(models, ids)
    assert len(prefix.caches) == LAYERS
    assert {keys.shape[-2] for keys, _ in prefix.caches} == {len(ids)}
    assert len(prefix.states) == LAYERS + 1
