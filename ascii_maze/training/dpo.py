"""Direct preference optimisation: prefer the right completion to the wrong one by more than the reference model does,
without a reward model (Rafailov et al., 2023). The reference model is the adapter that the run starts from.
"""


def make_trainer(trainer_class: type, run, **arguments):
    """Make TRL's trainer of this method; see `sft`."""
    from .watch import watched

    return watched(trainer_class)(**arguments)
