"""Pre-train the embedded model: next-move prediction, float32 weights under bfloat16 autocast, Muon.

Muon (Jordan et al., 2024) needs about half the steps of AdamW here. Each size has one shape of batch, so that
`torch.compile` compiles once per size; attention is "eager", which on a CPU is twice as fast as the flash kernel at
these lengths. What this does not do: more than one device, gradient accumulation, any evaluation by generation.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from ..configuration import check_keys, read_yaml_mapping
from ..files import replacing
from .corpus import IGNORED, Batch, habit_batch, mazes_of_split, skill_batch
from .tokenizer import BOS, EOS, PAD, VOCABULARY, build_tokenizer


@dataclass(frozen=True)
class PretrainConfig:
    """The keys of pretrain.yaml, where each is explained."""

    seed: int
    steps: int
    sizes: list[int]
    size_weights: list[float]
    batch_tokens: int
    learning_rate: float
    warmup_steps: int
    decay_from: float
    wander: float
    habits_from: float
    solvers: float
    patience: list[int]
    model: dict[str, Any]


class Corpus:
    """Batches of the two stages, in an order fixed by the seed."""

    def __init__(self, config: PretrainConfig, split: str = "train"):
        self.config = config
        self._blocks = {size: mazes_of_split(split, size, config.seed) for size in config.sizes}
        self._left: dict[int, tuple] = {}

    def batch(self, size: int, count: int, habits: bool) -> Batch:
        """The next `count` mazes of a size with walks through them."""
        mazes, keys = self._left.get(size) or next(self._blocks[size])
        while len(mazes) < count:
            mazes, keys = next(self._blocks[size])
        self._left[size] = mazes[count:], keys[count:]
        mazes, keys, max_moves = mazes[:count], keys[:count], max_moves_of(size)
        if habits:
            least, most = self.config.patience
            return habit_batch(mazes, keys, max_moves, self.config.solvers, (least, most))
        return skill_batch(mazes, keys, max_moves, self.config.wander)


def max_moves_of(size: int) -> int:
    """Moves that a walk may have: at least the longest shortest path that is at all common at this size."""
    return 11 * size - 9


def batch_size(config: PretrainConfig, size: int) -> int:
    """Mazes in a batch of one size."""
    return max(1, config.batch_tokens // ((2 * size + 1) * (2 * size + 2) + 1 + max_moves_of(size)))


def learning_rate_factor(config: PretrainConfig, step: int) -> float:
    """Warm up, hold, then fall linearly to 0."""
    falling = (1 - step / config.steps) / (1 - config.decay_from)
    return min(1.0, (step + 1) / config.warmup_steps, falling)


def optimizers(model: torch.nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for embeddings, head and norms."""
    named = list(model.named_parameters())
    matrices = [p for name, p in named if p.ndim == 2 and ".layers." in name]
    others = [p for name, p in named if not (p.ndim == 2 and ".layers." in name)]
    return [
        torch.optim.Muon(matrices, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def logits_of(model, tokens: np.ndarray, device: str) -> torch.Tensor:
    """float32 logits (n, length, vocabulary)."""
    with torch.autocast(device, torch.bfloat16):
        return model(input_ids=torch.from_numpy(tokens).to(device), use_cache=False).logits.float()


@torch.no_grad()
def held_out_rates(model, config: PretrainConfig, device: str, count: int = 256) -> dict[str, float]:
    """Share of validation mazes whose whole shortest path is the model's most likely walk, by size.

    Where the argmax agrees at every step with a walk that it is conditioned on, it is what greedy decoding writes.
    """
    rates = {}
    solvers = Corpus(PretrainConfig(**{**vars(config), "wander": 0.0}), "validation")
    for size in config.sizes:
        batch = solvers.batch(size, count, habits=False)
        choice = logits_of(model, batch.tokens, device).argmax(-1).cpu().numpy()
        right = (choice == batch.labels) | (batch.labels == IGNORED)
        rates[f"{size}x{size}"] = round(float(right.all(axis=1).mean()), 3)
    return rates


def pretrain(config: PretrainConfig, out: Path, work: Path, report_every: int = 250) -> None:
    """Train from scratch, or resume from the checkpoint in `work`; save model and tokenizer in `out`."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(config.seed)
    torch.set_float32_matmul_precision("high")
    special = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=len(VOCABULARY), **special, **config.model, attn_implementation="eager")
    ).to(device)
    optims = optimizers(model, config.learning_rate)
    compiled = torch.compile(model, dynamic=False)
    corpus, sizes = Corpus(config), np.array(config.sizes)
    chooser = np.random.default_rng(config.seed)
    checkpoint, first = work / "checkpoint.pt", 0
    work.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        for optimizer, state in zip(optims, saved["optimizers"]):
            optimizer.load_state_dict(state)
        first = saved["step"]
        print(f"resumed from step {first}", flush=True)
    began, tokens, loss_mean = time.monotonic(), 0, 0.0
    for step in range(config.steps):
        size = int(chooser.choice(sizes, p=config.size_weights))
        batch = corpus.batch(size, batch_size(config, size), habits=step >= config.habits_from * config.steps)
        if step < first:
            continue
        for optimizer in optims:
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * learning_rate_factor(config, step)
        logits = logits_of(compiled, batch.tokens, device)
        labels = torch.from_numpy(batch.labels).to(device)
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optims:
            optimizer.step()
            optimizer.zero_grad()
        tokens += batch.tokens.size
        loss_mean += loss.item() / report_every
        if (step + 1) % report_every == 0 or step + 1 == config.steps:
            line = {
                "step": step + 1,
                "loss": round(loss_mean, 4),
                "tokens_per_second": round(tokens / (time.monotonic() - began)),
            }
            line["solver_is_argmax"] = held_out_rates(model, config, device)
            print(json.dumps(line), flush=True)
            with (work / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            loss_mean = 0.0
            save_checkpoint(checkpoint, model, optims, step + 1)
    model.save_pretrained(out, safe_serialization=True)
    build_tokenizer(config.model["max_position_embeddings"]).save_pretrained(out)


def save_checkpoint(path: Path, model, optims, step: int) -> None:
    """Write a checkpoint, whole or not at all."""
    state = {"model": model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optims], "step": step}
    with replacing(path) as temporary:
        torch.save(state, temporary)


def main() -> None:
    """Run a recipe from the command line; see pretrain.yaml for the exact command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for model and tokenizer")
    parser.add_argument(
        "--work", type=Path, default=Path("outputs/tiny-pretrain"), help="folder for checkpoint and log"
    )
    arguments = parser.parse_args()
    values = read_yaml_mapping(arguments.recipe)
    check_keys(values, PretrainConfig, arguments.recipe.name)
    pretrain(PretrainConfig(**values), arguments.out, arguments.work)


if __name__ == "__main__":
    main()
