"""What llm-mri 0.2.1 takes for the activations of a small causal model, and what we take."""

import sys

import numpy as np
import pytest
import torch

pytest.importorskip("llm_mri", reason="llm-mri is not installed; `make setup` adds it")

from datasets import ClassLabel, Dataset, Features, Value, load_from_disk
from llm_mri import ActivationAreas
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModel, LlamaConfig, LlamaForCausalLM

from ascii_maze.errors import AsciiMazeError
from ascii_maze.mazes.generators import generate_mazes
from ascii_maze.mazes.prompts import prompt_messages
from ascii_maze.mri.activations import Activations, extract
from ascii_maze.mri.models import as_models
from ascii_maze.mri.positions import TokenisedWalk, locate_walks
from ascii_maze.tiny.pretraining.vocabulary import VOCABULARY, build_tokenizer


class Unreduced:
    """A reduction that does nothing, as only what goes into it is of interest."""

    n_components = 3

    def get_hidden_states_reduction(self, hidden_states):
        return {}


def new_base(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    vocabulary = {"vocab_size": len(VOCABULARY), "max_position_embeddings": 2048}
    # Wide enough that activations are of the order of 1.
    return LlamaForCausalLM(LlamaConfig(**sizes, **vocabulary, initializer_range=0.3)).eval()


def add_adapter(base) -> PeftModel:
    torch.manual_seed(9)
    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    return get_peft_model(base, config, adapter_name="sft").eval()


@pytest.fixture
def folder(tmp_path):
    new_base(0).save_pretrained(tmp_path / "base")
    build_tokenizer(2048).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def walks_of(size: int, count: int) -> tuple[list[TokenisedWalk], Dataset]:
    """The same mazes for us and for llm-mri."""
    tokenizer = build_tokenizer(2048)
    mazes = list(generate_mazes("depth_first", size, size, count, seed=3))
    rows = [
        {"id": str(index), "prompt": prompt_messages(maze), "maze": maze.to_ascii(), "solution": maze.solve()}
        for index, maze in enumerate(mazes)
    ]
    texts = [tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True) for row in rows]
    labels = [index % 2 for index in range(count)]
    features = Features({"text": Value("string"), "label": ClassLabel(names=["one", "two"])})
    return locate_walks(rows, tokenizer, seed=0), Dataset.from_dict({"text": texts, "label": labels}, features)


def theirs(folder, dataset: Dataset) -> ActivationAreas:
    areas = ActivationAreas(str(folder), dataset, Unreduced())
    areas.process_activation_areas()
    return areas


def ours(model: PeftModel, walks: list[TokenisedWalk], folder) -> Activations:
    return extract(as_models(model, build_tokenizer(2048), ["sft"]), walks, folder)


def test_fault_1_the_first_token_of_a_causal_model_has_seen_nothing(folder, tmp_path):
    walks, dataset = walks_of(3, 60)
    states = theirs(folder, dataset).hidden_states_dataset
    for layer in range(3):
        rows = np.array(states[f"hidden_state_{layer}"])
        assert np.ptp(rows, axis=0).max() < 1e-5 * np.abs(rows).max()  # the rounding of float32
    activations = ours(add_adapter(new_base(0)), walks, tmp_path / "ours")
    for position in ("last_prompt", "start", "goal", "maze_mean"):
        assert np.std(activations.read("base", 2, position), axis=0).min() > 1e-2


def test_faults_2_and_9_the_model_was_loaded_and_held_a_thousand_rows_at_a_time(folder, tmp_path, monkeypatch):
    walks, dataset = walks_of(2, 1_050)
    loads, batches = [], []

    def count(load, *arguments, **keywords):
        loads.append(arguments)
        model = load(*arguments, **keywords)
        model.register_forward_pre_hook(
            lambda module, inputs, named: batches.append(len(named["input_ids"])), with_kwargs=True
        )
        return model

    class Counted:
        @staticmethod
        def from_pretrained(*arguments, **keywords):
            return count(AutoModel.from_pretrained, *arguments, **keywords)

    monkeypatch.setattr(sys.modules["llm_mri.ActivationAreas"], "AutoModel", Counted)
    theirs(folder, dataset)
    assert (len(loads), batches) == (2, [1_000, 50])
    loads.clear()
    batches.clear()
    base = count(LlamaForCausalLM.from_pretrained, folder)
    ours(add_adapter(base.eval()), walks, tmp_path / "ours")
    assert len(loads) == 1
    assert sum(batches) == 2 * 1_050  # base and adapter
    assert max(batches) <= 64


def test_fault_8_activations_of_weights_that_are_no_longer_there(folder, tmp_path):
    walks, dataset = walks_of(2, 30)
    dataset.save_to_disk(tmp_path / "rows")
    states, mine = [], []
    for seed in (0, 1):
        new_base(seed).save_pretrained(folder)
        states.append(theirs(folder, load_from_disk(tmp_path / "rows")).hidden_states_dataset["hidden_state_1"][:])
        model = add_adapter(LlamaForCausalLM.from_pretrained(folder))
        mine.append(ours(model, walks, tmp_path / "ours").read("base", 1, "goal"))
    assert torch.equal(*map(torch.as_tensor, states))
    with torch.inference_mode():
        hidden = new_base(1).model(torch.from_numpy(walks[0].ids)[None], output_hidden_states=True).hidden_states[1]
    np.testing.assert_allclose(mine[1][0], hidden[0, walks[0].goal], atol=1e-5)
    assert np.abs(mine[1] - mine[0]).min(axis=0).max() > 0.1


def test_fault_9_prompts_were_cut_at_512_tokens(folder):
    walks, dataset = walks_of(16, 1)
    areas = ActivationAreas(str(folder), dataset, Unreduced())
    assert len(areas._initialize_dataset()["input_ids"][0]) == 512
    assert walks[0].last_prompt + 1 == len("<>") + 33 * 34 - 1  # <bos>, 33 lines with their ends but the last, <walk>
    assert len(walks[0].maze) == 1_121


def test_fault_10_an_adapter_must_differ_from_its_base_or_be_refused(folder, tmp_path, monkeypatch):
    walks, dataset = walks_of(2, 30)
    model = add_adapter(LlamaForCausalLM.from_pretrained(folder))
    model.save_pretrained(tmp_path)
    build_tokenizer(2048).save_pretrained(tmp_path / "sft")

    def their_states(path):
        return torch.as_tensor(theirs(path, dataset).hidden_states_dataset["hidden_state_2"][:])

    assert (their_states(tmp_path / "sft") - their_states(folder)).abs().max() > 0.01  # since transformers 5
    activations = ours(model, walks, tmp_path / "ours")
    assert np.abs(activations.read("sft", 2, "goal") - activations.read("base", 2, "goal")).max() > 0.01
    # As before transformers 5, where an adapter's folder gave the base: llm-mri has nothing to say of it.
    base = AutoModel.from_pretrained(folder)
    monkeypatch.setattr(AutoModel, "from_pretrained", lambda path: base)
    fresh = Dataset.from_list(dataset.to_list(), dataset.features).select(range(20))
    states = [theirs(path, fresh).hidden_states_dataset["hidden_state_2"][:] for path in (folder, tmp_path / "sft")]
    assert torch.equal(*map(torch.as_tensor, states))
    monkeypatch.setattr("ascii_maze.mri.models.Models.switch", lambda self, name: self.model.disable_adapter_layers())
    with pytest.raises(AsciiMazeError, match="adapter 'sft' is not zero, but changes no activation"):
        ours(model, walks, tmp_path / "again")
