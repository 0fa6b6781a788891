"""Supervised fine-tuning: the loss of the right answer's tokens, none on the prompt (Ouyang et al., 2022, step 1)."""

COLUMNS = ("prompt", "completion")


def config_class() -> type:
    """TRL's config of this method, a dataclass."""
    from trl import SFTConfig

    return SFTConfig


def make_trainer(run, **arguments):
    """TRL's trainer of this method, ready to train.

    Args:
        run: the recipe's `RunArguments`.
        arguments: model, args, train_dataset, eval_dataset, processing_class and measure, as
            `ascii_maze.training.run` makes them.
    """
    from trl import SFTTrainer

    from .watch import watched

    return watched(SFTTrainer)(**arguments)
