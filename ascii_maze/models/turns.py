"""Conversations that grow turn by turn, completed without reading again what was read in earlier turns.

The keys and values of each conversation are kept, and a turn reads only what has come since. In a batch both parts are
padded on the left, the kept ones and the new ones:

    [padding | kept][padding | new]

The mask hides the padding in the middle, and positions count tokens, so that the model computes what it would compute
from the whole conversation, up to rounding. What is kept takes memory: beyond `ROOM` a conversation is read again.
"""

from collections.abc import Hashable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from ..errors import AsciiMazeError
from ..mazes.prompts import Message
from .chat import count_tokens, render_prompt
from .shared_prefix import why_not

ROOM = 2 * 2**30  # bytes of keys and values


class Kept(NamedTuple):
    """What was read of a conversation.

    Attributes:
        ids: its tokens.
        layers: keys and values of each layer, shape (heads, tokens, size).
    """

    ids: list[int]
    layers: list[tuple[Any, Any]]

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(tensor.nbytes for layer in self.layers for tensor in layer)


def can_keep(model) -> bool:
    """Whether the keys and values of a model's conversations can be kept and padded: plain layers, rotary positions.

    Several processes with sharded weights must make equally many passes, and keep nothing.
    """
    import torch
    from transformers import DynamicCache

    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    if not alone or why_not(model) is not None:
        return False
    layers = DynamicCache(config=model.config.get_text_config()).layers
    return all(type(layer).__name__ == "DynamicLayer" for layer in layers)


class Memory:
    """What was read of many conversations, by any name.

    Args:
        model: for which `can_keep` holds.
        room: bytes that may be kept.
    """

    def __init__(self, model, room: int = ROOM) -> None:
        self.model, self.room, self.used = model, room, 0
        self.kept: dict[Hashable, Kept] = {}

    def take(self, names: Sequence[Hashable], rows: Sequence[list[int]], padding: int):
        """A batch of conversations; what was kept of them is forgotten.

        Args:
            rows: the tokens of each, to the end of what is to be read.
            padding: a token.

        Returns:
            Tokens and mask, int64, shape (conversations, tokens), and a cache of their first columns; None for no
            column.
        """
        import torch

        found = [self._take(name) for name in names]
        # At least one token is read, or there is nothing to go on from.
        known = [_common(one.ids, row, len(row) - 1) if one else 0 for one, row in zip(found, rows)]
        before, after = max(known), max(len(row) - length for row, length in zip(rows, known))
        tokens = torch.full((len(rows), before + after), padding)
        mask = torch.zeros_like(tokens)
        for place, (row, length) in enumerate(zip(rows, known)):
            for end, part in ((before, row[:length]), (before + after, row[length:])):
                tokens[place, end - len(part) : end] = torch.tensor(part, dtype=torch.int64)
                mask[place, end - len(part) : end] = 1
        device = self.model.device
        return tokens.to(device), mask.to(device), self._cache(found, known, before) if before else None

    def keep(self, name: Hashable, ids: list[int], columns, cache, place: int) -> None:
        """Keep a conversation, if there is room.

        Args:
            ids: its tokens, of which the last ones may not have been read.
            columns: bool, shape (tokens of the batch,), where they stand.
            cache: of the batch.
            place: of the conversation in it.
        """
        read = columns[: cache.get_seq_length()]
        one = Kept(ids[: int(read.sum())], [(x.keys[place][:, read], x.values[place][:, read]) for x in cache.layers])
        if self.used + one.bytes <= self.room:
            self.used += one.bytes
            self.kept[name] = one

    def _take(self, name: Hashable) -> Kept | None:
        one = self.kept.pop(name, None)
        self.used -= one.bytes if one else 0
        return one

    def _cache(self, found: list[Kept | None], known: list[int], width: int):
        from transformers import DynamicCache

        cache, some = DynamicCache(config=self.model.config.get_text_config()), next(filter(None, found))
        for layer, (key, value) in enumerate(some.layers):
            whole = [x.new_zeros(len(found), x.shape[0], width, x.shape[2]) for x in (key, value)]
            for place, (one, length) in enumerate(zip(found, known)):
                if one and length:
                    for tensor, part in zip(whole, one.layers[layer]):
                        tensor[place, :, width - length :] = part[:, :length]
            cache.update(*whole, layer)
        return cache


def within_context(tokenizer, context: int | None, talk: list[Message], budget: int) -> list[Message]:
    """A conversation shortened by its oldest exchanges until it and the next turn fit into the context.

    Where it does not fit, about half of it is left out at once, and the same half for some turns: what is read would
    otherwise begin elsewhere in every turn, and nothing of it could be kept.

    Args:
        context: tokens that the model reads; None where that is not known.
        budget: tokens of the turn.

    Raises:
        AsciiMazeError: not even the rules and the newest observation fit.
    """
    if context is None or _tokens(tokenizer, talk) + budget <= context:
        return talk
    first = _first_kept(tokenizer, talk, context - budget)
    while _tokens(tokenizer, kept := [talk[0], *talk[first:]]) + budget > context:
        if len(kept) == 2:
            raise AsciiMazeError(
                f"the model reads {context} tokens, and no observation fits beside a turn of {budget}; "
                "give a smaller --max-new-tokens, or a smaller --stepwise window"
            )
        first += 2
    return kept


def _first_kept(tokenizer, talk: list[Message], room: int) -> int:
    """Where what is kept of a conversation begins, by an estimate: turn by turn, as it grew, half of it went whenever
    it did not fit.
    """
    probe = [{"role": role, "content": "R"} for role in ("user", "assistant", "user")]
    around = _tokens(tokenizer, probe) / len(probe)  # the marks of a message, and one token too many
    sizes = [around + count_tokens(tokenizer, message["content"]) for message in talk]
    rules = _tokens(tokenizer, talk[:2]) - sizes[1]  # which a template may leave out
    ends = [0.0, *accumulate(sizes)]
    first = 1
    for end in range(2, len(talk) + 1, 2):
        if rules + ends[end] - ends[first] > room:
            while first < end - 1 and rules + ends[end] - ends[first] > (rules + room) / 2:
                first += 2
    return first


def _tokens(tokenizer, talk: list[Message]) -> int:
    return count_tokens(tokenizer, render_prompt(tokenizer, talk))


def _common(one: Sequence[int], other: Sequence[int], most: int) -> int:
    """Length of the common prefix of two rows, at most `most` tokens."""
    pairs = zip(one[:most], other)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), most))
