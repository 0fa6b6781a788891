"""Direct preference optimisation: prefer the right walk to the wrong one, by the margin over the start's own
preference and without a reward model (Rafailov et al., 2023). The reference is the adapter that the run starts from.
"""


def make_trainer(trainer_class: type, run, **arguments):
    """TRL's trainer of this method; see `sft`."""
    from .watch import watched

    return watched(trainer_class)(**arguments)
