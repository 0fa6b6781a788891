"""Conversations turn by turn: only what is new is read, and the answers are those of the whole conversation."""

from contextlib import nullcontext

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from ascii_maze import generate_mazes
from ascii_maze.environment.env import MazeEnv
from ascii_maze.environment.walks import walk_all
from ascii_maze.models.generation import Decoding, complete, conversing
from ascii_maze.models.turns import Memory, can_keep, within_context
from ascii_maze.tiny.pretraining.vocabulary import VOCABULARY, build_tokenizer

BUDGET = 12
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}


@pytest.fixture(scope="module")
def walker():
    """A random model that is large enough to say different things of different conversations."""
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(VOCABULARY), **SIZES, num_hidden_layers=2, initializer_range=0.3)
    model = LlamaForCausalLM(config)
    return model.eval(), build_tokenizer(1024)


def walks(walker, converse, seed=None):
    """Eight episodes by a model, the texts of which do not depend on whether the walls were met."""
    envs = [MazeEnv(maze, "window:2", 9) for maze in generate_mazes("depth_first", 3, 3, 8, 0)]
    asked = []

    def ask(talks, turn):
        decoding = Decoding(1, 0.0 if seed is None else 1.0, 10 * (seed or 0) + turn, 3)
        answers = converse([id(talk) for talk in talks], talks, BUDGET, decoding)
        asked.extend(answers)
        return answers

    made = walk_all(envs, ask, lambda done: None)
    return [walk.talk for walk in made], asked


def anew(walker):
    """Reads every conversation as a whole."""
    return lambda names, talks, budget, decoding: [one for (one,) in complete(*walker, talks, budget, decoding)]


@pytest.mark.parametrize("seed", [None, 1])
def test_the_answers_are_those_of_whole_conversations(walker, seed):
    ours, said = walks(walker, conversing(*walker), seed)
    theirs, _ = walks(walker, anew(walker), seed)
    assert ours == theirs
    assert len(set(said)) > 4
    assert max(map(len, ours)) > 6


def test_what_was_read_is_not_read_again(walker, monkeypatch):
    model, _ = walker
    forward, read = model.model.forward, []

    def counted(input_ids, **kwargs):
        read.append(input_ids.numel())
        return forward(input_ids=input_ids, **kwargs)

    monkeypatch.setattr(model.model, "forward", counted)
    walks(walker, conversing(*walker))
    kept, read[:] = sum(read), []
    walks(walker, anew(walker))
    assert kept < 0.6 * sum(read)


def test_without_room_everything_is_read_again_and_the_answers_stay(walker, monkeypatch):
    whole = walks(walker, anew(walker))
    for room in (0, 20_000):
        monkeypatch.setattr("ascii_maze.models.generation.Memory", lambda model, room=room: Memory(model, room))
        assert walks(walker, conversing(*walker)) == whole


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("room", [0, 10**9])
def test_no_pass_is_larger_than_its_limit_and_the_answers_stay(walker, monkeypatch, room, seed):
    """With the least limit, conversations are read one by one; with a larger one, those of like length together."""
    model, _ = walker
    whole, forward, passes = walks(walker, anew(walker), seed), model.model.forward, []

    def counted(input_ids, past_key_values, **kwargs):
        rows, new = input_ids.shape
        passes.append((rows, new, rows * new * (past_key_values.get_seq_length() + new)))
        return forward(input_ids=input_ids, past_key_values=past_key_values, **kwargs)

    monkeypatch.setattr("ascii_maze.models.generation.Memory", lambda model: Memory(model, room))
    monkeypatch.setattr("ascii_maze.models.generation.sharing", lambda *_: nullcontext())
    monkeypatch.setattr(model.model, "forward", counted)
    assert walks(walker, conversing(*walker), seed) == whole
    largest = max(size for *_, size in passes)
    for limit in (1, largest // 3):
        monkeypatch.setattr("ascii_maze.models.turns.READ", limit)
        passes.clear()
        assert walks(walker, conversing(*walker), seed) == whole
        together = [(new, size) for rows, new, size in passes if rows > 1]
        # What is cached and what is new are padded each on its own, to twice the longest row at most.
        assert all(new == 1 or size <= 2 * limit for new, size in together)
    assert max(new for new, _ in together) > 1


def test_what_is_read_ahead_is_cached_as_if_it_were_read_alone(walker, monkeypatch):
    """Some conversations go on from what is cached, others begin; keys and values depend on the positions."""
    model, _ = walker
    monkeypatch.setattr("ascii_maze.models.turns.READ", 60)
    memory, rows = Memory(model), [[1, 2, 3, 4, 5, 6], [7, 8, 9], [5, 4, 3, 2]]
    memory.read_ahead("abc", rows, 0)
    assert {name: one.ids for name, one in memory.kept.items()} == {"a": [1, 2, 3, 4, 5], "b": [7, 8], "c": [5, 4, 3]}
    rows = [[*row, *range(10, 16)] for row in rows] + [[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]]
    monkeypatch.setattr("ascii_maze.models.turns.READ", 300)  # d with one that is cached, then the others
    memory.read_ahead("abcd", rows, 0)
    assert memory.kept.keys() == set("abcd")
    for name, row in zip("abcd", rows):
        assert memory.kept[name].ids == row[:-1]
        alone = model(torch.tensor([row[:-1]]), use_cache=True).past_key_values
        for (key, value), layer in zip(memory.kept[name].layers, alone.layers):
            torch.testing.assert_close(key, layer.keys[0])
            torch.testing.assert_close(value, layer.values[0])


def test_a_conversation_that_has_lost_its_beginning_is_read_from_there(walker):
    """What is forgotten for lack of context, or written in other tokens than it was answered in."""
    converse = conversing(*walker)
    talk = [{"role": "user", "content": "#####"}, {"role": "assistant", "content": "R"}]
    talks = [[*talk, {"role": "user", "content": content}] for content in ("moved 1", "# G", "@")]
    for cut in (talks, [one[2:] for one in talks], [[*one, *talk[::-1]] for one in talks]):
        assert converse([0, 1, 2], cut, BUDGET, Decoding()) == anew(walker)([0, 1, 2], cut, BUDGET, Decoding())


def test_a_memory_keeps_to_its_room_and_forgets_what_it_gives(walker):
    model, _ = walker
    memory = Memory(model, 10**6)
    tokens, mask, cache = memory.take(["a", "b"], [[1, 2, 3], [1, 2]], 0)
    assert cache is None
    assert tokens.tolist() == [[1, 2, 3], [0, 1, 2]]
    out = model(tokens, attention_mask=mask, use_cache=True)
    for place, name in enumerate("ab"):
        ids = tokens[place][mask[place].bool()].tolist()
        memory.keep(name, ids, mask[place].bool(), out.past_key_values, place)
    assert memory.used == sum(one.bytes for one in memory.kept.values()) > 0
    tokens, mask, cache = memory.take(["b", "a", "c"], [[1, 2, 5], [1, 2, 9, 4], [7]], 0)
    assert (memory.used, memory.kept) == (0, {})
    assert cache.get_seq_length() == 2
    assert tokens.tolist() == [[1, 2, 0, 5], [1, 2, 9, 4], [0, 0, 0, 7]]
    assert mask.tolist() == [[1, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 1]]


def test_a_memory_holds_more_than_the_batch_that_is_continued(walker, monkeypatch):
    """Otherwise two batches would take turns in evicting each other, and every turn would read half of them anew."""
    model, _ = walker
    monkeypatch.setattr("ascii_maze.models.turns.ROOM", 1000)
    assert Memory(model).room == 2000
    assert Memory(model, 10).room == 10


def test_models_of_other_caches_keep_nothing(walker):
    model, _ = walker
    assert can_keep(model)
    sliding = MistralConfig(vocab_size=99, **SIZES, num_hidden_layers=1, sliding_window=8)
    assert not can_keep(MistralForCausalLM(sliding))


def test_what_is_forgotten_stays_so_for_some_turns():
    """A conversation begins at the same exchange until it does not fit again."""
    tokenizer, talk = build_tokenizer(1024), [{"role": "system", "content": "rules, left out by the template" * 20}]
    begins, sizes = [], []
    for turn in range(40):
        talk.append({"role": "user", "content": "#" * (20 + turn % 7)})
        kept = within_context(tokenizer, 300, talk, 20)
        assert kept[0] == talk[0]
        assert kept[1:] == talk[len(talk) - len(kept) + 1 :]
        assert kept[1]["role"] == "user"
        sizes.append(len(tokenizer.apply_chat_template(kept, add_generation_prompt=True, return_dict=False)))
        begins.append(len(talk) - len(kept))
        talk.append({"role": "assistant", "content": "R R"})
    assert max(sizes) <= 280
    assert min(sizes[12:]) > 100
    assert begins == sorted(begins)
    assert len(set(begins)) <= 8


def test_a_conversation_that_has_ended_takes_up_no_room(walker, monkeypatch):
    made = []
    monkeypatch.setattr("ascii_maze.models.generation.Memory", lambda model: made.append(Memory(model)) or made[-1])
    converse = conversing(*walker)
    talks = [[{"role": "user", "content": content}] for content in ("#### S", "## G", "@")]
    converse([0, 1, 2], talks, BUDGET, Decoding())
    assert made[0].kept.keys() == {0, 1, 2}
    converse([2], talks[2:], BUDGET, Decoding())
    assert made[0].kept.keys() == {2}
    assert made[0].used == made[0].kept[2].bytes
