"""Decides whether a run reads common prefixes of its rows only once; see `models.shared_prefix`."""

from ..errors import UsageError
from ..models.shared_prefix import TOLERANCE, SharedPrefix, backbone_of, disagreement, why_not, window_of


def share_prefixes(trainer, mode: str, longest: int) -> str:
    """Let the models of a run read batches with shared prefixes; `trainer.shared` then counts the policy's tokens.

    Args:
        trainer: with its models, before it trains.
        mode: the recipe's `shared_prefix`: `auto` on a CPU where it is exact, `true` on any device, or not at all,
            `false` never.
        longest: tokens of the longest row, rollout included.

    Returns:
        A line on whether it is enabled.

    Raises:
        UsageError: the mode is `true`, and it cannot be enabled.
    """
    if mode == "false":
        return "shared prefix: off, as the recipe says"
    if mode == "auto" and trainer.args.device.type == "cuda":  # benchmarks/GPU.md
        return "shared prefix: off, because whole rows are faster on a GPU; --shared_prefix true saves memory"
    reason = _why_not_here(trainer, longest) or why_not(trainer.model) or _why_not_shown(trainer.model)
    if reason is not None:
        if mode == "true":
            raise UsageError(f"shared_prefix is true, which is not possible here: {reason}; set --shared_prefix auto")
        return f"shared prefix: off, because {reason}"
    trainer.shared = SharedPrefix(backbone_of(trainer.model))
    for model in (getattr(trainer, "ref_model", None), *getattr(trainer, "reward_funcs", ())):
        if hasattr(model, "base_model") and why_not(model) is None:
            SharedPrefix(backbone_of(model))
    return "shared prefix: on; what rows of a batch begin with is read once, where that saves 15 % or more"


def _why_not_here(trainer, longest: int) -> str | None:
    """Why a run's settings rule it out; None if they do not."""
    import torch

    args, model = trainer.args, trainer.model
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return "FSDP and DeepSpeed gather weights once for each pass"
    if getattr(args, "padding_free", False) or getattr(args, "packing", False):
        return "rows are packed (padding_free or packing), and read as one"
    if args.activation_checkpointing or args.gradient_checkpointing:
        return "activation_checkpointing computes layers again without what they had cached"
    if args.per_device_train_batch_size == 1 and "input_ids" in (getattr(trainer.train_dataset, "column_names", ())):
        return "a batch is one row"
    if args.torch_compile:
        return "torch_compile would compile it again for every batch"
    if args.neftune_noise_alpha:
        return "neftune_noise_alpha adds noise to every row"
    config = model.config.get_text_config()
    if getattr(config, "attention_dropout", 0) or any(
        isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules()
    ):
        return "dropout falls on each row independently"
    window = window_of(model)
    if longest >= window:
        return f"its sliding window of {window:.0f} tokens is shorter than the longest row, {longest}"
    return None


def _why_not_shown(model) -> str | None:
    """Whether the model itself computes the same states and gradients."""
    error = disagreement(model)
    return None if error <= TOLERANCE else f"it changes what this model computes (relative error {error:.1g})"
