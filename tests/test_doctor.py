import json
import os
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from rich.console import Console

from ascii_maze import doctor
from ascii_maze.doctor import check_device, check_folder, check_package, check_packages, in_order


def test_the_command_tries_what_it_says_and_exits_1_where_4_bit_layers_fail(tmp_path):
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_TOKEN": "hf_" + 34 * "x"}
    for how, program in {"sound": "", "aborts": "import os; os.abort()"}.items():
        (tmp_path / how).mkdir()
        if program:
            (tmp_path / how / "bitsandbytes.py").write_text(program)
        paths = os.pathsep.join([str(tmp_path / how), *sys.path])
        done = subprocess.run(
            [sys.executable, "-m", "ascii_maze", "doctor", "--json"],
            env={**environment, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )
        told = json.loads(done.stdout)
        checks = {check["name"]: check for check in told["checks"]}
        assert "hf_" not in done.stdout + done.stderr
        assert checks["Hub login"]["state"] == "untried"
        assert checks["torch works"]["state"] == "ok"
        assert told["in_order"] == (how == "sound") == (done.returncode == 0), done.stdout
        four_bit = checks["4-bit training"]
        if how == "sound":
            assert four_bit["found"].startswith("forward and backward on the ")
            continue
        assert done.stderr == "ascii-maze: 4-bit training must be fixed before anything runs\n"
        assert four_bit["state"] == "broken"
        assert four_bit["fix"].endswith("bitsandbytes")
        assert four_bit["found"] == "ended by signal 6"


def test_a_torch_that_does_not_import_is_told_without_what_hangs_on_it(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise OSError('libc10.so: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    (check,) = check_device()
    assert check.found == "OSError: libc10.so: cannot open shared object file"
    assert not in_order([check])


def test_a_probe_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.001)
    (check,) = check_device()
    assert check.found == "no answer in 0.001 s"


@pytest.mark.parametrize(
    ("gpu", "driver", "state", "fix"),
    [("1 x H100, 80 GiB", True, "ok", ""), ("", True, "broken", "torch"), ("", False, "missing", "")],
)
def test_a_gpu_is_there_not_seen_by_torch_or_missing(monkeypatch, gpu, driver, state, fix):
    told = {"torch": "2.13.0", "gpu": gpu, "4-bit": "forward and backward"}
    monkeypatch.setattr(doctor, "run_probe", lambda: (told, ""))
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi" if driver else None)
    checks = {check.name: check for check in check_device()}
    assert checks["GPU"].state == state
    assert checks["GPU"].fix.endswith(fix)
    assert bool(checks["GPU"].fix) == bool(fix)
    assert in_order(list(checks.values()))


def test_the_table_shows_what_was_found_as_it_is(capsys):
    check = doctor.Check("[red]", "broken", True, "[/] of any kind", "a test")
    Console().print(doctor.to_table([check, check._replace(state="ok"), check._replace(required=False)]))
    shown = capsys.readouterr().out
    assert shown.count("[red]") == shown.count("[/] of any kind") == 3


@pytest.mark.parametrize(
    ("wanted", "state", "found"),
    [
        ("pytest>=1", "ok", pytest.__version__),
        ("pytest>=1000", "outdated", f"{pytest.__version__}, not >=1000"),
        ("nobody-has-written-this<3,>=2", "missing", ""),
    ],
)
def test_a_package_is_there_outdated_or_missing_with_the_command_that_mends_it(wanted, state, found):
    check = check_package(Requirement(wanted), "a test", required=True)
    assert (check.state, check.found) == (state, found)
    assert in_order([check]) == (state == "ok")
    words = check.fix.split("pip install ")[-1]
    assert Requirement(words.strip("'")) == Requirement(wanted) if check.fix else state == "ok"


def test_every_package_that_the_project_asks_for_is_looked_at_once():
    names = [check.name for check in check_packages()]
    assert len(names) == len(set(names))
    assert {"torch", "trl", "bitsandbytes", "llm-mri", "vllm"} <= set(names)
    assert "ruff" not in names


def test_a_folder_that_is_full_or_cannot_be_written_is_told(tmp_path, monkeypatch):
    settings = {"required": True, "purpose": "a test", "fix": "mend it"}
    assert check_folder("disk", tmp_path / "not" / "there", 0, **settings).state == "ok"
    full = check_folder("disk", tmp_path, 10**9, **settings)
    assert (full.state, full.fix) == ("broken", "mend it")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert check_folder("disk", tmp_path, 0, **settings).found.endswith("which cannot be written")
