"""The contract test, as it is run against the real Hub, run against a server that it does not know to be ours."""

import os
import subprocess
import sys

from .conftest import ROOT, STRANGER, WRITE


def contract(hub, tests, namespace):
    """Some of the tests of this folder in a new process, as someone with an account on a Hub runs them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"ASCII_MAZE_CONTRACT": namespace, "HF_TOKEN": WRITE, "HF_ENDPOINT": hub.url}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/hub/test_push.py", "-k", tests]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600)


def test_it_runs_what_can_be_had_of_any_hub_and_cleans_up(hub):
    done = contract(hub, "tag_for or branch_of or shards_of or kept", "org")
    assert done.returncode == 0, done.stdout
    assert done.stdout.split()[0] == ".s..", done.stdout
    assert hub.asked("POST", "/commit/", 200)
    assert not hub.store.repos


def test_it_touches_no_namespace_that_is_in_use(hub):
    hub.store.create("model", "bob/his", hub.store.users[STRANGER], private=False)
    done = contract(hub, "goes_in_one", "bob")
    assert done.returncode == 1
    assert "has repositories, which these tests would delete" in done.stdout
    assert ("model", "bob/his") in hub.store.repos
