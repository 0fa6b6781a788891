"""Direct preference optimisation: prefer the right walk to the wrong one, by the margin over the start's own
preference and without a reward model (Rafailov et al., 2023). The reference is the adapter that the run starts from.
"""

COLUMNS = ("prompt", "chosen", "rejected")


def config_class() -> type:
    """TRL's config of this method, a dataclass."""
    from trl import DPOConfig

    return DPOConfig


def make_trainer(run, **arguments):
    """TRL's trainer of this method; see `sft`."""
    from trl import DPOTrainer

    from .watch import watched

    return watched(DPOTrainer)(**arguments)
