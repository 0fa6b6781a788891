"""Shared fixtures. Nothing here or in any test reaches a network."""

import inspect
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from .browser import chromium, tab  # noqa: F401  # fixtures
from .guard import sitecustomize  # noqa: F401  # from here on, no word to any other machine

# Nor from processes that tests start.
GUARD = str(Path(__file__).parent / "guard")
os.environ["PYTHONPATH"] = os.pathsep.join([GUARD, *filter(None, [os.environ.get("PYTHONPATH")])])
# What `datasets` has read of one test's folder must not be taken for another's, nor for a user's. It reads these when
# it is imported, which is later than this.
CACHE = tempfile.TemporaryDirectory(prefix="datasets-cache-")
os.environ["HF_DATASETS_CACHE"] = CACHE.name
os.environ["HF_EVALUATE_CACHE"] = os.environ["HF_MODULES_CACHE"] = f"{CACHE.name}/evaluate"
os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"  # evaluate tells an outside address of every metric that it loads
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
# The processes of pytest-xdist share the cores, and threads that spin while they wait take them from the others.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What a test names that trains or starts a process; see below.
SLOW = {"subprocess", "ascii_maze.launch", "multiprocessing"}
TOGETHER = "tests/training/"
# The same examples every time, however slow the machine.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("repeatable", **PATIENT, derandomize=True)
settings.load_profile("repeatable")
settings.register_profile("other-examples", **PATIENT, database=None)  # with a seed, see benchmarks/fuzz.py
settings.register_profile("long", **PATIENT, max_examples=5_000)  # chosen by `--hypothesis-profile long`


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """A small dataset of 4x4 mazes, with 5x5 ones as the larger."""
    from dataset_builder.build import build
    from dataset_builder.config import BuildConfig

    out = tmp_path_factory.mktemp("built") / "ascii-maze"
    config = BuildConfig(
        name="small",
        sizes={"4x4": 1},
        generators={"depth_first": 1},
        splits={"train": 256, "validation": 32, "test": 32, "test_larger": 16},
        larger_sizes={"5x5": 1},
    )
    build(config, out)
    return out


def pytest_collection_modifyitems(items):
    """Mark as slow every test that trains or starts a process, itself, by a helper or by a fixture.

    What takes long for another reason says `@pytest.mark.slow` itself.
    """
    for item in items:
        fixtures = [definitions[-1].func for definitions in item._fixtureinfo.name2fixturedefs.values()]
        if any(trains_or_starts_a_process(function) for function in (item.function, *fixtures)):
            item.add_marker("slow")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a process of pytest-xdist whole files, and the whole of `training`, so that its runs are made once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            return TOGETHER if file.startswith(TOGETHER) else file

    return ByFile(config, log)


def trains_or_starts_a_process(function) -> bool:
    """Whether it names what does so, or a function of the tests that does."""
    todo, seen = [function], set()
    while todo:
        function = inspect.unwrap(todo.pop())
        if function in seen or not inspect.isfunction(function):
            continue
        seen.add(function)
        names = names_in(function.__code__)
        used = [function.__globals__.get(name) for name in names]
        homes = [getattr(thing, "__module__", None) or "" for thing in used]
        if SLOW & {*names, *homes}:
            return True
        todo += [helper for helper, home in zip(used, homes) if home.startswith("tests.")]
    return False


def names_in(code) -> set[str]:
    """The names that a function and those inside it look up."""
    inner = [names_in(constant) for constant in code.co_consts if inspect.iscode(constant)]
    return set(code.co_names).union(*inner)


@pytest.fixture(autouse=True)
def gradients_stay_on():
    """A test that leaves torch without gradients fails, and not a later one of its process that trains."""
    yield
    if torch := sys.modules.get("torch"):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
