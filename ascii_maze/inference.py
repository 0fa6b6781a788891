"""A model by name, and its answers to many prompts, greedy or sampled."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .errors import AsciiMazeError
from .prompts import PLAIN, Message, PromptStyle, format_answer


def load_model(name: str, task: str = "CAUSAL_LM") -> tuple[Any, Any]:
    """A model and its tokenizer, ready to generate.

    Args:
        name: `tiny`, a folder or a Hub id, of a model or of an adapter. An adapter is put on the base that it was
            trained on, quantised as it was trained if the recipe of its run lies beside it.
        task: SEQ_CLS loads a reward model, which gives a number instead of moves.

    Raises:
        AsciiMazeError: nothing of that name can be loaded, or it is for another task.
    """
    import torch
    from peft import PeftConfig, PeftModel
    from trl import ModelConfig

    from .recipe import load_resolved, parse_model
    from .training.model import check_adapter_weights, load_base, load_tokenizer

    adapter = _adapter_config(name, PeftConfig)
    if (adapter.task_type if adapter else "CAUSAL_LM") != task:
        is_a = {
            "CAUSAL_LM": "it walks, and is no reward model",
            "SEQ_CLS": "it is a reward model, which does not walk",
        }
        raise AsciiMazeError(f"'{name}' cannot serve here: {is_a['CAUSAL_LM' if task == 'SEQ_CLS' else 'SEQ_CLS']}")
    if adapter is None:
        model_args = ModelConfig(model_name_or_path=name, dtype="bfloat16" if torch.cuda.is_available() else "float32")
    elif (recipe := Path(name) / "recipe.yaml").is_file():
        model_args = parse_model(load_resolved(recipe))
    else:
        model_args = ModelConfig(
            model_name_or_path=adapter.base_model_name_or_path, dtype="auto", lora_task_type=adapter.task_type
        )
    model = load_base(model_args)
    if adapter is not None:
        check_adapter_weights(name)
        model = PeftModel.from_pretrained(model, name)
        if task == "SEQ_CLS":  # its head was trained in float32, and here no autocast stands between them
            model.get_base_model().score.to(model.dtype)
    tokenizer = load_tokenizer(name if adapter is None else model_args.model_name_or_path)
    model.config.pad_token_id = tokenizer.pad_token_id  # a reward model finds the end of an answer by it
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if not getattr(model, "is_quantized", False):
        model = model.to(device)
    return model.eval(), tokenizer


def _adapter_config(name: str, config_class):
    """The adapter's config, or None where the name is that of a whole model."""
    folder = Path(name)
    if name == "tiny" or (folder.is_dir() and not (folder / "adapter_config.json").is_file()):
        return None
    if not folder.is_dir() and (name.count("/") != 1 or name.startswith((".", "/"))):
        raise AsciiMazeError(f"no model '{name}': neither a folder, nor a Hub id (ORG/NAME), nor 'tiny'")
    try:
        return config_class.from_pretrained(name)
    except (OSError, ValueError):
        return None  # a model without adapter_config.json; if there is no model either, loading it will say so


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
    report: Callable[[int], None] | None = None,
) -> list[str]:
    """Greedy completions, in the order of the prompts.

    Args:
        prompts: chat messages, without an answer.
        report: called with the number of prompts done so far.
    """
    greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    return [answer for (answer,) in _complete(model, tokenizer, prompts, max_new_tokens, batch_size, report, greedy)]


def sample(
    model,
    tokenizer,
    prompts: Sequence[list[Message]],
    max_new_tokens: int,
    samples: int,
    temperature: float = 1.0,
    seed: int = 0,
    batch_size: int = 64,
    report: Callable[[int], None] | None = None,
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
        return _complete(model, tokenizer, prompts, max_new_tokens, max(1, batch_size // samples), report, random)


def _complete(model, tokenizer, prompts, max_new_tokens, batch_size, report, decoding: dict) -> list[list[str]]:
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
            output = model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=max_new_tokens,
                pad_token_id=tokenizer.pad_token_id,
                **decoding,
            )
        answers = tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        each = len(answers) // len(indices)
        for place, index in enumerate(indices):
            completions[index] = answers[place * each : (place + 1) * each]
        if report:
            report(start + len(indices))
    return completions
