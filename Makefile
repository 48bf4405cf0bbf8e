# Set-up, reproduction and tests in one command each: `make help` lists them.

PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
EXPERIMENT ?= cifar10

OVERLAYS := $(basename $(notdir $(wildcard workflow/experiments/*.yaml)))
ifeq ($(filter $(EXPERIMENT),cifar10 $(OVERLAYS)),)
$(error there is no experiment '$(EXPERIMENT)'; there are cifar10 $(OVERLAYS))
endif

VENV := .venv
BIN := $(VENV)/bin
# The default experiment is config.yaml itself; any other is an overlay of it.
OVERLAY := $(if $(filter cifar10,$(EXPERIMENT)),,--configfile workflow/experiments/$(EXPERIMENT).yaml)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV_VERSION := 0.13.9

# Packed checkpoints: what `make archive` writes and `make scores` reads.
ARCHIVE ?= $(EXPERIMENT)-checkpoints.tar
# Those that `make figures` draws, for example "fig2 fig4"; all if empty.
FIGURES ?=
# Sets of seeds of `make honest`, six runs from each.
SETS ?= 4
# Results folder of another checkout, made on this machine, that `make benchmark` gives ratios to.
BASELINE ?=

.PHONY: help setup plan figures scores reproduce archive verify provenance reference honest findings config pages docs benchmark test lint lock lock-check
.DELETE_ON_ERROR:

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/:/'

setup: $(VENV)/installed-test ## .venv with everything for work on the code, and a hook that checks each commit
	@[ ! -e .git ] || $(BIN)/pre-commit install
	@echo "Next: 'make reproduce EXPERIMENT=smoke' runs every step on small data; 'make test' and 'make lint' check a change."
	@echo "CONTRIBUTING.md says where things are, and 'make help' lists the other commands."

figures: $(VENV)-figures/installed ## figures, claims and report from the committed reference tables
	$(VENV)-figures/bin/python -m convergent_learning.workflow figures $(EXPERIMENT) $(FIGURES)

scores: $(VENV)/installed ## from the packed checkpoints ARCHIVE=path to the report
	$(BIN)/python -m convergent_learning.workflow scores $(EXPERIMENT) $(ARCHIVE) --cores $(CORES)

plan: $(VENV)/installed ## jobs, hours, memory and disk of EXPERIMENT, before anything runs
	@$(BIN)/python -m convergent_learning.config plan $(EXPERIMENT)

reproduce: $(VENV)/installed ## every figure, claim and the report of EXPERIMENT from raw data
	@$(BIN)/python -m convergent_learning.workflow clear $(EXPERIMENT)
	@start=$$(date +%s); $(BIN)/snakemake all claims --cores $(CORES) $(OVERLAY) && \
	echo "experiment $(EXPERIMENT) from raw data in $$(($$(date +%s) - start)) s with CORES=$(CORES);" \
	"report: results/$(EXPERIMENT)/report.html$(if $(wildcard results/reference/$(EXPERIMENT)),; 'make verify EXPERIMENT=$(EXPERIMENT)' compares it with the reference)"

archive: $(VENV)/installed ## pack the checkpoints of EXPERIMENT into ARCHIVE
	$(BIN)/python -m convergent_learning.workflow archive $(EXPERIMENT) $(ARCHIVE)

verify: $(VENV)/installed ## compare the results of EXPERIMENT with the committed reference
	@[ -d results/reference/$(EXPERIMENT) ] || { echo "no reference of $(EXPERIMENT) in results/reference: 'make reference EXPERIMENT=$(EXPERIMENT)' makes one of trusted results"; exit 1; } >&2
	$(BIN)/snakemake verify --cores $(CORES) $(OVERLAY)

provenance: $(VENV)/installed ## the chain from every figure of EXPERIMENT down to the raw data
	$(BIN)/snakemake provenance --cores $(CORES) $(OVERLAY)

reference: $(VENV)/installed ## make the reference of EXPERIMENT from its results
	$(BIN)/python -m convergent_learning.workflow reference $(EXPERIMENT) --cores $(CORES)

honest: $(VENV)/installed ## run EXPERIMENT with other seeds, and take the limits of verify from these runs
	$(BIN)/python -m convergent_learning.workflow honest $(EXPERIMENT) --sets $(SETS) --cores $(CORES)

# The networks of smoke learn next to nothing: its reference is for verify alone.
WITH_FINDINGS := $(filter-out %/smoke %/cifar10,$(wildcard results/reference/*))
FINDINGS := $(BIN)/python -m convergent_learning.report.findings

findings: $(VENV)/installed ## docs/findings*.md, docs/fig2*.png and docs/agreement.md from the committed references
	$(FINDINGS) results/reference/cifar10/claims.json results/reference/evidence/claims.json > docs/findings.md
	for reference in $(WITH_FINDINGS); do \
		$(FINDINGS) $$reference/claims.json > docs/findings_$$(basename $$reference).md || exit 1; \
	done
	$(BIN)/python docs/scripts/draw_figures.py results/reference docs --front
	{ $(BIN)/python -m convergent_learning.verify.page results/reference/cifar10 && \
		$(BIN)/python benchmarks/agreement/shifts.py; } > docs/agreement.md

config: $(VENV)/installed ## the schema and docs/configuration.md from the model of the config
	$(BIN)/python -m convergent_learning.config schema > workflow/schemas/config.schema.json
	$(BIN)/python -m convergent_learning.config docs > docs/configuration.md

# Pages of docs/ that the code prints: the page, and the arguments of python -m convergent_learning.<…>
PAGES := "measures alignment" "tables figures" "families stimuli" "architectures networks docs" "claims claims"

pages: $(VENV)/installed ## the tables of docs/ and the list of architectures, made from the code, and croissant.json of every reference
	$(BIN)/python -m convergent_learning.networks.graph
	for page in $(PAGES); do set -- $$page; page=$$1; shift; \
		$(BIN)/python -m convergent_learning.$$@ > docs/$$page.md || exit 1; \
	done
	for reference in results/reference/*; do \
		$(BIN)/python -m convergent_learning.workflow croissant $$(basename $$reference) || exit 1; \
	done

# Each is executed in a copy of the workflow when it, or the code, has changed.
EXAMPLES := two_arrays many_networks own_network own_figure
CODE := $(shell find src workflow -name '*.py' -o -name '*.smk') config.yaml

docs: $(EXAMPLES:%=docs/examples/%.md) docs/figures/all.md docs/figures/plans.md $(VENV)-docs/installed ## the site of the documentation, build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict
	@echo "the documentation: build/site/index.html"

docs/examples/%.md: examples/%.py docs/scripts/run_example.py $(CODE) $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python docs/scripts/run_example.py $< $(@D)

docs/figures/all.md: docs/scripts/draw_figures.py $(CODE) $(wildcard results/reference/*/SHA256SUMS) $(VENV)/installed
	$(BIN)/python docs/scripts/draw_figures.py results/reference $(@D)

docs/figures/plans.md: $(CODE) $(wildcard workflow/experiments/*.yaml src/convergent_learning/config/*.json) $(VENV)/installed
	mkdir -p $(@D)
	{ echo "# Plans"; for experiment in cifar10 evidence rehearsal paper-cifar paper-imagenet; do \
		printf '\n## `%s`\n\n' $$experiment; \
		$(BIN)/python -m convergent_learning.config plan $$experiment || exit 1; \
	done; } > $@

benchmark: $(VENV)/installed ## measure speed, memory and disk here; the table of docs/performance.md
	$(BIN)/python benchmarks/scoreboard.py docs/performance.md $(if $(BASELINE),--baseline $(BASELINE))

test: $(VENV)/installed-test ## the unmarked tests, or those that MARK selects, two at a time
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(if $(MARK),-m $(MARK))

lint: lock-check $(VENV)/installed-test ## format and lint checks, package floors, types; files made from code are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/snakemake --lint
	$(BIN)/python -m convergent_learning.config schema | diff workflow/schemas/config.schema.json -
	$(BIN)/python -m convergent_learning.config docs | diff docs/configuration.md -
	for page in $(PAGES); do set -- $$page; page=$$1; shift; \
		$(BIN)/python -m convergent_learning.$$@ | diff docs/$$page.md - || exit 1; \
	done

$(VENV)/installed: envs/requirements.lock pyproject.toml
	@sh envs/check.sh "$(PYTHON)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes -r envs/requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-test: envs/test.lock $(VENV)/installed
	$(INSTALL) --require-hashes -r envs/test.lock
	@touch $@

$(VENV)-figures/installed: envs/figures.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)-figures
	$(VENV)-figures/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r envs/figures.lock
	$(VENV)-figures/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	@touch $@

$(VENV)-docs/installed: envs/docs.lock
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r envs/docs.lock
	@touch $@

# What decides the locks, in one number: it stands in the header of each.
DEPENDENCIES := $(shell sed -n '/^requires-python/p; /^dependencies/,/^\[tool/p' pyproject.toml | \
	sed 's/ *\#.*//' | cksum | tr ' ' '-')
LOCK := $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock, dependencies $(DEPENDENCIES)"

lock-check: ## fail if a lock is older than pyproject.toml
	@for lock in requirements test figures docs; do \
		grep --quiet --no-messages "dependencies $(DEPENDENCIES)" envs/$$lock.lock || stale="$$stale envs/$$lock.lock"; \
	done; \
	[ -z "$$stale" ] || { echo "missing or older than pyproject.toml:$$stale; run 'make lock' and commit the locks" >&2; exit 1; }

# Drawing from finished tables needs no torch.
lock: ## remake the locks from pyproject.toml; versions already locked stay
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(LOCK) pyproject.toml --extra all --group build -o envs/requirements.lock
	$(LOCK) --group test -c envs/requirements.lock -o envs/test.lock
	$(LOCK) --group docs -c envs/requirements.lock -o envs/docs.lock
	echo torch > $(VENV)-lock/excluded
	$(LOCK) pyproject.toml --extra report --group build --excludes $(VENV)-lock/excluded \
		-c envs/requirements.lock -o envs/figures.lock
	rm -r $(VENV)-lock
