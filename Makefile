# The same few verbs for people and CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
WHEELS := build/wheels
PEERS := build/bench
export PYTHONDONTWRITEBYTECODE ?= 1
.DEFAULT_GOAL := help

.PHONY: help setup demo check fix unit test bench soak docs clean

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(STAMP)  ## virtual environment, dependencies, the example's wheels

$(STAMP): pyproject.toml requirements.lock examples/radio-monitor/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Hedgerow needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "this Python has no venv: install Debian's package python3-venv (sudo apt install python3-venv)"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --only-binary :all: \
	  --dest $(WHEELS) -r examples/radio-monitor/requirements.txt
	touch $@

demo: setup  ## the main job, end to end, on this machine
	$(BIN)/hedgerow demo $(ARGS)

check: setup  ## format, lint, types, import contracts
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

fix: setup  ## format and mend what can be mended
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

unit: setup  ## the fast tests
	$(BIN)/pytest -q -n auto -m "not slow" tests/unit $(ARGS)

test: setup  ## all tests
	$(BIN)/pytest -q -n auto --dist worksteal $(ARGS)

$(PEERS)/.ready: bench/requirements.lock | $(STAMP)
	test -x $(PEERS)/bin/python || $(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/requirements.lock
	touch $@

bench: setup $(PEERS)/.ready  ## measure; bench/results.md keeps the figures
	$(BIN)/python -m bench $(ARGS)

soak: setup  ## what is long by nature
	$(BIN)/pytest -q -n auto --dist worksteal -m soak $(ARGS)

docs: setup  ## write the generated pages anew
	$(BIN)/python -m hedgerow.cli.docs && $(BIN)/python -m hedgerow.cli.spec_pages

clean:  ## remove what the verbs made
	rm -rf $(VENV) build .mypy_cache .ruff_cache .hypothesis
