"""Batches are read as if row by row: every token is found again, and models of many kinds compute the same."""

import numpy as np
import peft
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from ascii_maze.models.prefix_plan import plan_batch
from ascii_maze.models.shared_prefix import SharedPrefix, backbone_of, disagreement, sharing, why_not

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def model_of(kind: str, attention: str = "sdpa", **changes):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **{**SIZES, **changes})
    return AutoModelForCausalLM.from_config(config, attn_implementation=attention)


def batch_of(rows: list[list[int]], left: list[int]):
    """Rows padded on both sides, as many columns on the left as said."""
    width = max(len(row) + pad for row, pad in zip(rows, left))
    ids, mask = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
    for number, (row, pad) in enumerate(zip(rows, left)):
        ids[number, pad : pad + len(row)], mask[number, pad : pad + len(row)] = row, 1
    return ids, mask


ROWS = st.lists(st.lists(st.integers(1, 3), min_size=2, max_size=12), min_size=2, max_size=9)


@given(ROWS, st.lists(st.integers(0, 3), min_size=9, max_size=9), st.lists(st.integers(1, 3), max_size=20))
def test_every_token_stands_where_the_plan_says_after_what_came_before_it_in_its_row(rows, left, common):
    rows = [common + row for row in rows]
    ids, mask = batch_of(rows, left)
    plan = plan_batch(ids, mask, pass_cost=0)
    if plan is None:
        return
    read = np.concatenate([stage.ids.ravel() for stage in plan.stages])
    positions = np.concatenate([stage.positions.ravel() for stage in plan.stages])
    real = mask == 1
    assert (read[plan.place] == ids)[real].all()
    assert (positions[plan.place] == mask.cumsum(1) - 1)[real].all()
    # What a row's last token finds in the cache, pass by pass: all of the row and nothing else.
    seen = np.zeros((1, 0), np.int64)
    found = np.zeros((1, 0), np.int64)
    for stage in plan.stages:
        seen = np.concatenate([seen[stage.parents], stage.mask], 1)
        found = np.concatenate([found[stage.parents], stage.ids], 1)
    for number, row in enumerate(rows):
        assert found[number][seen[number] == 1].tolist() == row
        assert found[number][plan.column[number]][real[number]].tolist() == row
    assert sum(stage.ids.size for stage in plan.stages) < ids.size


def test_pairs_and_groups_are_found_wherever_their_rows_stand():
    random = np.random.default_rng(0)
    rules, mazes = list(random.integers(1, 9, 80)), random.integers(1, 9, (4, 40)).tolist()
    chosen = [rules + maze + [9, 1, 2] for maze in mazes]
    rejected = [rules + maze + [9, 3, 2, 4] for maze in mazes]
    plan = plan_batch(*batch_of(chosen + rejected, [0] * 8))
    assert [stage.ids.shape[0] for stage in plan.stages] == [1, 4, 8]
    assert plan.tokens == 80 + 4 * 41 + 4 * (2 + 3)
    groups = [[*maze, end] for end in range(8) for maze in mazes]
    plan = plan_batch(*batch_of(groups, [0] * 32))
    assert [stage.ids.shape for stage in plan.stages] == [(4, 40), (32, 1)]


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2, 3, 4] * 9],  # a row alone
        [[n] * 100 for n in range(2, 8)],  # nothing in common
        [[5] * 20 + [n] * 300 for n in range(2, 8)],  # too little
    ],
)
def test_a_batch_that_shares_too_little_is_read_plainly(rows):
    assert plan_batch(*batch_of(rows, [0] * len(rows))) is None


def test_a_mask_with_holes_is_read_plainly():
    ids, mask = batch_of([[5] * 200 + [6], [5] * 200 + [7]], [0, 0])
    assert plan_batch(ids, mask) is not None
    mask[1, 40] = 0
    assert plan_batch(ids, mask) is None


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("llama", {}),
        ("qwen2", {}),
        ("qwen3", {}),
        ("gemma2", {"sliding_window": 64, "query_pre_attn_scalar": 8}),
        ("mistral", {"sliding_window": 64}),
        ("phi3", {"sliding_window": None}),
        ("olmo2", {}),
        ("qwen3_moe", {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}),
    ],
)
def test_models_of_many_kinds_compute_the_same(kind, changes, attention):
    if (kind, attention) == ("gemma2", "sdpa"):
        attention = "eager"  # its attention has a soft cap
    model = model_of(kind, attention, **changes)
    assert why_not(model) is None
    assert disagreement(model) < 1e-5


@pytest.mark.parametrize(
    "config",
    [
        peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False),
        peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, use_dora=True, use_rslora=True),
        peft.IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]),
        peft.VeraConfig(r=4, target_modules=["q_proj", "o_proj"]),
        peft.LNTuningConfig(target_modules=["input_layernorm"]),
    ],
    ids=lambda config: type(config).__name__,
)
def test_adapters_of_many_kinds_compute_the_same(config):
    model = peft.get_peft_model(model_of("llama"), config)
    assert why_not(model) is None
    assert disagreement(model) < 1e-5


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: model_of("gpt2", n_embd=32, n_head=4, n_layer=2), "its positions are not rotary"),
        (lambda: model_of("llama", is_causal=False), "its attention is not causal"),
        (
            lambda: model_of("lfm2", layer_types=["conv", "full_attention"]),
            "it has layers of another kind (conv)",
        ),
        (
            lambda: model_of("qwen3_moe", num_experts=4, output_router_logits=True, moe_intermediate_size=16),
            "its loss has a term for its router",
        ),
        (
            lambda: peft.get_peft_model(
                model_of("llama"), peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
            ),
            "its adapter puts a prefix of its own before every row",
        ),
        (lambda: model_of("llama", "flex_attention"), "attn_implementation is flex_attention, and it is tested with"),
    ],
)
def test_what_cannot_share_says_why(model, reason):
    assert reason in why_not(model())


def test_a_batch_wider_than_a_sliding_window_is_read_plainly_and_so_rightly():
    model = model_of("mistral", sliding_window=12)
    assert disagreement(model) == 0


def test_a_model_that_computes_something_else_is_found_out():
    """One that attends to how far a token stands from the end of its pass."""
    model = model_of("llama")
    layer = model.model.layers[0]
    forward = layer.forward
    layer.forward = lambda states, **kwargs: forward(states * torch.linspace(1, 2, states.shape[1])[:, None], **kwargs)
    assert disagreement(model) > 0.1


def test_what_is_not_a_plain_batch_goes_through_unchanged():
    model = model_of("llama").eval()
    ids = torch.full((4, 100), 5)
    ids[:, -1] = torch.arange(6, 10)
    shared = SharedPrefix(backbone_of(model))
    calls = []
    shared.forward = lambda **kwargs: (
        calls.append(kwargs["use_cache"]) or type(shared.backbone).forward(shared.backbone, **kwargs)
    )
    for kwargs in (
        {"inputs_embeds": model.model.embed_tokens(ids)},
        {"input_ids": ids, "position_ids": torch.arange(100).expand(4, -1) * 2},
        {"input_ids": ids, "attention_mask": torch.ones(4, 1, 100, 100).tril().bool()},
        {"input_ids": ids, "use_cache": True},
    ):
        calls.clear()
        model.model(**kwargs)
        assert len(calls) == 1
    calls.clear()
    model.model(input_ids=ids, use_cache=False)
    assert calls == [True, True]


@pytest.mark.parametrize("kind", ["llama", "qwen3", "mistral"])
def test_the_same_greedy_tokens_for_every_row(kind):
    model = model_of(kind, vocab_size=200).eval()
    random = torch.Generator().manual_seed(3)
    rules = torch.randint(3, 200, (90,), generator=random)
    rows = [torch.cat([rules, torch.randint(3, 200, (n,), generator=random)]) for n in (9, 14, 14, 20, 11)]
    rows.insert(2, rows[1])
    width = max(map(len, rows))
    ids = torch.stack([torch.nn.functional.pad(row, (width - len(row), 0)) for row in rows])
    mask = torch.stack([torch.arange(width) >= width - len(row) for row in rows]).long()
    plain = [
        model.generate(ids[part], attention_mask=mask[part], max_new_tokens=24) for part in (slice(0, 3), slice(3, 6))
    ]
    with sharing(model, [row.tolist() for row in rows]):
        shared = backbone_of(model).forward
        both = [
            model.generate(ids[part], attention_mask=mask[part], max_new_tokens=24)
            for part in (slice(0, 3), slice(3, 6))
        ]
        assert kind == "mistral" or shared.kept is not None
    assert "forward" not in vars(backbone_of(model)) or backbone_of(model).forward is not shared
    for one, other in zip(plain, both):
        assert torch.equal(one, other)


def test_the_prompt_of_a_group_is_prefilled_once():
    """As TRL's trainers generate: from every row of the group, padded on the left."""
    model = model_of("llama", vocab_size=200).eval()
    random = torch.Generator().manual_seed(4)
    ids = torch.randint(3, 200, (2, 120), generator=random).repeat_interleave(8, 0)
    mask = torch.ones_like(ids)
    mask[8:, :30] = 0
    plain = model.generate(ids, attention_mask=mask, max_new_tokens=8, do_sample=False)
    shared, read = SharedPrefix(backbone_of(model)), []
    hook = model.model.embed_tokens.register_forward_hook(lambda module, given, output: read.append(given[0].numel()))
    assert torch.equal(model.generate(ids, attention_mask=mask, max_new_tokens=8, do_sample=False), plain)
    hook.remove()
    shared.remove()
    assert read[:2] == [2 * 119, 16]
    assert read[2:] == [16] * 7
