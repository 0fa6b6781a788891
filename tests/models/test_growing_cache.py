"""Keys and values that new tokens are written into: the same as a copy of everything, without the copy."""

import pytest
import torch
from transformers import DynamicCache, LlamaConfig

from ascii_maze.models.growing_cache import SPARE, GrowingLayer, append, growing_cache


def some(rows=3, heads=2, tokens=5, size=4, seed=0):
    return torch.randn(rows, heads, tokens, size, generator=torch.Generator().manual_seed(seed))


WAYS = {
    "as it is": lambda x: x,
    "some rows": lambda x: x[torch.tensor([2, 0])],
    "a row": lambda x: x[1:2],
    "a row for all": lambda x: x[:1].expand(4, -1, -1, -1),
    "without the last": lambda x: x[:, :, :-2],
    "without the first": lambda x: x[:, :, 1:],
    "some rows without the first": lambda x: x[:2, :, 1:],
    "the other way round": lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
    "one head": lambda x: x[:, :1],
    "nothing": lambda x: torch.tensor([]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("before", [1, SPARE, 3 * SPARE])
def test_it_is_what_a_copy_would_be(way, before):
    """Whatever layout the tensor has; and what it was made from keeps its values."""
    whole = append(append(torch.tensor([]), some(tokens=before)), some(tokens=2, seed=1))
    held = WAYS[way](whole)
    rows, heads = held.shape[:2] if held.numel() else (3, 2)
    kept, values = (whole, whole.clone()) if way != "without the last" else (held, held.clone())
    for number in range(2 * SPARE):
        new = some(rows, heads, 1 + number % 2, seed=number)
        expected = torch.cat([held, new], -2)
        held = append(held, new)
        assert torch.equal(held, expected)
    assert torch.equal(kept, values)


def test_a_token_is_written_into_spare_memory():
    layer = GrowingLayer()
    with torch.inference_mode():
        keys, values = layer.update(some(), some(seed=1))
        places = keys.data_ptr(), values.data_ptr()
        for number in range(SPARE):
            keys, values = layer.update(some(tokens=1, seed=number), some(tokens=1))
        assert (keys.data_ptr(), values.data_ptr()) == places
        assert layer.get_seq_length() == keys.shape[2] == 5 + SPARE
        assert layer.update(some(tokens=1), some(tokens=1))[0].data_ptr() != places[0]


def test_what_is_cropped_is_not_written_over():
    layer = GrowingLayer()
    with torch.inference_mode():
        keys, _ = layer.update(some(), some())
        before = keys.clone()
        layer.crop(-2)
        layer.update(some(tokens=2, seed=1), some(tokens=2))
        assert torch.equal(keys, before)
        assert torch.equal(layer.keys[:, :, 3:], some(tokens=2, seed=1))


def test_with_gradients_it_copies():
    layer, one = GrowingLayer(), some().requires_grad_()
    layer.update(one, one)
    layer.update(some(tokens=1), some(tokens=1))
    layer.keys.sum().backward()
    assert torch.equal(one.grad, torch.ones_like(one))


def test_only_plain_layers_are_replaced():
    shape = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 3}
    assert [type(layer).__name__ for layer in growing_cache(LlamaConfig(**shape)).layers] == ["GrowingLayer"] * 3
    config = LlamaConfig(**shape)
    config.layer_types, config.sliding_window = ["full_attention", "sliding_attention", "full_attention"], 4
    plain = [type(layer).__name__ for layer in DynamicCache(config=config).layers]
    made = [type(layer).__name__ for layer in growing_cache(config).layers]
    assert made == [name.replace("DynamicLayer", "GrowingLayer") for name in plain] != plain
