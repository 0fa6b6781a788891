"""Supervised fine-tuning: the loss of the right answer's tokens, none on the prompt (Ouyang et al., 2022, step 1)."""


def make_trainer(trainer_class: type, run, **arguments):
    """TRL's trainer of this method, ready to train.

    Args:
        trainer_class: TRL's, of the registry in `ascii_maze.methods`.
        run: the recipe's `RunArguments`.
        arguments: model, args, train_dataset, eval_dataset, processing_class and measure, as
            `ascii_maze.training.run` makes them.
    """
    from .watch import watched

    return watched(trainer_class)(**arguments)
