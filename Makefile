# Set-up, reproduction and tests in one command each: `make help` lists them.

PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
EXPERIMENT ?= cifar10

VENV := .venv
BIN := $(VENV)/bin
# The default experiment is config.yaml itself; any other is an overlay of it.
OVERLAY := $(if $(filter cifar10,$(EXPERIMENT)),,--configfile workflow/experiments/$(EXPERIMENT).yaml)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV_VERSION := 0.13.9

.PHONY: help reproduce test lint lock
.DELETE_ON_ERROR:

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/:/'

reproduce: $(VENV)/installed ## every figure, claim and the report of EXPERIMENT from raw data
	$(BIN)/snakemake --cores $(CORES) $(OVERLAY)
	@echo "report: results/$(EXPERIMENT)/report.html"

test: $(VENV)/installed-test ## the unmarked tests
	$(BIN)/python -m pytest

lint: $(VENV)/installed-test ## format and lint checks of Python and Snakemake files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

$(VENV)/installed: envs/requirements.lock pyproject.toml
	@sh envs/check.sh "$(PYTHON)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes -r envs/requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-test: envs/test.lock $(VENV)/installed
	$(INSTALL) --require-hashes -r envs/test.lock
	@touch $@

lock: ## remake the locks from pyproject.toml
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) pyproject.toml -o envs/requirements.lock
	$(VENV)-lock/bin/uv pip compile $(LOCK_OPTIONS) --group test -c envs/requirements.lock -o envs/test.lock
	rm -r $(VENV)-lock

LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
