"""Layers, last normalisation and head are found in every family of causal models that people fine-tune."""

import pytest

from ascii_maze.errors import AsciiMazeError
from ascii_maze.mri.activations import SITES, extract
from ascii_maze.mri.components import Part, change_of, output_projection, run_with, tap
from ascii_maze.mri.models import as_models, watching
from ascii_maze.mri.reading import batches, read, record, starting_after

LAYERS = 3
COMMON = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
# Names that newer families share.
SHAPE = {"hidden_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 48}
GROUPED = {**SHAPE, "num_key_value_heads": 1, "max_position_embeddings": 256}
FAMILIES = {
    "gpt2": {"n_embd": 32, "n_layer": LAYERS, "n_head": 2, "n_positions": 256},
    "gpt_neox": {**SHAPE, "max_position_embeddings": 256},
    "opt": {**SHAPE, "ffn_dim": 48, "word_embed_proj_dim": 32, "max_position_embeddings": 256},
    "phi": GROUPED,
    "mistral": GROUPED,
    "qwen2": GROUPED,
    "qwen3": {**GROUPED, "head_dim": 16},
    "gemma3_text": {**GROUPED, "head_dim": 16, "layer_types": ["full_attention"] * LAYERS},
    "olmo2": GROUPED,
    "mixtral": {**GROUPED, "num_local_experts": 2, "num_experts_per_tok": 1},
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tokenizer):
    """A random model of the family with the adapter `one`, whose products are not zero."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {**COMMON, "vocab_size": len(tokenizer), **FAMILIES[request.param]}
        base = AutoModelForCausalLM.from_config(AutoConfig.for_model(request.param, **shape))
        lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(base, lora, adapter_name="one").eval()
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.data.normal_(std=0.1)
    return as_models(model, tokenizer, ["one"])


def states(models, walk) -> list:
    """What every layer of the model that is switched on holds of a walk, (tokens, width) each."""
    import torch

    found = []
    with watching(models, lambda site, layer, hidden: found.append(hidden[0])), torch.inference_mode():
        models.model(input_ids=torch.from_numpy(walk.ids)[None])
    return found


def test_what_is_seen_is_the_model_s_own(family, walks):
    import torch

    family.switch("one")
    seen = states(family, walks[0])
    with torch.inference_mode():
        theirs = family.model(input_ids=torch.from_numpy(walks[0].ids)[None], output_hidden_states=True)
        logits = family.head(family.norm(seen[-1]))
    for layer in range(LAYERS):
        torch.testing.assert_close(seen[layer], theirs.hidden_states[layer][0])
    torch.testing.assert_close(logits, theirs.logits[0], atol=1e-4, rtol=1e-4)


def test_an_adapter_works_in_the_layers_where_it_is_switched_on(family, walks):
    import torch

    family.switch("base")
    base = states(family, walks[0])
    family.switch("one")
    whole = states(family, walks[0])
    for stage in range(1, LAYERS + 1):
        family.switch("one", range(stage + 1))
        part = states(family, walks[0])
        torch.testing.assert_close(part[stage], whole[stage], atol=0, rtol=0)
        assert not torch.equal(part[stage], base[stage])
        assert stage == LAYERS or not torch.equal(part[-1], whole[-1])


def test_a_model_can_start_from_the_states_of_a_layer(family, walks):
    import torch

    (batch,) = record(family, "one", walks[:4]).batches
    for layer in range(LAYERS + 1):
        seen: list = []
        with starting_after(family, layer, batch.states[layer]):
            read(family, batch.ids, None, lambda site, here, hidden, seen=seen: seen.append(hidden))
        torch.testing.assert_close(seen[-1], batch.states[-1], atol=0, rtol=0)


def test_heads_are_found_in_their_layer_s_projection(family, walks):
    import torch

    if type(family.layers[0]).__name__ == "OPTDecoderLayer":
        pytest.skip("its MLP is no module")
    _, ids = next(batches(walks, 2))
    taps = []
    for name in ("base", "one"):
        family.switch(name)
        taps.append(tap(family, ids))
        given, weight = taps[-1].heads[0], taps[-1].weights[0]
        projection = output_projection(family.layers[0])
        with torch.inference_mode():
            torch.testing.assert_close(given @ weight, projection(given) - projection(0 * given))
    states = run_with(family, Part(1, 0), change_of(Part(1, 0), taps[0], taps[1]), taps[1], ids)
    assert not torch.equal(states, taps[1].states[-1])


def test_attention_and_mlp_are_read_where_they_are_modules(family, walks, tmp_path):
    if type(family.layers[0]).__name__ == "OPTDecoderLayer":
        with pytest.raises(AsciiMazeError, match="cannot find the mlp of a OPTDecoderLayer"):
            extract(family, walks[:4], tmp_path, sites=SITES)
        return
    activations = extract(family, walks[:4], tmp_path, sites=SITES)
    for site in SITES:
        assert activations.read("one", LAYERS, "goal", site).any()
