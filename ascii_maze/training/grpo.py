"""Group-relative policy optimisation against a verifiable reward: several completions for each maze, each rewarded by
where its moves lead, with advantages relative to the group (Shao et al., 2024). The terms are in `rewards`.
"""


def make_trainer(trainer_class: type, run, processing_class, **arguments):
    """Make TRL's trainer of this method; see `sft`. The recipe's `reward_weights` are in the order of the terms."""
    from .rewards import Terms, reward_function
    from .watch import watched

    rewards = [reward_function(term, processing_class) for term in Terms._fields]
    return watched(trainer_class)(reward_funcs=rewards, processing_class=processing_class, **arguments)
