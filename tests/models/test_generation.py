import importlib.util
import json
import shutil
import sys
from types import ModuleType, SimpleNamespace

import pytest
from safetensors.torch import load_file, save_file

from ascii_maze.errors import AsciiMazeError
from ascii_maze.models import engines, generation
from ascii_maze.models.adapter_config import ModelError
from ascii_maze.models.budgets import rows_at_once
from ascii_maze.models.chat import render_prompt
from ascii_maze.models.engines import load_engine
from ascii_maze.models.generation import GREEDY, Decoding, generate
from ascii_maze.models.loading import load_model
from ascii_maze.models.sources import find_model
from ascii_maze.tiny import EMBEDDED
from dataset_builder.load import load_mazes

from ..small import save_own_tokenizer
from ..training.families import save_model

ADAPTER = "org/walker"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """An adapter of the embedded model that changes what it does, with the recipe of a 4-bit run."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed
    from trl import ModelConfig

    from ascii_maze.models.loading import load_base

    folder = tmp_path_factory.mktemp("adapter")
    set_seed(0)
    model = load_base(ModelConfig(model_name_or_path="tiny", dtype="float32"))
    config = LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(model, config)
    model.peft_config["default"].base_model_name_or_path = "tiny"
    model.save_pretrained(folder)
    (folder / "recipe.yaml").write_text(
        "method: sft\nmodel_name_or_path: tiny\nuse_peft: true\nload_in_4bit: true\ndtype: float32\n"
    )
    return folder


@pytest.fixture
def hub(adapter, tmp_path, monkeypatch):
    """What lies in the cache of the Hub after the adapter was fetched once."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / f"models--{ADAPTER.replace('/', '--')}" / "snapshots" / COMMIT
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(adapter)
    for name in ("main", "v1"):
        (snapshot.parents[1] / "refs" / name).parent.mkdir(exist_ok=True)
        (snapshot.parents[1] / "refs" / name).write_text(COMMIT)
    return snapshot


def logits(model, tokenizer):
    import torch

    with torch.inference_mode():
        return model(**tokenizer("# # S", return_tensors="pt")).logits


@pytest.mark.parametrize("name", ["tiny", "rules"])
def test_greedy_answers_are_those_of_a_loop_of_single_prompts_token_for_token(name, dataset, tmp_path):
    """Mazes of two sizes in one batch, so that there is padding; a model that reads no rules, and one that does."""
    import torch

    model, tokenizer = load_model(name if name == "tiny" else str(save_model("qwen2_5", tmp_path / name)))
    prompts = [row["prompt"] for split in ("test_larger", "test") for row in load_mazes(str(dataset), split, 5)]
    alone, read = [], []
    for prompt in prompts:
        inputs = tokenizer.apply_chat_template(
            prompt, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        read.append(inputs["input_ids"][0].tolist())
        with torch.inference_mode():
            output = model.generate(**inputs, max_new_tokens=36, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        alone.append(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    prefilled = []
    hook = model.model.embed_tokens.register_forward_hook(
        lambda module, given, output: prefilled.append(given[0].numel()) if given[0].shape[1] > 1 else None
    )
    assert generate(model, tokenizer, prompts, 36, batch_size=4) == alone
    hook.remove()
    assert len(set(alone)) > 5
    if name == "rules":  # what all prompts begin with is read once, for three batches
        common = next(place for place, tokens in enumerate(zip(*read)) if len(set(tokens)) > 1)
        assert prefilled.count(common) == 1
        assert sum(prefilled) < 0.8 * sum(map(len, read))


def test_the_seed_of_a_part_is_that_of_earlier_versions():
    """An interrupted evaluation, run or dataset would otherwise go on with other answers."""
    assert Decoding(4, 1.0, 3).for_part("test/512") == Decoding(4, 1.0, 49537552395751)


def test_an_adapter_of_the_hub_is_loaded_as_its_folder_is(adapter, hub):
    import torch

    here, there = load_model(str(adapter)), load_model(f"{ADAPTER}@v1")
    assert there[0].is_quantized
    assert torch.equal(logits(*here), logits(*there))
    assert not torch.allclose(logits(*there), logits(*load_model("tiny")), atol=0.1)


def test_an_adapter_of_the_hub_without_a_recipe_is_put_on_the_whole_base(adapter, hub, tmp_path):
    hub.unlink()
    hub.mkdir()
    for file in adapter.iterdir():
        if file.name != "recipe.yaml":
            (hub / file.name).symlink_to(file)
    assert not getattr(load_model(ADAPTER)[0], "is_quantized", False)


class Engine:
    """What vLLM shows of itself: it says of every prompt how long it is, and remembers how it was asked."""

    def __init__(self, **settings):
        self.settings, Engine.last = settings, self
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=2048))

    def generate(self, prompts, sampling, **how):
        self.prompts, self.sampling, self.how = prompts, sampling, how
        lengths, samples = [len(prompt["prompt_token_ids"]) for prompt in prompts], sampling[0]["n"]
        return [
            SimpleNamespace(outputs=[SimpleNamespace(token_ids=[6 + length % 9, 6 + n, 2, 5]) for n in range(samples)])
            for length in lengths
        ]


@pytest.fixture
def vllm(monkeypatch):
    """A machine with a GPU and vLLM, as far as the code can see."""
    import torch

    importlib.import_module("trl.trainer.utils")  # before there is a vLLM, whose version it asks for

    package, lora, request = ModuleType("vllm"), ModuleType("vllm.lora"), ModuleType("vllm.lora.request")
    package.LLM, package.SamplingParams = Engine, lambda **settings: settings
    request.LoRARequest = lambda *arguments: arguments
    for module in (package, lora, request):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: name == "vllm" or find(name, *rest))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)


def test_vllm_is_asked_as_transformers_is(dataset, adapter, vllm):
    engine = load_engine(str(adapter))
    assert (engine.facts["engine"], engine.facts["quantisation"], engine.facts["device"]) == (
        "vllm",
        "4-bit nf4",
        "a GPU",
    )
    prompts = [row["prompt"] for split in ("test_larger", "test") for row in load_mazes(str(dataset), split, 2)]
    done = []
    answers = engine.complete(prompts, 33, Decoding(3, 0.7, 5), done.append)
    lengths = [
        len(engine.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"])
        for prompt in prompts
    ]
    assert answers == [[engine.tokenizer.decode([6 + length % 9, 6 + n]) for n in range(3)] for length in lengths]
    assert done == [4]
    asked = {"n": 3, "temperature": 0.7, "max_tokens": 33, "stop_token_ids": [2], "detokenize": False}
    seeds = [one.pop("seed") for one in Engine.last.sampling]
    assert Engine.last.sampling == [asked] * 4
    assert len(set(seeds)) == 4  # equal prompts, as at the start of walks step by step, get answers of their own
    assert Engine.last.how["lora_request"] == ("adapter", 1, str(adapter))
    settings = Engine.last.settings
    assert (settings["quantization"], settings["enable_lora"], settings["max_lora_rank"]) == ("bitsandbytes", True, 8)


@pytest.mark.parametrize(
    ("changes", "weight"),
    [
        ({}, "base_model.model.lm_head.weight"),
        ({"use_dora": True}, None),
        ({"rank_pattern": {"q_proj": 8}}, None),
        ({"alpha_pattern": {"q_proj": 8}}, None),
        ({"modules_to_save": ["lm_head"]}, None),
        ({"peft_type": "LOHA"}, None),
    ],
)
def test_vllm_is_not_asked_for_an_adapter_that_it_would_read_otherwise(adapter, monkeypatch, changes, weight):
    source = find_model(str(adapter))
    assert engines.vllm_reads(source)
    if weight:
        monkeypatch.setattr(engines, "read_weights", lambda name, revision: (adapter, {weight: None}))
    config = SimpleNamespace(**{**vars(source.adapter), **changes})
    assert not engines.vllm_reads(source._replace(adapter=config))


def test_vllm_is_asked_with_the_tokenizer_template_and_end_of_the_adapter(dataset, adapter, vllm, tmp_path):
    shutil.copytree(adapter, tmp_path, dirs_exist_ok=True)
    own = save_own_tokenizer(tmp_path)
    engine = load_engine(str(tmp_path))
    (row,) = load_mazes(str(dataset), "test", 1)
    engine.complete([row["prompt"]], 8, GREEDY, lambda done: None)
    text = "<mark1>" + row["prompt"][-1]["content"] + "<walk>"
    assert Engine.last.prompts == [{"prompt_token_ids": own(text, add_special_tokens=False)["input_ids"]}]
    assert Engine.last.sampling[0]["stop_token_ids"] == [own.convert_tokens_to_ids("<mark0>")]


def test_vllm_of_a_whole_model_has_no_adapter(vllm):
    engine = load_engine("tiny")
    assert engine.facts["quantisation"] is None
    assert not Engine.last.settings["enable_lora"]
    assert Engine.last.settings["quantization"] is None


@pytest.mark.parametrize("shards", [1, 2])
def test_vllm_is_not_given_weights_that_are_not_finite(vllm, tmp_path, shards):
    from transformers import AutoModelForCausalLM

    shutil.copytree(EMBEDDED["tiny"], tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors"))
    model = AutoModelForCausalLM.from_pretrained(EMBEDDED["tiny"])
    model.save_pretrained(tmp_path, max_shard_size=2_000_000 * (3 - shards))
    assert len(list(tmp_path.glob("*.safetensors"))) == shards
    load_engine(str(tmp_path))
    file = sorted(tmp_path.glob("*.safetensors"))[-1]
    weights = load_file(file)
    weights[name := sorted(weights)[0]][0] = float("nan")
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(ModelError, match=rf"not all numbers of {name} are finite"):
        load_engine(str(tmp_path))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=rf"{file.name}: "):
        load_engine(str(tmp_path))
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ModelError, match="has no map of weights"):
        load_engine(str(tmp_path))


def test_a_thought_that_the_template_opens_belongs_to_the_completion(dataset):
    """Or an answer that is cut off in it would be scored as if the model had answered."""
    model, tokenizer = load_model("tiny")
    rows = load_mazes(str(dataset), "test", 2)
    plain = generate(model, tokenizer, [row["prompt"] for row in rows], 8)
    tokenizer.chat_template += "{% if add_generation_prompt %}<think>\n{% endif %}"
    thinking = generate(model, tokenizer, [row["prompt"] for row in rows], 8)
    assert not any(answer.startswith("<think>") for answer in plain)
    assert all(answer.startswith("<think>") for answer in thinking)


def test_on_a_gpu_as_many_rows_as_an_eighth_of_its_memory_holds(monkeypatch):
    import torch
    from transformers import LlamaConfig

    config = LlamaConfig(num_hidden_layers=30, num_key_value_heads=3, num_attention_heads=9, hidden_size=576)
    model = SimpleNamespace(device=torch.device("cuda"), dtype=torch.bfloat16, config=config)
    card = SimpleNamespace(total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    row = 30 * 2 * 3 * 64 * 2 * 500  # layers, keys and values, heads, their size, bytes, tokens
    assert rows_at_once(model, 500) * row <= 10 * 2**30 < (rows_at_once(model, 500) + 1) * row


def test_without_a_gpu_at_most_64_rows_and_two_gibibytes():
    import torch
    from transformers import LlamaConfig

    config = LlamaConfig(num_hidden_layers=30, num_key_value_heads=3, num_attention_heads=9, hidden_size=576)
    model = SimpleNamespace(device=torch.device("cpu"), dtype=torch.float32, config=config)
    row = 30 * 2 * 3 * 64 * 4 * 2048
    assert rows_at_once(model, 2048) * row <= 2 * 2**30 < (rows_at_once(model, 2048) + 1) * row
    assert (rows_at_once(model, 500), rows_at_once(model, 10**6)) == (64, 1)


def test_conversations_are_continued_in_batches_whose_caches_fit(dataset, monkeypatch):
    model, tokenizer = load_model("tiny")
    prompts = [row["prompt"] for row in load_mazes(str(dataset), "test", 5)]
    whole = generation.conversing(model, tokenizer)("abcde", prompts, 8, GREEDY)
    sizes, take = [], generation.Memory.take
    monkeypatch.setattr(generation, "rows_at_once", lambda model, tokens: 2)
    monkeypatch.setattr(
        generation.Memory, "take", lambda self, names, *rest: sizes.append(len(names)) or take(self, names, *rest)
    )
    assert generation.conversing(model, tokenizer)("abcde", prompts, 8, GREEDY) == whole
    assert sizes == [2, 2, 1]


def test_a_batch_size_of_0_is_as_many_as_fit(dataset, monkeypatch):
    asked = []
    monkeypatch.setattr(generation, "rows_at_once", lambda model, tokens: asked.append(tokens) or 2)
    monkeypatch.setattr(generation, "_complete", lambda *arguments: arguments[4])
    _, tokenizer = load_model("tiny")
    prompts = [row["prompt"] for row in load_mazes(str(dataset), "test", 3)]
    assert generation.complete(None, tokenizer, prompts, 50, GREEDY._replace(batch_size=0)) == 2
    longest = max(len(tokenizer(render_prompt(tokenizer, prompt))["input_ids"]) for prompt in prompts)
    assert asked == [longest + 50]


def test_what_a_model_cannot_read_is_refused_and_an_answer_has_the_room_that_is_left(dataset, monkeypatch):
    """Rotary positions beyond the context raise nothing, and give worse answers."""
    model, tokenizer = load_model("tiny")
    rows = load_mazes(str(dataset), "test", 3)
    longest = max(len(tokenizer(render_prompt(tokenizer, row["prompt"]))["input_ids"]) for row in rows)
    monkeypatch.setattr(model.config, "max_position_embeddings", longest + 4)
    prompts = [row["prompt"] for row in rows]
    generation.complete(model, tokenizer, prompts, 4)
    message = (
        rf"reads {longest + 4} tokens at most, the longest prompt has {longest}, and its answer may have 5; give a"
    )
    with pytest.raises(AsciiMazeError, match=message):
        generation.complete(model, tokenizer, prompts, 5)
    answers = generation.answer_mazes(model, tokenizer, rows)
    assert max(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for (text,) in answers) <= 4
    monkeypatch.setattr(model.config, "max_position_embeddings", longest)
    with pytest.raises(AsciiMazeError, match="take smaller mazes, or a model of more positions"):
        generation.answer_mazes(model, tokenizer, rows)


@pytest.mark.parametrize(
    "settings",
    [
        {"repetition_penalty": 1.3, "do_sample": True, "temperature": 0.2},
        {"no_repeat_ngram_size": 2, "min_p": 0.9, "typical_p": 0.1},
        {"suppress_tokens": [11, 12, 13, 14], "max_length": 20},  # U, D, L and R
        {"num_beams": 3, "length_penalty": 5.0},
        {"use_cache": False},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_settings_that_come_with_a_model_do_not_change_its_answers(dataset, tmp_path, settings):
    """Qwen2.5-0.5B-Instruct comes with a repetition_penalty of 1.1, and a path is nothing but repetitions."""
    model, tokenizer = load_model("tiny")
    prompts = [row["prompt"] for row in load_mazes(str(dataset), "test", 4)]
    decodings = (GREEDY, Decoding(2, 1.0, 3))
    plain = [generation.complete(model, tokenizer, prompts, 12, decoding) for decoding in decodings]
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    path = tmp_path / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    changed, _ = load_model(str(tmp_path))
    assert [generation.complete(changed, tokenizer, prompts, 12, decoding) for decoding in decodings] == plain


def test_a_model_whose_config_turns_the_cache_off_answers_alike(dataset, tmp_path):
    """As one that was saved after training with gradient checkpointing."""
    model, tokenizer = load_model("tiny")
    prompts = [row["prompt"] for row in load_mazes(str(dataset), "test", 4)]
    plain = generation.complete(model, tokenizer, prompts, 12, GREEDY)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").unlink()
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "use_cache": False}))
    changed, _ = load_model(str(tmp_path))
    assert generation.complete(changed, tokenizer, prompts, 12, GREEDY) == plain
