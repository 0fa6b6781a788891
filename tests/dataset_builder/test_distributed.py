"""The stages on datatrove's executors give the bytes of a plain build."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import huggingface_hub
import pytest

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.files import output_folder
from dataset_builder import distributed
from dataset_builder.build import build
from dataset_builder.config import load_config

from .test_build import contents

# `local` waits two minutes between looks at ranks that other machines run.
IMPATIENT = (
    "import datatrove.executor.local as local, time, types\n"
    "local.time = types.SimpleNamespace(sleep=lambda seconds: time.sleep(0.2))\n"
    "from dataset_builder.distributed import app\napp()\n"
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "data"
    build(load_config("demo", limit=60), out)
    return contents(out)


def run_module(out, *words, **environment):
    """`python -m dataset_builder.distributed` on a small dataset with two ranks."""
    fixed = ("-m", "dataset_builder.distributed", "demo", "--limit", "60", "--tasks", "2", "--out", str(out))
    return subprocess.run(
        [sys.executable, *fixed, *words], capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_two_ranks_in_two_processes(plain, tmp_path):
    done = run_module(tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("built")
    assert contents(tmp_path / "data") == plain


def test_a_dataset_that_was_removed_is_built_again(plain, tmp_path):
    """Datatrove's logs, which have every rank as completed, stay."""
    out = tmp_path / "data"
    for words in ((), ("--tasks", "3"), ()):
        done = run_module(out, *words)
        assert (done.returncode, done.stdout.strip()) == (0, f"{out}: built")
        assert contents(out) == plain
        shutil.rmtree(out)
    assert run_module(out).returncode == 0
    assert run_module(out).stdout.strip() == f"{out}: built"  # without running anything
    assert contents(out) == plain


def test_another_number_of_tasks_completes_an_interrupted_build(plain, tmp_path):
    config, out = load_config("demo", limit=60), tmp_path / "data"
    distributed.plan_rank(config, out, 0, 1)
    logs = tmp_path / "data-logs" / f"{distributed.attempt_of(config, out)}-4" / "hash" / "completions"
    logs.mkdir(parents=True)
    (logs / "00000").touch()
    assert run_module(out).stdout.strip() == f"{out}: built"
    assert contents(out) == plain


def test_two_machines_on_one_folder_as_hugging_face_jobs_start_them(plain, tmp_path, monkeypatch):
    """What is submitted is recorded at the edge of the network, and run here."""
    submitted = []

    def run_job(**job):
        submitted.append(job)
        return Job()

    class Job:
        url = "https://huggingface.co/jobs/ORG/1"

    monkeypatch.setattr(huggingface_hub, "run_job", run_job)
    monkeypatch.setattr(distributed, "MOUNT", str(tmp_path))
    distributed.main(
        "demo", tmp_path / "data", tasks=2, executor="jobs", machines=2, bucket="ORG/mazes", limit=60, image="image"
    )
    assert [job["volumes"][0].source for job in submitted] == ["ORG/mazes"] * 2
    runs = []
    for job in submitted:
        python, dash_m, module, *words = job["command"]
        assert (python, dash_m, module) == ("python", "-m", "dataset_builder.distributed")
        runs.append(subprocess.Popen([sys.executable, "-c", IMPATIENT, *words], stderr=subprocess.DEVNULL))
    assert [run.wait(120) for run in runs] == [0, 0]
    assert contents(tmp_path / "data") == plain


def test_two_builds_of_different_seeds_on_one_folder_do_not_mix(tmp_path):
    one, two, out = load_config("demo", 0, limit=60), load_config("demo", 1, limit=60), tmp_path / "data"
    for _, work in distributed.STAGES[:-1]:
        for config in (one, two):
            work(config, out, 0, 1)
    distributed.finish_rank(one, out, 0, 1)
    with pytest.raises(UsageError, match="holds a dataset of another config or seed"):
        distributed.finish_rank(two, out, 0, 1)
    build(one, tmp_path / "alone")
    assert contents(out) == contents(tmp_path / "alone")


def test_a_build_does_not_begin_while_ranks_write(tmp_path):
    with output_folder(tmp_path, shared=True), pytest.raises(AsciiMazeError, match="another ascii-maze process"):
        build(load_config("demo", limit=60), tmp_path)


SBATCH = r"""#!{python}
import os, pathlib, re, subprocess, sys
script = pathlib.Path(sys.argv[-1])
array = re.search(r"--array=(\d+)-(\d+)", script.read_text())
jobs = pathlib.Path(__file__).with_name("jobs")
number = len(jobs.read_text().splitlines()) if jobs.exists() else 0
name = re.search(r"--job-name=(\S+)", script.read_text())[1]
jobs.open("a").write(" ".join([str(number), name, *sys.argv[1:-1]]) + "\n")
for task in range(int(array[1]), int(array[2]) + 1):
    environment = dict(os.environ, SLURM_ARRAY_TASK_ID=str(task), SLURM_ARRAY_JOB_ID=str(number), SLURM_JOB_ID="1")
    environment |= {{"SLURM_PROCID": "0", "SLURM_NODEID": "0", "SLURM_NODELIST": "node1", "SLURM_JOB_NUM_NODES": "1"}}
    subprocess.run(["bash", str(script)], env=environment, check=True, stdout=sys.stderr)
print("Submitted batch job", number)
"""
SRUN = '#!/bin/bash\nuntil [[ $1 == launch* ]]; do shift; done\nexec "$@"\n'


def test_slurm(plain, tmp_path):
    """With an `sbatch` and an `srun` that run at once what they are given, on a cluster of one node."""
    commands = {"sbatch": SBATCH.format(python=sys.executable), "srun": SRUN, "scontrol": "#!/bin/sh\necho node1\n"}
    for name, text in commands.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    options = ("--option", "time=00:10:00", "--option", "partition=cpu")
    done = run_module(tmp_path / "data", "--executor", "slurm", *options, PATH=path)
    assert done.returncode == 0, done.stderr
    jobs = [line.split() for line in (tmp_path / "bin" / "jobs").read_text().splitlines()]
    stages = {name: (number, words) for number, name, *words in jobs if words}  # the others merge statistics
    names = [f"ascii-maze-demo-{stage}" for stage in ("plan", "hash", "write", "finish")]
    assert list(stages) == names
    for before, after in pairwise(names):
        assert f"--dependency=afterok:{stages[before][0]}" in stages[after][1]
    assert contents(tmp_path / "data") == plain


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"executor": "kubernetes"}, "unknown executor 'kubernetes'; expected one of local, slurm, ray, jobs"),
        ({"executor": "jobs"}, "needs --bucket ORG/NAME, and an --out under /data"),
        ({"machines": 3}, "--machines is 3, and there are 2 tasks"),
        ({"option": ["partition"]}, "--option partition: expected KEY=VALUE"),
    ],
)
def test_bad_arguments(tmp_path, words, message):
    with pytest.raises(UsageError, match=message):
        distributed.main("demo", tmp_path / "data", **words)


def test_a_wrong_value_is_plain_text_as_of_every_command(tmp_path):
    done = run_module(tmp_path / "data", "--tasks", "0")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: Invalid value for '--tasks': ")
