"""Kahneman-Tversky optimisation: single walks marked right or wrong, no pairs; a loss weighs more than a gain
(Ethayarajh et al., 2024). The reference is the adapter that the run starts from.
"""


def make_trainer(trainer_class: type, run, train_dataset, eval_dataset, **arguments):
    """TRL's trainer of this method; see `sft`. The pairs become single walks, right and wrong in a fixed random order.

    TRL would put a thousand right ones before a thousand wrong ones and take them as they come, since the KL term is
    estimated from the neighbours in a batch.

    Raises:
        UsageError: a batch of one row, which has no neighbours.
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
