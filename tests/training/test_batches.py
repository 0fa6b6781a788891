"""The order of a run."""

import dataclasses
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch.utils.data import RandomSampler
from transformers import TrainerControl
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import ModelConfig, ScriptArguments
from trl.trainer.utils import RepeatSampler

from ascii_maze.recipe import LAUNCHER_KEY, RunArguments, load_recipe, shipped_recipes
from ascii_maze.recipe.methods import METHODS
from ascii_maze.training.batches import EpochSampler, SaveBetweenRollouts, StepSampler

from .conftest import trainer_of

LENGTHS = np.random.default_rng(0).integers(90, 180, 203)


def order(epoch=0, seed=0, rows_per_step=16):
    return list(StepSampler(LENGTHS, rows_per_step, (seed,), lambda: epoch))


def test_every_row_once_and_the_same_order_again_for_the_same_seed_and_epoch():
    assert sorted(order()) == list(range(len(LENGTHS)))
    assert order() == order()
    assert len({tuple(order(epoch, seed)) for epoch in range(3) for seed in range(3)}) == 9


def test_a_run_with_a_seed_for_its_data_reads_other_rows_first_and_still_hangs_on_its_own_seed():
    again = [list(StepSampler(LENGTHS, 16, (seed, 1), lambda: 0)) for seed in (0, 1)]
    assert len({tuple(one) for one in (order(), order(seed=1), *again)}) == 4


def test_which_rows_a_step_holds_is_random_and_its_batches_hold_rows_of_like_length():
    steps = [LENGTHS[order()[start : start + 16]] for start in range(0, 203, 16)]
    assert all((np.diff(step) >= 0).all() for step in steps)
    assert np.std([step.mean() for step in steps]) < 0.5 * LENGTHS.std()


@pytest.mark.parametrize("made", [RepeatSampler, LengthGroupedSampler])
def test_a_sampler_of_trl_or_transformers_that_resumes_in_an_epoch_yields_the_order_of_that_epoch(made):
    if made is RepeatSampler:
        new = partial(RepeatSampler, range(203), mini_repeat_count=2, batch_size=4, seed=5)
    else:
        new = partial(LengthGroupedSampler, 16, lengths=LENGTHS.tolist())

    epochs = iter([0, 1, 2])
    one = EpochSampler(new(), 5, lambda: next(epochs))
    whole = [list(one) for _ in range(3)]
    torch.rand(7)
    assert [list(EpochSampler(new(), 5, lambda now=now: now)) for now in range(3)] == whole
    assert len(set(map(tuple, whole))) == 3
    assert all(len(one) == len(order) for order in whole)
    torch.manual_seed(5)
    assert whole[0] == list(new())


def test_sampling_an_order_leaves_the_generator_of_the_run_as_it_is():
    before = torch.get_rng_state()
    list(EpochSampler(RandomSampler(range(9)), 5, lambda: 1))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_checkpoint_waits_until_the_rollouts_in_hand_are_used_up():
    """Three steps share what was sampled; a save is due at steps 2, 3 and 7."""
    trainer = SimpleNamespace(_step=0, num_iterations=3)
    callback, saved = SaveBetweenRollouts(trainer), []
    for step in range(1, 10):
        trainer._step = 2 * step  # batches, two of them in a step
        control = TrainerControl(should_save=step in (2, 3, 7))
        callback.on_step_end(SimpleNamespace(steps_per_generation=2), None, control)
        saved += [step] if control.should_save else []
    assert saved == [3, 9]


@pytest.mark.parametrize(("strategy", "holds"), [("random", abs), ("group_by_length", lambda rank: rank + 1)])
def test_a_run_does_not_walk_from_long_to_short(dataset, tmp_path, strategy, holds):
    """As it does with transformers' sampler, which sorts a quarter of so small a dataset at a time."""
    trainer = trainer_of("sft", dataset, tmp_path, train_sampling_strategy=strategy)
    assert load_recipe("recipes/tiny/sft.yaml").values.get("train_sampling_strategy", "random") == "random"
    lengths = [float(batch["attention_mask"].sum()) for batch in trainer.get_train_dataloader()]
    assert holds(walk_of(lengths)) < 0.3


# Settings that change an order, a schedule or a precision, and what a shipped recipe may have for them; None: nothing.
# One that learns less for the sake of speed is added here without the value that does so.
MAY = {
    "train_sampling_strategy": {None, "random"},  # group_by_length reads from long to short
    "dataloader_drop_last": {None},
    "shuffle_dataset": {None},
    "packing": {None},  # rows see each other
    "padding_free": {None},
    "max_length": {None, 1024},  # longer rows are cut off
    "lr_scheduler_type": {"cosine", "constant_with_warmup"},
    "max_steps": {None},
    "num_iterations": {None},  # rollouts older than the model
    "steps_per_generation": {None, 8},  # in recipes/smollm2/grpo.yaml, two steps; benchmarks/LLM.md
    "generation_batch_size": {None},
    "precompute_ref_log_probs": {None},
    "optim": {None},
    "dtype": {"auto", "float32"},  # float16 and bfloat16 only where autocast goes with them; see `precision_for`
    "bf16": {None, False},
    "fp16": {None},
    "tf32": {None},
    "bnb_4bit_quant_type": {"nf4"},
    "attn_implementation": {None, "eager", "sdpa"},
    "torch_compile": {None},
    "use_liger_kernel": {None},
    "use_vllm": {None},
    "activation_checkpointing": {None, False},
    "shared_prefix": {None, "auto"},  # only where it is exact
}
RECIPES = {
    name: load_recipe(path) for name, path in shipped_recipes().items() if LAUNCHER_KEY in path.read_text("utf-8")
}


@pytest.mark.parametrize("key", MAY)
def test_no_shipped_recipe_learns_less_for_the_sake_of_speed(key):
    told = {name: recipe.values.get(key) for name, recipe in RECIPES.items()}
    assert {name: value for name, value in told.items() if value not in MAY[key]} == {}


def test_these_are_all_recipes_and_settings_of_theirs():
    assert len(RECIPES) > 20
    classes = [RunArguments, ScriptArguments, ModelConfig, *(method.config_class() for method in METHODS.values())]
    known = {field.name for cls in classes for field in dataclasses.fields(cls)}
    assert MAY.keys() <= known


def walk_of(lengths):
    """Rank correlation of a batch's place in its quarter of the run with its length: -1 from long to short."""
    return np.mean([spearmanr(range(len(quarter)), quarter).statistic for quarter in np.array_split(lengths, 4)])
