"""Measures validity during training: greedy completions of held-out mazes."""

from ..mazes.prompts import Message
from ..metrics.path_validity.scoring import score_path


def measure_validity(trainer, tasks: list[tuple[list[Message], str]], batch_size: int = 64) -> dict[str, float]:
    """Complete every prompt with the model as it is now, and score the completions; the processes share the prompts.

    Args:
        tasks: prompts and their mazes.

    Returns:
        `valid`, `optimal` and `legal`: rates 0-1.
    """
    import torch
    from trl.models.utils import unwrap_model_for_generation

    from ..models.budgets import budget_for
    from ..models.generation import generate

    accelerator, tokenizer = trainer.accelerator, trainer.processing_class
    budget = budget_for(tokenizer, (maze for _, maze in tasks), (prompt for prompt, _ in tasks))
    # Equally many for each: with sharded weights a process would otherwise wait forever for others' forward passes.
    # If there are fewer mazes than processes, each process does them all.
    each = len(tasks) // accelerator.num_processes
    mine = tasks[accelerator.process_index :: accelerator.num_processes][:each] if each else tasks
    with unwrap_model_for_generation(trainer.model_wrapped, accelerator) as model:
        model.eval()
        answers = generate(model, tokenizer, [prompt for prompt, _ in mine], budget, batch_size)
    scores = [score_path(maze, answer) for (_, maze), answer in zip(mine, answers)]
    sums = [sum(getattr(score, name) for score in scores) for name in ("valid", "optimal", "legal")]
    total = accelerator.reduce(torch.tensor([*sums, len(mine)], dtype=torch.float32, device=accelerator.device))
    return dict(zip(("valid", "optimal", "legal"), (total[:3] / total[3]).tolist()))
