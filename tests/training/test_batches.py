"""The order of a run."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from ascii_maze.recipe import load_recipe
from ascii_maze.training.batches import StepSampler

from .conftest import trainer_of

LENGTHS = np.random.default_rng(0).integers(90, 180, 203)


def order(epoch=0, seed=0, rows_per_step=16):
    return list(StepSampler(LENGTHS, rows_per_step, seed, lambda: epoch))


def test_every_row_once_and_the_same_order_again_for_the_same_seed_and_epoch():
    assert sorted(order()) == list(range(len(LENGTHS)))
    assert order() == order()
    assert len({tuple(order(epoch, seed)) for epoch in range(3) for seed in range(3)}) == 9


def test_which_rows_a_step_holds_is_random_and_its_batches_hold_rows_of_like_length():
    steps = [LENGTHS[order()[start : start + 16]] for start in range(0, 203, 16)]
    assert all((np.diff(step) >= 0).all() for step in steps)
    assert np.std([step.mean() for step in steps]) < 0.5 * LENGTHS.std()


@pytest.mark.parametrize(("strategy", "holds"), [("random", abs), ("group_by_length", lambda rank: rank + 1)])
def test_a_run_does_not_walk_from_long_to_short(dataset, tmp_path, strategy, holds):
    """As it does with transformers' sampler, which sorts a quarter of so small a dataset at a time."""
    trainer = trainer_of("sft", dataset, tmp_path, train_sampling_strategy=strategy)
    assert load_recipe("recipes/tiny/sft.yaml").values.get("train_sampling_strategy", "random") == "random"
    lengths = [float(batch["attention_mask"].sum()) for batch in trainer.get_train_dataloader()]
    assert holds(walk_of(lengths)) < 0.3


def walk_of(lengths):
    """Rank correlation of a batch's place in its quarter of the run with its length: -1 from long to short."""
    return np.mean([spearmanr(range(len(quarter)), quarter).statistic for quarter in np.array_split(lengths, 4)])
