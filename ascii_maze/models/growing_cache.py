"""A cache of keys and values that new tokens are written into, for generation.

The layers of transformers' `DynamicCache` copy everything they hold for each new token. For a large batch with long
prompts that takes longer than the model itself.
"""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

SPARE = 32  # tokens for which there is memory ahead of time


class GrowingLayer(DynamicLayer):
    """A `DynamicLayer` that appends in place. With gradients, which need what was there before, it copies."""

    keys: Any
    values: Any

    def update(self, key_states, value_states, *args, **kwargs):
        """Append, and return all keys and values."""
        if torch.is_grad_enabled():
            return super().update(key_states, value_states, *args, **kwargs)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys, self.values = append(self.keys, key_states), append(self.values, value_states)
        return self.keys, self.values

    def crop(self, tokens_to_remove: int) -> None:
        """Remove the last tokens; their memory may be in use elsewhere, and is not written into."""
        super().crop(tokens_to_remove)
        if self.is_initialized:
            self.keys, self.values = self.keys.clone(), self.values.clone()


def append(held: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """`held` followed by `new`, both of shape (rows, heads, tokens, size), with memory for more tokens behind.

    If `held` came from here, its memory is used again, so that nothing may be appended to it a second time.
    """
    rows, heads, tokens, size = new.shape
    before = held.shape[-2] if held.numel() else 0
    if not before or before + tokens > room_of(held):
        whole = new.new_empty(rows, heads, before + tokens + SPARE, size)
        if before:
            whole[:, :, :before] = held
        held = whole
    grown = held.as_strided((rows, heads, before + tokens, size), held.stride(), held.storage_offset())
    grown[:, :, before:] = new
    return grown


def room_of(held: torch.Tensor) -> int:
    """The number of tokens for which a tensor has memory: more than it holds only if it came from `append`."""
    rows, heads, tokens, size = held.shape
    room = held.stride(1) // size
    row, start = heads * room * size, held.storage_offset()
    fits = (start + rows * row) * held.itemsize <= held.untyped_storage().nbytes()
    return room if held.stride() == (row, room * size, size, 1) and start % row == 0 and fits else tokens


def growing_cache(config) -> DynamicCache:
    """An empty cache for a model, whose layers without a sliding window are `GrowingLayer`."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
