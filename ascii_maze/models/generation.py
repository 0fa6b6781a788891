"""A model by name, and its answers to many prompts, greedy or sampled, by transformers or vLLM."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import AsciiMazeError
from ..mazes.prompts import PLAIN, Message, PromptStyle, format_answer

FIRST_STAGE = 8  # tokens, see `_generate`


class Source(NamedTuple):
    """Where a model is to be had, and how it is to be loaded.

    Attributes:
        name: folder, Hub id or `tiny`.
        revision: of the Hub's repository; None for the newest.
        adapter: PEFT's config, where the name is an adapter's.
        model_args: TRL's ModelConfig of the base, or of the model itself.
    """

    name: str
    revision: str | None
    adapter: Any
    model_args: Any


class Walker(NamedTuple):
    """A model that answers.

    Attributes:
        tokenizer: with the chat template that renders its prompts.
        complete: (prompts, max_new_tokens, Decoding, on_progress) -> for each prompt its completions.
        facts: what results.json says of it: engine, base, revision, dtype, quantisation, device.
    """

    tokenizer: Any
    complete: Callable[[Sequence[list[Message]], int, "Decoding", Callable[[int], None]], list[list[str]]]
    facts: dict[str, Any]


class Decoding(NamedTuple):
    """How completions are drawn.

    Attributes:
        samples: completions of each prompt.
        temperature: 0 is greedy; 1 draws from the model as it is.
        seed: the same completions with the same seed, prompts, batch size and device.
        batch_size: completions that are drawn at once, by transformers.
    """

    samples: int = 1
    temperature: float = 0.0
    seed: int = 0
    batch_size: int = 64

    def __str__(self) -> str:
        if not self.temperature:
            return "greedy"
        return f"{self.samples} sample{'s' * (self.samples > 1)} at temperature {self.temperature:g}"


def load_walker(name: str) -> Walker:
    """A model that answers prompts, on vLLM where that is installed and there is a CUDA device, else on transformers.

    Args:
        name: as `load_model` takes it.

    Raises:
        AsciiMazeError: as `load_model`.
    """
    import torch

    source = find_model(name)
    if torch.cuda.is_available() and importlib.util.find_spec("vllm") and not source.model_args.load_in_8bit:
        from .vllm_engine import load_vllm

        tokenizer, complete, engine = *load_vllm(source), "vllm"
    else:
        model, tokenizer = load_source(source)
        engine = "transformers"

        def complete(prompts, max_new_tokens, decoding, on_progress):
            samples, temperature, seed, batch_size = decoding
            if temperature:
                return sample(
                    model, tokenizer, prompts, max_new_tokens, samples, temperature, seed, batch_size, on_progress
                )
            return [
                [answer] for answer in generate(model, tokenizer, prompts, max_new_tokens, batch_size, on_progress)
            ]

    return Walker(tokenizer, complete, {"engine": engine, **describe(source)})


def describe(source: Source) -> dict[str, Any]:
    """What a reader must know to load the same model again, as JSON."""
    import torch

    args = source.model_args
    return {
        "revision": source.revision,
        "base": args.model_name_or_path if source.adapter else None,
        "base_revision": args.model_revision if source.adapter else None,
        "dtype": str(args.dtype),
        "quantisation": f"4-bit {args.bnb_4bit_quant_type}"
        if args.load_in_4bit
        else "8-bit" * args.load_in_8bit or None,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def load_model(name: str, task: str = "CAUSAL_LM") -> tuple[Any, Any]:
    """A model and its tokenizer, ready to generate.

    Args:
        name: `tiny`, a folder or a Hub id, of a model or of an adapter; `ORG/NAME@REVISION` is one commit, branch or
            tag of it. An adapter is put on the base that it was trained on, quantised as it was trained if the recipe
            of its run lies beside it.
        task: SEQ_CLS loads a reward model, which gives a number instead of moves.

    Raises:
        AsciiMazeError: nothing of that name can be loaded, or it is for another task.
    """
    return load_source(find_model(name, task))


def find_model(name: str, task: str = "CAUSAL_LM") -> Source:
    """What there is of a name; see `load_model`.

    Raises:
        AsciiMazeError: nothing can be of that name, or it is for another task.
    """
    import torch
    from peft import PeftConfig
    from trl import ModelConfig

    from ..recipe import load_resolved, parse_model

    name, revision = split_revision(name)
    adapter = _adapter_config(name, revision, PeftConfig)
    if (adapter.task_type if adapter else "CAUSAL_LM") != task:
        is_a = {
            "CAUSAL_LM": "it walks, and is no reward model",
            "SEQ_CLS": "it is a reward model, which does not walk",
        }
        raise AsciiMazeError(f"'{name}' cannot serve here: {is_a['CAUSAL_LM' if task == 'SEQ_CLS' else 'SEQ_CLS']}")
    if adapter is None:
        dtype = "bfloat16" if torch.cuda.is_available() else "float32"
        model_args = ModelConfig(model_name_or_path=name, dtype=dtype)
        model_args.model_revision = revision
    elif recipe := _recipe_of(name, revision):
        model_args = parse_model(load_resolved(recipe))
    else:
        model_args = ModelConfig(
            model_name_or_path=adapter.base_model_name_or_path, dtype="auto", lora_task_type=adapter.task_type
        )
        model_args.model_revision = adapter.revision
    return Source(name, revision, adapter, model_args)


def load_source(source: Source) -> tuple[Any, Any]:
    """The model that was found, on transformers, and its tokenizer."""
    import torch
    from peft import PeftModel

    from .loading import check_adapter_weights, load_base, load_tokenizer

    args = source.model_args
    model = load_base(args)
    if source.adapter is not None:
        check_adapter_weights(source.name, source.revision)
        model = PeftModel.from_pretrained(model, source.name, revision=source.revision)
        if source.adapter.task_type == "SEQ_CLS":
            # its head was trained in float32, and here no autocast stands between them
            model.get_base_model().score.to(model.dtype)
    tokenizer = load_tokenizer(args.model_name_or_path, args.model_revision)
    model.config.pad_token_id = tokenizer.pad_token_id  # a reward model finds the end of an answer by it
    if not getattr(model, "is_quantized", False):
        model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    return model.eval(), tokenizer


def split_revision(name: str) -> tuple[str, str | None]:
    """`ORG/NAME@REVISION` -> both; a folder's name is left as it is."""
    if Path(name).exists():
        return name, None
    name, _, revision = name.partition("@")
    return name, revision or None


def _adapter_config(name: str, revision: str | None, config_class):
    """The adapter's config, or None where the name is that of a whole model."""
    folder = Path(name)
    if name == "tiny" or (folder.is_dir() and not (folder / "adapter_config.json").is_file()):
        return None
    if not folder.is_dir() and (name.count("/") != 1 or name.startswith((".", "/"))):
        raise AsciiMazeError(f"no model '{name}': neither a folder, nor a Hub id (ORG/NAME), nor 'tiny'")
    try:
        return config_class.from_pretrained(name, revision=revision)
    except (OSError, ValueError):
        return None  # a model without adapter_config.json; if there is no model either, loading it will say so


def _recipe_of(name: str, revision: str | None) -> Path | None:
    """The recipe beside an adapter, which says how its base was quantised; from the Hub where the adapter is there."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    if Path(name).is_dir():
        return next(Path(name).glob("recipe.yaml"), None)
    try:
        return Path(hf_hub_download(name, "recipe.yaml", revision=revision))
    except EntryNotFoundError:
        return None


def answer_budget(tokenizer, moves: int, style: PromptStyle = PLAIN) -> int:
    """How many new tokens an answer of so many moves takes, with its end."""
    answer = format_answer("RD" * (moves // 2 + 1), style)
    return len(tokenizer(answer, add_special_tokens=False)["input_ids"]) + 2


def generate(
    model,
    tokenizer,
    prompts: Sequence[list[Message]],
    max_new_tokens: int,
    batch_size: int = 64,
    on_progress: Callable[[int], None] | None = None,
) -> list[str]:
    """Greedy completions, in the order of the prompts.

    Args:
        prompts: chat messages, without an answer.
        on_progress: called with the number of prompts done so far.
    """
    greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    return [
        answer for (answer,) in _complete(model, tokenizer, prompts, max_new_tokens, batch_size, on_progress, greedy)
    ]


def sample(
    model,
    tokenizer,
    prompts: Sequence[list[Message]],
    max_new_tokens: int,
    samples: int,
    temperature: float = 1.0,
    seed: int = 0,
    batch_size: int = 64,
    on_progress: Callable[[int], None] | None = None,
) -> list[list[str]]:
    """So many random completions of each prompt, in the order of the prompts; the rest as `generate`.

    Args:
        temperature: above 0; 1 draws from the model as it is.
        seed: the same completions with the same seed, prompts, batch size and device.
        batch_size: completions that are drawn at once.
    """
    import torch

    random = {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0, "num_return_sequences": samples}
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        return _complete(model, tokenizer, prompts, max_new_tokens, max(1, batch_size // samples), on_progress, random)


def _complete(model, tokenizer, prompts, max_new_tokens, batch_size, on_progress, decoding: dict) -> list[list[str]]:
    """Batches are made of prompts of like length, so that little is padding."""
    import torch

    texts = [tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True) for prompt in prompts]
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]), reverse=True)
    completions: list[list[str]] = [[] for _ in texts]
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = tokenizer([texts[i] for i in indices], return_tensors="pt", padding=True, add_special_tokens=False)
        batch = batch.to(model.device)
        with torch.inference_mode():
            tokens = _generate(model, tokenizer, batch["input_ids"], batch["attention_mask"], max_new_tokens, decoding)
        answers = tokenizer.batch_decode(tokens, skip_special_tokens=True)
        each = len(answers) // len(indices)
        for place, index in enumerate(indices):
            completions[index] = answers[place * each : (place + 1) * each]
        if on_progress:
            on_progress(start + len(indices))
    return completions


def _generate(model, tokenizer, tokens, mask, max_new_tokens: int, decoding: dict) -> list[list[int]]:
    """New tokens of each row: `model.generate`, in stages after which the rows that have ended are left out.

    A few endless answers would otherwise cost as much as if all were as long. Stages are of 8, 8, 16, 32 tokens...
    """
    import torch

    # Several processes with sharded weights must call `generate` equally often.
    alone = not (torch.distributed.is_available() and torch.distributed.is_initialized())
    width, cache = tokens.shape[1], None
    answers: dict[int, list[int]] = {}
    ends = torch.as_tensor(model.generation_config.eos_token_id, device=tokens.device).reshape(-1)
    rows = torch.arange(len(tokens) * decoding.get("num_return_sequences", 1))
    while True:
        made = tokens.shape[1] - width
        stage = min(max(made, FIRST_STAGE), max_new_tokens - made) if alone else max_new_tokens
        output = model.generate(
            input_ids=tokens,
            attention_mask=mask,
            past_key_values=cache,
            max_new_tokens=stage,
            pad_token_id=tokenizer.pad_token_id,
            return_dict_in_generate=True,
            **decoding,
        )
        tokens, cache = output.sequences, output.past_key_values
        running = ~torch.isin(tokens[:, width + made :], ends).any(dim=1)
        if tokens.shape[1] - width >= max_new_tokens:
            running[:] = False
        answers |= {
            row: tokens[place, width:].tolist() for place, row in enumerate(rows.tolist()) if not running[place]
        }
        if not running.any():
            return [answers[row] for row in sorted(answers)]
        mask = mask.repeat_interleave(len(tokens) // len(mask), dim=0)
        mask = torch.cat([mask, mask.new_ones(len(mask), tokens.shape[1] - mask.shape[1])], dim=1)[running]
        tokens, rows = tokens[running], rows[running.cpu()]
        cache.batch_select_indices(running.nonzero().squeeze(1))
        decoding = {**decoding, "num_return_sequences": 1}
