"""The rows train with TRL's own commands: no code of this project takes part."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TINY = Path(__file__).resolve().parents[2] / "ascii_maze" / "tiny"


@pytest.mark.parametrize(
    ("method", "config", "options"),
    [
        ("sft", "sft", []),
        ("dpo", "preference", []),
        (
            "grpo",
            "prompts",
            ["--reward_funcs", "think_format_reward", "--num_generations", "2", "--max_completion_length", "8"],
        ),
    ],
)
def test_one_step_of_a_plain_trl_command(dataset, tmp_path, method, config, options):
    trl = shutil.which("trl", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    words = ["--model_name_or_path", TINY, "--dataset_name", dataset, "--dataset_config", config, *options]
    words += ["--max_steps", 1, "--per_device_train_batch_size", 2, "--output_dir", tmp_path / "out"]
    words += ["--use_cpu", "true", "--bf16", "false", "--report_to", "none"]
    words += ["--save_strategy", "no", "--eval_strategy", "no"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([trl, method, *map(str, words)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "out" / "model.safetensors").is_file()
