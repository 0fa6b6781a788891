"""Completes growing conversations without reading the tokens of earlier turns again.

The keys and values of each conversation are cached, and a turn reads only the new tokens. In a batch the cached part
and the new part are each padded on the left:

    [padding | kept][padding | new]

The mask hides the padding in the middle, and positions count tokens, so that the result is that of reading
the whole conversation, up to rounding. What does not fit into the cache is read again.
"""

from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from ..errors import AsciiMazeError
from ..mazes.prompts import Message
from .budgets import ROOM
from .chat import count_tokens, render_prompt
from .shared_prefix import why_not

# Attention scores per head of a pass: rows, times new tokens, times all tokens; twice that if the row with most cached
# tokens has the fewest new ones, since the two parts are padded on their own.
READ = 2**23


class Kept(NamedTuple):
    """The cache of a conversation.

    Attributes:
        ids: its tokens.
        layers: keys and values of each layer, shape (heads, tokens, size).
    """

    ids: list[int]
    layers: list[tuple[Any, Any]]

    @property
    def bytes(self) -> int:
        """Its memory in bytes."""
        return sum(tensor.nbytes for layer in self.layers for tensor in layer)


def can_keep(model) -> bool:
    """Whether the keys and values of a model's conversations can be cached and padded: plain layers, rotary positions.

    Several processes with sharded weights must make equally many passes, and cache nothing.
    """
    import torch
    from transformers import DynamicCache

    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    if not alone or why_not(model) is not None:
        return False
    layers = DynamicCache(config=model.config.get_text_config()).layers
    return all(type(layer).__name__ == "DynamicLayer" for layer in layers)


class Memory:
    """The caches of many conversations, by name.

    Args:
        model: for which `can_keep` holds.
        room: the most bytes to cache; by default twice `ROOM`, so that on a CPU two batches do not evict each other,
            and `ROOM` on a GPU, which has less memory to spare and reads faster.
    """

    def __init__(self, model, room: int | None = None) -> None:
        self.model, self.used = model, 0
        self.room = (ROOM if model.device.type == "cuda" else 2 * ROOM) if room is None else room
        self.kept: dict[Hashable, Kept] = {}

    def forget_others(self, names: Iterable[Hashable]) -> None:
        """Remove the caches of all conversations but these: the others have ended, and would take up the room."""
        for name in self.kept.keys() - set(names):
            self._take(name)

    def read_ahead(self, names: Sequence[Hashable], rows: Sequence[list[int]], padding: int) -> None:
        """Read all but the last token of the conversations with most new tokens, until one pass over the whole batch
        is small enough (`READ`).

        A pass is padded to its longest row. A few conversations that are read anew would cost as much as if all were,
        and many would take gigabytes of attention scores. Those of like length are read together; they are cached
        whether there is room or not, since they are about to be taken.

        Args:
            rows: as in `take`.
            padding: the padding token.
        """
        news = [
            len(row) - (_common(self.kept[name].ids, row, len(row) - 1) if name in self.kept else 0)
            for name, row in zip(names, rows)
        ]
        left, longest = sorted(range(len(rows)), key=lambda place: news[place], reverse=True), max(map(len, rows))
        while left and news[left[0]] > 1 and len(rows) * news[left[0]] * longest > READ:
            count = max(1, READ // (news[left[0]] * longest))
            group, left = left[:count], left[count:]
            group = [place for place in group if news[place] > 1]
            self._read([names[place] for place in group], [rows[place][:-1] for place in group], padding)

    def take(self, names: Sequence[Hashable], rows: Sequence[list[int]], padding: int):
        """A batch of conversations, whose caches are removed from the memory.

        Args:
            rows: all tokens of each, up to the end of the new ones.
            padding: the padding token.

        Returns:
            Tokens and mask, int64, shape (conversations, tokens), and a cache of their first columns; None if no
                column is cached.
        """
        import torch

        found = [self._take(name) for name in names]
        # At least one token must be read, for the logits of the next.
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
        """Cache a conversation, if there is room.

        Args:
            ids: its tokens; the last ones may not have been read yet.
            columns: bool, shape (tokens of the batch,), the columns of its tokens.
            cache: of the batch.
            place: its row in the cache.
        """
        one = _kept(ids, columns, cache, place)
        if self.used + one.bytes <= self.room:
            self._put(name, one)

    def _read(self, names: Sequence[Hashable], rows: Sequence[list[int]], padding: int) -> None:
        """Read conversations to their end, and cache them."""
        import torch

        from .growing_cache import growing_cache

        tokens, mask, cache = self.take(names, rows, padding)
        cache = cache or growing_cache(self.model.config.get_text_config())
        known = cache.get_seq_length()
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        with torch.inference_mode():
            self.model(
                input_ids=tokens[:, known:],
                attention_mask=mask,
                position_ids=positions[:, known:],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        for place, (name, row) in enumerate(zip(names, rows)):
            self._put(name, _kept(row, mask[place].bool(), cache, place))

    def _put(self, name: Hashable, one: Kept) -> None:
        self._take(name)
        self.used += one.bytes
        self.kept[name] = one

    def _take(self, name: Hashable) -> Kept | None:
        one = self.kept.pop(name, None)
        self.used -= one.bytes if one else 0
        return one

    def _cache(self, found: list[Kept | None], known: list[int], width: int):
        from .growing_cache import growing_cache

        cache, some = growing_cache(self.model.config.get_text_config()), next(filter(None, found))
        for layer, (key, value) in enumerate(some.layers):
            whole = [x.new_zeros(len(found), x.shape[0], width, x.shape[2]) for x in (key, value)]
            for place, (one, length) in enumerate(zip(found, known)):
                if one and length:
                    for tensor, part in zip(whole, one.layers[layer]):
                        tensor[place, :, width - length :] = part[:, :length]
            cache.update(*whole, layer)
        return cache


def _kept(ids: list[int], columns, cache, place: int) -> Kept:
    """What a cache holds of the row `place`; see `Memory.keep`."""
    read = columns[: cache.get_seq_length()]
    return Kept(ids[: int(read.sum())], [(x.keys[place][:, read], x.values[place][:, read]) for x in cache.layers])


def within_context(tokenizer, context: int | None, talk: list[Message], budget: int) -> list[Message]:
    """A conversation without its oldest exchanges, such that it and the next turn fit into the context.

    If it does not fit, about half of it is dropped at once, and the same half for some turns. Otherwise the
    conversation would begin elsewhere in every turn, and nothing of it could be cached.

    Args:
        context: the most tokens that the model reads; None if unknown.
        budget: tokens of the next turn.

    Raises:
        AsciiMazeError: not even the rules and the newest observation fit.
    """
    if context is None or _tokens(tokenizer, talk) + budget <= context:
        return talk
    first = _first_kept(tokenizer, talk, context - budget)
    while _tokens(tokenizer, kept := [talk[0], *talk[first:]]) + budget > context:
        if len(kept) == 2:
            raise AsciiMazeError(
                f"the model reads {context} tokens, and no observation fits in addition to a turn of {budget}; "
                "give a smaller --max-new-tokens, or a smaller --stepwise window"
            )
        first += 2
    return kept


def _first_kept(tokenizer, talk: list[Message], room: int) -> int:
    """An estimate of the index where the kept part of a conversation begins: as it grew turn by turn, half of it was
    dropped whenever it did not fit.
    """
    probe = [{"role": role, "content": "R"} for role in ("user", "assistant", "user")]
    around = _tokens(tokenizer, probe) / len(probe)  # the template's tokens around a message, and one too many
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
    most = min(most, len(one))
    if one[:most] == other[:most]:  # the usual case, many times as fast as a loop
        return most
    return next(place for place, (a, b) in enumerate(zip(one, other)) if a != b)
