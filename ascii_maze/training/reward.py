"""The reward model of RLHF: a head of one number on the model, larger for the right completion of a pair (Bradley &
Terry, 1952; Ouyang et al., 2022, step 2). Every evaluation measures accuracy and calibration on held-out pairs, and
how the reward ranks completions compared with the verifiable one.
"""

import math

from ..models.chat import apply_template


def make_trainer(trainer_class: type, run, measure, **arguments):
    """Make TRL's trainer of this method; see `sft`. `measure` is replaced: a reward model answers no maze."""
    from .watch import watched

    pairs = arguments["eval_dataset"]
    return watched(trainer_class)(measure=pairs and (lambda trainer: judge_pairs(trainer, pairs)), **arguments)


def judge_pairs(trainer, pairs) -> dict[str, float]:
    """Compare the rewards of both completions of every pair; every process scores all of them.

    Returns:
        `pair_accuracy`, with Wilson's 95 % interval from `pair_accuracy_low` to `pair_accuracy_high`;
        `calibration_error` (see `expected_calibration_error`) and `rank_correlation`, Spearman's, of the reward with
        the verifiable one (`rewards.judge`).
    """
    from scipy.stats import spearmanr
    from statsmodels.stats.proportion import proportion_confint

    from ..mazes.prompts import style_of
    from ..metrics.path_validity.maze import Maze
    from .rewards import judge

    both = [(row["prompt"], row[side]) for side in ("chosen", "rejected") for row in pairs]
    rewards = score_conversations(trainer, [prompt + answer for prompt, answer in both])
    styles = [style_of(prompt) for prompt, _ in both]
    mazes = [Maze.from_text(prompt[-1]["content"], style.maze) for (prompt, _), style in zip(both, styles)]
    truth = [
        judge(maze, answer[-1]["content"], style).total() for maze, (_, answer), style in zip(mazes, both, styles)
    ]
    margins = [right - wrong for right, wrong in zip(rewards[: len(pairs)], rewards[len(pairs) :])]
    right = sum(margin > 0 for margin in margins)
    low, high = proportion_confint(right, len(margins), method="wilson")
    return {
        "pair_accuracy": right / len(margins),
        "pair_accuracy_low": float(low),
        "pair_accuracy_high": float(high),
        "calibration_error": expected_calibration_error(margins),
        "rank_correlation": float(spearmanr(rewards, truth).statistic),
    }


def score_conversations(trainer, conversations: list[list[dict]], batch_size: int = 64) -> list[float]:
    """The reward of each conversation."""
    import torch

    tokenizer, rewards = trainer.processing_class, []
    for start in range(0, len(conversations), batch_size):
        texts = apply_template(tokenizer, conversations[start : start + batch_size], tokenize=False)
        batch = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right", add_special_tokens=False)
        batch = {key: batch[key].to(trainer.args.device) for key in ("input_ids", "attention_mask")}
        with torch.no_grad(), trainer.compute_loss_context_manager():
            rewards += trainer.model(**batch).logits[:, 0].float().tolist()
    return rewards


def expected_calibration_error(margins: list[float], bins: int = 10) -> float:
    """How far the confidence in a choice, sigmoid(|margin|), is from how often the choice is right; 0-1, 0 is best.

    Args:
        margins: reward of the right completion minus that of the wrong one.

    Paper: Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    confidence = [1 / (1 + math.exp(-min(abs(margin), 50.0))) for margin in margins]
    error = 0.0
    for number in range(bins):
        low, high = 0.5 + number * 0.5 / bins, 0.5 + (number + 1) * 0.5 / bins
        inside = [i for i, c in enumerate(confidence) if low <= c < high or (number == bins - 1 and c >= high)]
        if inside:
            right = sum(margins[i] > 0 for i in inside) / len(inside)
            error += len(inside) / len(margins) * abs(right - sum(confidence[i] for i in inside) / len(inside))
    return error
