"""A Llama of 2 M parameters that is trained from random weights, for benchmarks/representation.py."""

from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

# No text of a dataset may contain one of these: `<answer>`, say, is a tag of the answers themselves.
MARKS = ("<|pad|>", "<|begin|>", "<|answer|>", "<|end|>")
PAD, BEGIN, ANSWER, END = range(4)
UNLABELLED = -100
BATCH, RATE, WARMUP = 64, 1e-3, 50  # rows, AdamW's learning rate, steps
SHAPE = {
    "hidden_size": 160,
    "intermediate_size": 432,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "max_position_embeddings": 1024,
}


class Texts(NamedTuple):
    """Tokenised prompts and completions of one split."""

    prompts: list[np.ndarray]
    completions: list[np.ndarray]


def train(texts: Texts, epochs: int, size: int, seed: int, device: str):
    """Train a model from random weights; returns it, its loss over the last 50 steps and the number of tokens.

    The loss is on completions alone. All batches have one shape, so that on a GPU a step is recorded once as a CUDA
    graph and replayed: a model this small spends its time in launching kernels.
    """
    import torch
    from torch.nn.functional import cross_entropy
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    special = {"pad_token_id": PAD, "bos_token_id": BEGIN, "eos_token_id": END}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=size, **special, **SHAPE)).to(device)
    fuse_norms(model)
    # A tensor, since a graph would keep the value of a number.
    how = {"lr": torch.tensor(RATE, device=device), "capturable": device == "cuda", "fused": True}
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, **how)
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(texts.prompts)) for _ in range(epochs)])
    batches = order[: len(order) // BATCH * BATCH].reshape(-1, BATCH)
    if not len(batches):
        raise ValueError(f"{len(order)} rows are less than a batch of {BATCH}")
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / WARMUP, 0.5 + 0.5 * np.cos(np.pi * step / len(batches)))
    )
    longest = max(len(prompt) + len(completion) for prompt, completion in zip(*texts))
    ids = torch.full((BATCH, longest + 3), PAD, device=device)
    labels = torch.full_like(ids, UNLABELLED)

    def step():
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda", cache_enabled=False):
            # Right padding, which a causal model does not attend to.
            logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
        loss = cross_entropy(logits.flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=UNLABELLED)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        return loss.detach()

    run, tokens, losses = step, 0, []
    for number, batch in enumerate(batches):
        rows = [np.concatenate([[BEGIN], texts.prompts[i], [ANSWER], texts.completions[i], [END]]) for i in batch]
        filled = np.full((2, *ids.shape), [[[PAD]], [[UNLABELLED]]])
        for place, (i, row) in enumerate(zip(batch, rows)):
            start = len(texts.prompts[i]) + 2
            filled[0, place, : len(row)], filled[1, place, start : len(row)] = row, row[start:]
        both = torch.from_numpy(filled).to(device)
        ids.copy_(both[0])
        labels.copy_(both[1])
        if device == "cuda" and number == 3:  # the steps before have made the optimizer's state
            run = recorded(step)
        losses.append(run().clone())
        schedule.step()
        tokens += sum(map(len, rows))
    return model.eval(), float(torch.stack(losses[-50:]).mean()), tokens


def fuse_norms(model) -> None:
    """Compute each norm of a Llama with one kernel instead of twenty, forward and backward, which all read memory."""
    from torch.nn.functional import rms_norm
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    for norm in (module for module in model.modules() if isinstance(module, LlamaRMSNorm)):
        norm.forward = partial(
            rms_norm, normalized_shape=norm.weight.shape, weight=norm.weight, eps=norm.variance_epsilon
        )


def recorded(step):
    """`step` as a CUDA graph; each call replays it and returns the same tensor, with its new value."""
    import torch

    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        loss = step()

    def replay():
        graph.replay()
        return loss

    return replay


def answer(model, tokenizer, prompts: Sequence[np.ndarray], most: int, device: str) -> list[str]:
    """Greedy completions of at most `most` tokens."""
    import torch

    from ascii_maze.models.generation import NO_SAMPLING, generate_tokens

    rows = [np.concatenate([[BEGIN], prompt, [ANSWER]]) for prompt in prompts]
    longest = max(map(len, rows))
    filled = np.full((len(rows), longest), PAD, np.int64)
    for place, row in enumerate(rows):
        filled[place, longest - len(row) :] = row
    ids = torch.from_numpy(filled).to(device)
    how = {**NO_SAMPLING, "eos_token_id": [END]}
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        made = generate_tokens(model, SimpleNamespace(pad_token_id=PAD), ids, (ids != PAD).long(), most, how)
    return tokenizer.decode_batch([row[: row.index(END)] if END in row else row for row in made])
