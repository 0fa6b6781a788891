"""Kahneman-Tversky optimisation: single completions labelled right or wrong, no pairs; a loss weighs more than a gain
(Ethayarajh et al., 2024). The reference model is the adapter that the run starts from.
"""


def make_trainer(trainer_class: type, run, train_dataset, eval_dataset, **arguments):
    """Make TRL's trainer of this method; see `sft`. Pairs become single completions, shuffled with the run's seed.

    TRL would read all right completions before all wrong ones, which would bias the KL term, since that is estimated
    from the other rows of a batch.

    Raises:
        UsageError: batches of one row, from which the KL term cannot be estimated.
    """
    from trl import unpair_preference_dataset

    from ..errors import UsageError
    from .watch import watched

    if arguments["args"].per_device_train_batch_size < 2:
        raise UsageError("KTO compares the rows of a batch: set --per_device_train_batch_size to 2 or more")
    seed = arguments["args"].seed
    single = [
        rows and unpair_preference_dataset(rows).shuffle(seed).flatten_indices()
        for rows in (train_dataset, eval_dataset)
    ]
    return watched(trainer_class)(train_dataset=single[0], eval_dataset=single[1], **arguments)
