"""What every method must hold, and what is its own."""

import json
import math
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.evaluation.options import Options
from ascii_maze.evaluation.run import evaluate
from ascii_maze.recipe.methods import METHODS
from ascii_maze.training import kto
from ascii_maze.training.callbacks import JsonLog
from ascii_maze.training.reward import expected_calibration_error
from ascii_maze.training.tokenised import parts_of, taught_by
from dataset_builder.load import load_split

from .conftest import METHODS_AFTER_SFT, history, interrupt_at, launch, losses, method_settings, overrides, trainer_of

CONFIGS = {"sft": "sft", **dict.fromkeys(("dpo", "orpo", "kto", "reward"), "preference")}
CONFIGS |= dict.fromkeys(("rlhf", "grpo"), "prompts")
CHAINED = ("dpo", "kto", "rlhf", "grpo")


def first(folder, key):
    return next(line[key] for line in history(folder) if key in line)


def last(folder, key):
    return next(line[key] for line in reversed(history(folder)) if key in line)


@pytest.mark.parametrize("method", METHODS_AFTER_SFT)
def test_a_run_leaves_a_whole_folder_and_no_checkpoints(method_runs, method):
    out = method_runs / method
    names = {path.name for path in out.iterdir()}
    assert {"adapter_model.safetensors", "tokenizer.json", "recipe.yaml", "README.md", "learning_curve.png"} <= names
    assert not {name for name in names if name.startswith("checkpoint-") or name in ("ref", "optimizer.pt")}
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["method"], metrics["base_model"], metrics["steps"]) == (method, "tiny", 3)
    assert metrics["samples"] in (24, 48)  # walks of RL; KTO takes both sides of a pair by themselves
    assert metrics["tokens"] > 24 * 90
    assert metrics["seconds"] > 0
    assert all(math.isfinite(loss) for loss in losses(out))
    assert (out / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("method", [method for method in METHODS_AFTER_SFT if method != "reward"])
def test_true_validity_stands_beside_the_loss_at_every_evaluation(method_runs, method):
    line = next(line for line in history(method_runs / method) if "eval_valid" in line)
    assert line["step"] == 3
    assert 0 <= line["eval_optimal"] <= line["eval_valid"] <= line["eval_legal"] <= 1
    assert "eval_loss" in line


@pytest.mark.parametrize("method", [*CHAINED, "reward"])
def test_a_chained_run_moves_away_from_the_adapter_it_started_from(method_runs, sft_run, method):
    start = load_file(sft_run[0] / "adapter_model.safetensors")
    end = load_file(method_runs / method / "adapter_model.safetensors")
    assert set(start) <= set(end)
    moved = [float((end[name] - start[name]).abs().max()) for name in start]
    assert 0 < max(moved) < 0.05


@pytest.mark.parametrize("method", CHAINED)
def test_the_reference_is_the_start_of_the_run_and_no_second_model(dataset, sft_run, method_runs, method):
    """An adapter `ref` beside the one that is trained: the SFT adapter, bit for bit, frozen, as is the start."""
    trainer = trainer_of(method, dataset, method_runs, sft_run[0], beta=0.1)  # GRPO by default has no use for one
    assert getattr(trainer, "ref_model", None) is None
    start = load_file(sft_run[0] / "adapter_model.safetensors")
    parameters = dict(trainer.model.named_parameters())
    for name, weight in start.items():
        reference = parameters[name.replace(".weight", ".ref.weight")]
        policy = parameters[name.replace(".weight", ".default.weight")]
        assert policy.dtype == torch.float32
        assert torch.equal(reference, weight)
        assert torch.equal(policy, weight)
        assert policy.requires_grad
        assert not reference.requires_grad


@pytest.mark.parametrize("method", METHODS)
def test_what_is_proven_before_a_run_is_what_its_trainer_reads(method, dataset, sft_run, method_runs):
    trainer = trainer_of(method, dataset, method_runs, sft_run[0])
    rows = load_split(str(dataset), "train", CONFIGS[method]).select(range(4))
    taught = taught_by(method, trainer.args, trainer.processing_class, rows)
    if METHODS[method].generates:
        prompts, *_ = trainer._tokenize_prompts(list(rows["prompt"]))
        assert [one.prompt_ids for one in taught] == prompts
        return
    read = [(part.prompt_ids or [], part.answer_ids) for row in trainer.train_dataset for part in parts_of(row)]
    whole = [prompt + answer for prompt, answer in read]
    assert len(taught) == 4 * (1 if method == "sft" else 2)
    for one in taught:
        if method == "reward":
            assert one.prompt_ids + one.answer_ids in whole
        else:
            assert (one.prompt_ids, one.answer_ids) in read


def test_dpo_and_kto_begin_where_policy_and_reference_agree(method_runs):
    for method in ("dpo", "kto"):
        assert first(method_runs / method, "rewards/chosen") == pytest.approx(0, abs=1e-3)
        assert first(method_runs / method, "rewards/rejected") == pytest.approx(0, abs=1e-3)


def test_kto_sees_right_and_wrong_walks_in_one_batch(dataset, sft_run, method_runs):
    trainer = trainer_of("kto", dataset, method_runs, sft_run[0])
    labels = trainer.train_dataset["label"]
    assert sum(labels) == len(labels) / 2
    assert all(0 < sum(labels[start : start + 32]) < 32 for start in range(0, len(labels), 32))


def test_orpo_has_no_loss_on_the_prompt(method_runs):
    for line in history(method_runs / "orpo"):
        if "nll_loss" in line:
            assert line["nll_loss"] == pytest.approx(-line["logps/chosen"], rel=1e-4)


def test_grpo_logs_every_term_of_its_reward(method_runs):
    line = next(line for line in history(method_runs / "grpo") if "reward" in line)
    terms = {name: line[f"rewards/{name}/mean"] for name in ("validity", "shortness", "format", "progress")}
    assert line["reward"] == pytest.approx(
        terms["validity"] + 0.5 * terms["shortness"] + 0.1 * terms["format"] + 0.3 * terms["progress"], abs=1e-4
    )


def test_rlhf_logs_true_validity_beside_the_reward_it_optimises(method_runs):
    for prefix in ("", "eval_"):
        line = next(line for line in history(method_runs / "rlhf") if f"{prefix}reward" in line)
        assert 0 <= line[f"{prefix}rewards/validity/mean"] <= 1
        assert line[f"{prefix}reward"] == pytest.approx(line[f"{prefix}rewards/reward_model/mean"], abs=1e-4)
    assert "kl" in next(line for line in history(method_runs / "rlhf") if "reward" in line)


def test_the_reward_model_is_judged_on_held_out_pairs(method_runs):
    out = method_runs / "reward"
    assert 0 <= last(out, "eval_pair_accuracy_low") <= last(out, "eval_pair_accuracy")
    assert last(out, "eval_pair_accuracy") <= last(out, "eval_pair_accuracy_high") <= 1
    assert last(out, "eval_pair_accuracy") == pytest.approx(last(out, "eval_accuracy"), abs=1e-6)
    assert -1 <= last(out, "eval_rank_correlation") <= 1
    assert 0 <= last(out, "eval_calibration_error") <= 1
    assert any("score" in name for name in load_file(out / "adapter_model.safetensors"))


def test_calibration_error_by_hand():
    sure, unsure = 4.0, 0.0  # sigmoid: 0.982 and 0.5
    assert expected_calibration_error([sure] * 10) == pytest.approx(1 - 0.98201, abs=1e-4)
    assert expected_calibration_error([-sure] * 10) == pytest.approx(0.98201, abs=1e-4)
    assert expected_calibration_error([unsure + 1e-9, -1e-9] * 5) == pytest.approx(0.0, abs=1e-6)
    assert expected_calibration_error([1e6]) == pytest.approx(0.0)


def test_a_walker_is_no_reward_model_and_a_reward_model_no_walker(dataset, sft_run, method_runs, train, tmp_path):
    words = method_settings("rlhf", dataset, method_runs, sft_run[0], output_dir=tmp_path / "run")
    with pytest.raises(AsciiMazeError, match="sft' cannot be used here: it writes paths, and is not a reward model"):
        train("recipes/tiny/rlhf.yaml", [*words, "--reward_model_name_or_path", str(sft_run[0])])
    with pytest.raises(
        AsciiMazeError, match="reward' cannot be used here: it is a reward model, which writes no paths"
    ):
        evaluate(
            {"reward": str(method_runs / "reward")}, str(dataset), ["test"], tmp_path / "evaluation", Options(limit=1)
        )


def test_an_answer_that_would_be_cut_is_refused(dataset, sft_run, method_runs, train, tmp_path):
    words = method_settings("grpo", dataset, method_runs, sft_run[0], output_dir=tmp_path / "run")
    with pytest.raises(UsageError, match=r"max_completion_length is 5 and the longest right answer needs \d+ tokens"):
        train("recipes/tiny/grpo.yaml", [*words, "--max_completion_length", "5"])
    assert not (tmp_path / "run").exists()


def test_two_processes_train_every_method(dataset, sft_run, method_runs, tmp_path):
    """Twice four rows a step are the same rows as eight in one process, and so the same losses, unless rollouts are
    sampled. DPO's supervised term is a mean over the tokens of each process, and the mean of two such means weighs
    tokens of the process with the shorter completions more: up to 2 % here, while all else agrees to 0.2 %.
    """
    words = ["tests/training/all_methods.py", dataset, tmp_path, sft_run[0]]
    done = launch([sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", *words], PYTHONPATH=".")
    assert done.returncode == 0, done.stderr[-4000:]
    for method in METHODS_AFTER_SFT:
        alone, both = (
            json.loads((folder / method / "metrics.json").read_text()) for folder in (method_runs, tmp_path)
        )
        assert both["processes"] == 2
        assert both["samples"] == alone["samples"]
        if method in ("rlhf", "grpo"):
            assert both["tokens"] == pytest.approx(alone["tokens"], rel=0.2)
            assert all(math.isfinite(loss) for loss in losses(tmp_path / method))
        else:
            assert both["tokens"] == alone["tokens"]
            tolerance = 2e-2 if method == "dpo" else 2e-3
            assert losses(tmp_path / method) == pytest.approx(losses(method_runs / method), rel=tolerance, abs=1e-3)


@pytest.mark.parametrize("method", METHODS_AFTER_SFT)
def test_an_interrupted_run_resumes_as_if_it_had_not_been(
    dataset, sft_run, method_runs, train, tmp_path, monkeypatch, method
):
    """Bit for bit, in the middle of the second of two epochs of two steps; those that sample included."""
    rows = {"kto": 8, "rlhf": 4, "grpo": 4}.get(method, 16)  # two of each pair, four answers to each prompt

    def words(name):
        changes = {"max_steps": 4, "save_steps": 1, "train_limit": rows, "output_dir": tmp_path / name}
        if method == "rlhf":
            changes["reward_model_name_or_path"] = method_runs / "reward"
        return [*method_settings(method, dataset, tmp_path, sft_run[0]), *overrides(changes)]

    with monkeypatch.context() as patch:
        patch.setattr(JsonLog, "on_step_end", interrupt_at(4))
        with pytest.raises(KeyboardInterrupt):
            train(f"recipes/tiny/{method}.yaml", words("interrupted"))
    state = json.loads((tmp_path / "interrupted" / "checkpoint-3" / "trainer_state.json").read_text())
    assert state["epoch"] == 1.5
    train(f"recipes/tiny/{method}.yaml", words("interrupted"))
    train(f"recipes/tiny/{method}.yaml", words("whole"))
    assert len(losses(tmp_path / "interrupted")) == 4
    assert losses(tmp_path / "interrupted") == losses(tmp_path / "whole")
    # Counted since the process started: wrong in a resumed run.
    assert not {"train_loss", "num_tokens"} & {key for line in history(tmp_path / "interrupted") for key in line}


def test_kto_of_one_row_a_batch_is_refused():
    arguments = {"args": SimpleNamespace(per_device_train_batch_size=1, seed=0)}
    with pytest.raises(UsageError, match="set --per_device_train_batch_size to 2 or more"):
        kto.make_trainer(object, None, None, None, **arguments)
