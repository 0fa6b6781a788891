"""Supervised fine-tuning: cross-entropy on the tokens of the right completion (Ouyang et al., 2022, step 1)."""


def make_trainer(trainer_class: type, run, **arguments):
    """Make TRL's trainer of this method.

    Args:
        trainer_class: TRL's, from the registry in `ascii_maze.methods`.
        run: the recipe's `RunArguments`.
        arguments: model, args, train_dataset, eval_dataset, processing_class and measure, from `run.make_trainer`.
    """
    from .watch import watched

    return watched(trainer_class)(**arguments)
