"""Group-relative policy optimisation against a reward that can be checked: several walks for each maze, each rewarded
by what it did in the maze, advantages relative to its group (Shao et al., 2024). The terms are in `rewards`.
"""


def make_trainer(trainer_class: type, run, **arguments):
    """TRL's trainer of this method; see `sft`. `reward_weights` of the recipe weighs the terms in their order."""
    from .rewards import Terms, reward_function
    from .watch import watched

    return watched(trainer_class)(reward_funcs=[reward_function(term) for term in Terms._fields], **arguments)
