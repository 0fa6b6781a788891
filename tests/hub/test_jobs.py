"""Training on Hugging Face Jobs: what is refused, what is sent, and that the job as it was sent trains and pushes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ascii_maze.errors import AsciiMazeError, UsageError
from ascii_maze.hub import jobs
from ascii_maze.hub.adapter import published_base
from ascii_maze.recipe import load_recipe

from .conftest import NAMESPACE, ORG, READ, WRITE

pytestmark = pytest.mark.skipif(bool(NAMESPACE), reason="jobs of the real Hub cost money")
MAZES, BASE, SFT = f"{ORG}/ascii-maze", f"{ORG}/ascii-maze-tiny", f"{ORG}/ascii-maze-sft"
WHERE = ["--dataset_name", MAZES, "--hub_model_id", SFT, "--hub_base_model", BASE]


def planned(*words, recipe="recipes/tiny/sft.yaml", flavor="cpu-upgrade", **options):
    return jobs.plan_job(load_recipe(recipe, [*WHERE, *words]), flavor, **options)


@pytest.mark.parametrize(
    ("words", "recipe", "said"),
    [
        (
            ["--dataset_name", "mazes"],
            "sft",
            r"'dataset_name' is 'mazes', so first `ascii-maze push dataset mazes ",
        ),
        (
            [],
            "dpo",
            r"`ascii-maze push adapter outputs/tiny/sft --repo ORG/sft`, then --adapter_name_or_path ORG",
        ),
        (["--model_name_or_path", "my/model/here"], "sft", r"`ascii-maze push model my/model/here --repo ORG/here`"),
        (
            ["--dataset_mix", f"{MAZES}=0.8,mine=0.2"],
            "sft",
            r"push dataset mine --repo ORG/mine`, then ORG/mine in --",
        ),
        (["--chat_template", "mine.jinja"], "sft", r"'chat_template' is the file mine\.jinja; leave it out"),
        (["--hub_model_id", "mine"], "sft", "'mine' has no namespace"),
    ],
)
def test_what_is_on_this_machine_is_refused_with_what_to_push_first(words, recipe, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jinja").write_text("{{ messages }}")
    with pytest.raises(UsageError, match=said):
        planned(*words, recipe=f"recipes/tiny/{recipe}.yaml")


def test_where_the_result_goes_and_what_it_runs_on_are_checked():
    plain = load_recipe("recipes/tiny/sft.yaml", ["--dataset_name", MAZES])
    with pytest.raises(UsageError, match="name where the result goes with --hub_model_id ORG/NAME"):
        jobs.plan_job(plain, "t4-small")
    with pytest.raises(UsageError, match="no hardware 'a10g-lorge'; did you mean 'a10g-large'"):
        planned(flavor="a10g-lorge")
    with pytest.raises(UsageError, match="'long' is not a time"):
        planned(timeout="long")
    with pytest.raises(UsageError, match="publish that and name it: --hub_base_model ORG/NAME"):
        jobs.plan_job(load_recipe("recipes/tiny/sft.yaml", WHERE[:4]), "t4-small")


def test_a_job_is_sent_followed_and_its_failure_is_one_line(hub, api):
    job = planned("--learning_rate", "2e-3", timeout="90m")
    submitted = jobs.submit(job, api)
    (sent,) = hub.jobs
    assert (sent["flavor"], sent["timeoutSeconds"], sent["secrets"]) == ("cpu-upgrade", 5400, {"HF_TOKEN": WRITE})
    assert sent["environment"]["ASCII_MAZE_PACKAGE"] == jobs.PACKAGE
    recipe = yaml.safe_load(sent["environment"]["ASCII_MAZE_RECIPE"])
    assert (recipe["method"], recipe["dataset_name"], recipe["learning_rate"]) == ("sft", MAZES, "2e-3")
    assert "extends" not in recipe
    assert WRITE not in json.dumps({**sent, "secrets": None})
    hub.job_log = ["loss 1.0", "loss 0.5"]
    assert list(jobs.follow(submitted, api)) == ["loss 1.0", "loss 0.5"]
    hub.job_stage = "ERROR"
    with pytest.raises(AsciiMazeError, match="job job0 has ended as ERROR; `hf jobs logs job0` shows its log"):
        list(jobs.follow(submitted, api))


def test_an_account_that_may_run_no_jobs_is_told_so(hub, connect):
    with pytest.raises(AsciiMazeError, match="this account, or its token, may not write to a job"):
        jobs.submit(planned(), connect(READ))
    hub.fault("POST", "/api/jobs/", status=402)
    with pytest.raises(AsciiMazeError, match="the Hub asks for payment before it takes a job"):
        jobs.submit(planned(), connect(WRITE))


def test_the_command_submits_and_prints_the_log(hub, run):
    words = ["-m", "ascii_maze", "train", "recipes/tiny/sft.yaml", "--on", "hf-jobs:cpu-upgrade", *WHERE]
    dry = run(*words, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert f"the result goes to {SFT}" in dry.stdout
    assert hub.jobs == []
    hub.job_log = ["\x1b[31mtrained"]
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["\\x1b[31mtrained", f"done: {SFT}"]
    for wrong in (["--on", "my-cluster"], ["--job-timeout", "9h"], ["--on", "hf-jobs:cpu-upgrade", "--overwrite"]):
        assert run("-m", "ascii_maze", "train", "recipes/tiny/sft.yaml", *wrong).returncode == 2


def test_the_job_as_it_was_sent_trains_and_pushes(hub, api, builds, push, tmp_path):
    """Run by bash with a stand-in for uv, which is not installed here, in a folder with nothing else in it."""
    push(builds.first, repo=MAZES)
    api.create_repo(BASE, private=True)
    small = ["--max_steps", "1", "--per_device_train_batch_size", "2", "--eval_strategy", "no"]
    jobs.submit(planned(*small), api)
    (sent,) = hub.jobs
    programs, machine = tmp_path / "bin", tmp_path / "machine"
    programs.mkdir()
    machine.mkdir()
    (programs / "uv").write_text('#!/bin/bash\n[ "$1 $2 $3" = "run --no-project --with" ] && shift 4 && exec "$@"\n')
    (programs / "uv").chmod(0o755)
    root = Path(__file__).resolve().parents[2]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {
        **sent["environment"],
        **sent["secrets"],
        "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(root / "tests" / "guard"), str(root)]),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(sent["command"], cwd=machine, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {"adapter_model.safetensors", "recipe.yaml", "README.md"} <= set(api.list_repo_files(SFT))
    assert hub.store.repos["model", SFT].private


def test_the_base_of_a_job_may_be_at_a_revision():
    assert published_base("org/base@v1", None) == "org/base"
