"""Supervised fine-tuning: the loss of the right answer's tokens, none on the prompt (Ouyang et al., 2022, step 1)."""

COLUMNS = ("prompt", "completion")


def config_class() -> type:
    """TRL's config of this method, a dataclass."""
    from trl import SFTConfig

    return SFTConfig


def make_trainer(**arguments):
    """TRL's trainer of this method, ready to train; see `ascii_maze.training.run` for the arguments."""
    from trl import SFTTrainer

    return SFTTrainer(**arguments)
