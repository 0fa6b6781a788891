"""Pre-train the embedded model: next-move prediction, float32 weights, under bfloat16 autocast or not, Muon.

The learning rate warms up, holds, and decays on request (warmup-stable-decay: Hu et al., "MiniCPM", 2024), so a run
can be ended at any step, and several models can be made from one run:

    python -m ascii_maze.tiny.pretraining RECIPE --work W                                # holds until it is stopped
    python -m ascii_maze.tiny.pretraining RECIPE --work W --decay 4000 --out FOLDER      # ends with the usual model
    python -m ascii_maze.tiny.pretraining RECIPE --work W --decay 4000 --plain --out F   # and without the habit

The first resumes from its last checkpoint, bit for bit, even after a crash; the others start from that checkpoint and
write their own. Muon (Jordan et al., 2024) needs about half the steps of AdamW here. Attention is "eager",
which on a CPU is twice as fast as the fused kernels at these lengths. On a GPU, `--workers 8` makes the batches
during training. Several devices and gradient accumulation are not supported.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from transformers import LlamaConfig, LlamaForCausalLM

from ...configuration import check_keys, read_yaml_mapping
from ...files import replacing
from .corpus import IGNORED, Batch, Shape, choose, habit_batch, longest_walk, mazes_of_step, skill_batch
from .muon import Float32Muon
from .together import average_gradients, processes, rank, share_of
from .validation import held_out_rates
from .vocabulary import BOS, EOS, PAD, VOCABULARY, build_tokenizer


@dataclass(frozen=True)
class PretrainConfig:
    """The keys of recipe.yaml, where each is explained."""

    seed: int
    steps: int
    generators: dict[str, float]
    sizes: dict[int, float]
    batch_tokens: int
    bfloat16: bool
    walks: dict[int, float]
    learning_rate: float
    warmup_steps: int
    wander: float
    habit_share: float
    solvers: float
    patience: list[int]
    validate_every: int
    validate_mazes: int
    checkpoint_minutes: float
    model: dict[str, Any]


@dataclass(frozen=True)
class Decay:
    """The end of a run: the learning rate falls linearly to 0.

    Attributes:
        begins: the step at which the decay begins.
        steps: number of steps of the decay.
        habits: number of final steps on the corpus of habits.
    """

    begins: int
    steps: int
    habits: int

    @property
    def ends(self) -> int:
        """The step after the last."""
        return self.begins + self.steps


def read_recipe(path: Path) -> PretrainConfig:
    """Read a recipe.

    Raises:
        UsageError: it is not a YAML mapping, or a key is unknown or missing.
    """
    values = read_yaml_mapping(path)
    check_keys(values, PretrainConfig, path.name)
    return PretrainConfig(**values)


def learning_rate_factor(config: PretrainConfig, step: int, decay: Decay | None) -> float:
    """The factor of the learning rate: warm-up, constant, then a linear decay to 0."""
    rising = min(1.0, (step + 1) / config.warmup_steps)
    return rising if decay is None else min(rising, (decay.ends - step) / decay.steps)


def batch_of_step(config: PretrainConfig, step: int, habits: bool) -> Batch:
    """The rows of a step, which depend only on these arguments."""
    rng = np.random.default_rng([config.seed, step])
    size, generator = choose(config.sizes, rng), choose(config.generators, rng)
    walks = choose(config.walks, rng)
    # Several walks are cut at a length that most do not exceed, since the rest would be mostly padding.
    shape = Shape(size, walks, longest_walk(size) if walks == 1 else 5 * size)
    count = max(1, config.batch_tokens // shape.length)
    mazes, keys = mazes_of_step("train", generator, size, config.seed, step, count)
    if habits:
        least, most = config.patience
        return habit_batch(mazes, keys, shape, config.solvers, (least, most))
    return skill_batch(mazes, keys, shape, config.wander)


class Steps(Dataset):
    """The batches of a run, by the numbers of their steps."""

    def __init__(self, config: PretrainConfig, decay: Decay | None):
        """See `Run`."""
        self.config, self.decay = config, decay

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step."""
        habits = self.decay is not None and step >= self.decay.ends - self.decay.habits
        return batch_of_step(self.config, step, habits)


def build_model(config: PretrainConfig) -> LlamaForCausalLM:
    """The model of a recipe with random weights of its seed."""
    torch.manual_seed(config.seed)
    special = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=len(VOCABULARY), **special, **config.model, attn_implementation="eager")
    )


def optimizers(model: torch.nn.Module, learning_rate: float, bfloat16: bool = True) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, through bfloat16 or not, and AdamW for embeddings, head and norms."""
    named = list(model.named_parameters())
    matrices = [p for name, p in named if p.ndim == 2 and ".layers." in name]
    others = [p for name, p in named if not (p.ndim == 2 and ".layers." in name)]
    muon = torch.optim.Muon if bfloat16 else Float32Muon
    return [
        muon(matrices, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def hidden_states(model, batch: Batch, device: str) -> torch.Tensor:
    """The final hidden states of a batch, (n, length, width); called under autocast."""
    attends = torch.from_numpy(batch.attends).to(device)
    mask = torch.zeros(attends.shape, dtype=torch.bfloat16, device=device).masked_fill(~attends, float("-inf"))
    count = len(batch.tokens)
    return model.model(
        input_ids=torch.from_numpy(batch.tokens).to(device),
        attention_mask=mask.expand(count, 1, -1, -1),
        position_ids=torch.from_numpy(batch.positions).to(device).expand(count, -1),
        use_cache=False,
    ).last_hidden_state


def logits_of(model, batch: Batch, device: str, bfloat16: bool = True) -> torch.Tensor:
    """float32 logits (n, length, vocabulary)."""
    with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
        return model.lm_head(hidden_states(model, batch, device)).float()


def loss_of(model, batch: Batch, device: str, bfloat16: bool = True) -> torch.Tensor:
    """The loss of this process's share of a batch, whose mean over processes is that of the batch.

    The head is applied to labelled positions only.
    """
    mine = share_of(batch)
    labels = torch.from_numpy(mine.labels).to(device)
    labelled = labels != IGNORED
    with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
        logits = model.lm_head(hidden_states(model, mine, device)[labelled]).float()
    losses = cross_entropy(logits, labels[labelled], reduction="sum")
    return losses * processes() / int((batch.labels != IGNORED).sum())


class Run:
    """A model with its optimisers, its current step, and the folder of its checkpoints."""

    def __init__(self, config: PretrainConfig, work: Path, decay: tuple[int, bool] | None = None):
        """Resume from the last checkpoint in `work`, if there is one.

        Args:
            decay: number of steps of a decay that begins here, and whether the habit is left out.
        """
        self.config, self.work = config, work
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = build_model(config).to(self.device)
        self.optimizers = optimizers(self.model, config.learning_rate, config.bfloat16)
        self.step, self.decay = 0, None
        name = "" if decay is None else f"-{decay[0]}{'-plain' * decay[1]}"
        self.checkpoint, self.log = work / f"checkpoint{name}.pt", work / f"log{name}.jsonl"
        work.mkdir(parents=True, exist_ok=True)
        self._load(self.checkpoint if self.checkpoint.exists() else work / "checkpoint.pt")
        if decay and self.decay is None:
            steps, plain = decay
            self.decay = Decay(self.step, steps, 0 if plain else round(config.habit_share * steps))

    @property
    def end(self) -> int:
        """The step at which the run ends."""
        return self.decay.ends if self.decay else self.config.steps

    def _load(self, path: Path) -> None:
        if not path.exists():
            return
        saved = torch.load(path, weights_only=True, map_location=self.device)
        self.model.load_state_dict(saved["model"])
        for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.step = saved["step"]
        self.decay = Decay(*saved["decay"]) if saved["decay"] else None

    def save(self) -> None:
        """Write a checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "decay": (self.decay.begins, self.decay.steps, self.decay.habits) if self.decay else None,
        }
        with replacing(self.checkpoint) as temporary:
            torch.save(state, temporary)

    def batches(self, workers: int) -> Iterator[Batch]:
        """The batches of the remaining steps.

        Args:
            workers: processes that make batches ahead of time; 0 makes each batch when it is needed.
        """
        steps = range(self.step, self.end)
        return iter(DataLoader(Steps(self.config, self.decay), sampler=steps, batch_size=None, num_workers=workers))

    def take_step(self, batch: Batch) -> tuple[torch.Tensor, int]:
        """Take one step; returns the loss, on the device, and the number of tokens."""
        factor = learning_rate_factor(self.config, self.step, self.decay)
        loss = loss_of(self.model, batch, self.device, self.config.bfloat16)
        loss.backward()
        average_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.config.learning_rate * factor
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        return loss.detach(), batch.tokens.size

    def validate(self) -> dict[str, dict[str, float]]:
        """`validation.held_out_rates` of every generator and size of the recipe."""
        kinds = [(generator, size) for generator in self.config.generators for size in self.config.sizes]
        return held_out_rates(
            lambda batch: logits_of(self.model, batch, self.device, self.config.bfloat16),
            kinds,
            self.config.seed,
            self.config.validate_mazes,
        )


def pretrain(run: Run, workers: int = 0) -> Iterator[dict[str, Any]]:
    """Take the remaining steps, with checkpoints; yields, and logs, a line at every validation.

    Of several processes only the first writes checkpoints, logs and validates.

    Args:
        workers: see `Run.batches`.
    """
    config, losses, tokens = run.config, [], 0
    began = saved = time.monotonic()
    for batch in run.batches(workers):
        loss, count = run.take_step(batch)
        losses.append(loss)
        tokens += count
        if rank():
            continue
        if run.step % config.validate_every == 0 or run.step == run.end:
            speed = tokens / (time.monotonic() - began)
            line: dict[str, Any] = {
                "step": run.step,
                "loss": round(float(torch.stack(losses).mean()), 4),
                "tokens_per_second": round(speed),
            }
            line["optimal"] = run.validate()
            with run.log.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            yield line
            losses, tokens, began = [], 0, time.monotonic()
        if time.monotonic() - saved > 60 * config.checkpoint_minutes or run.step == run.end:
            run.save()
            saved = time.monotonic()


def write_model(run: Run, out: Path) -> None:
    """Write the weights in bfloat16, and the tokenizer."""
    run.model.to(torch.bfloat16).save_pretrained(out, safe_serialization=True)
    build_tokenizer(run.config.model["max_position_embeddings"]).save_pretrained(out)
