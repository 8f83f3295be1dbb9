# The project's verbs. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Stages run at once, a process each.
JOBS ?= 2

# Spinning OpenMP threads slow a contended machine a hundredfold; nothing phones home.
export OMP_WAIT_POLICY ?= PASSIVE
export MLFLOW_DISABLE_TELEMETRY ?= true
export DVC_NO_ANALYTICS ?= true
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1
# Stages call `python`: it must be this project's.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup repro test test-systems test-fast test-numeric numeric-avx2 numeric-sse41 lint docs ui use bench clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## Create .venv with the pinned versions (the other targets do it too)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Python 3.11 or newer is needed, this is {v.major}.{v.minor}; say which: make PYTHON=python3.12")'
	@# A kill may have left an environment without pip, or half of one: that is none.
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

repro: $(STAMP)  ## Run the pipeline on params.yaml, raw wavs to report; JOBS=1 runs one stage at a time
	@git rev-parse --is-inside-work-tree >/dev/null 2>&1 || $(BIN)/dvc config --local core.no_scm true
	@# `dvc repro`, in one process with what comes before and after it.
	$(BIN)/ser repro --jobs $(JOBS)

# A file's tests share fixtures, so they stay on one worker; the longest files go first. Where a
# worker dies, the session ends: with another in its place, pytest-xdist waits for ever.
PARALLEL := --dist loadfile --no-loadscope-reorder --max-worker-restart 0
PYTEST := $(BIN)/python -m pytest $(PARALLEL)

# A worker more would import all that they need once more. Eight suffice for the longest file to take
# as long as the rest.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(os.cpu_count(), 8))')
# Tests of real servers wait a third of their time. `auto` stays what it is.
WAITING = $(shell expr $(WORKERS) + 1 2>/dev/null || echo $(WORKERS))

# A worker that starts more threads only gets in the way of the others.
test test-systems test-fast test-numeric: export OMP_NUM_THREADS ?= 1
# Tests start processes; each would compile all that it imports of the project.
test test-systems test-fast test-numeric: export PYTHONDONTWRITEBYTECODE =

test: $(STAMP)  ## Run the tests that need no server, cluster or browser, with coverage: before a commit
	@# SlipCover, for a tracer takes as long again (docs/decisions/0041). It is asked for its table
	@# and its judgement in a call of its own: in one it forgets what the workers counted.
	@mkdir -p .cache
	$(BIN)/python -m slipcover --json --out .cache/coverage.json -m pytest -n $(WORKERS) $(PARALLEL) -m "not system" -p tests.slipcover_packages
	@$(BIN)/python -m slipcover --merge .cache/coverage.json --out .cache/coverage.json --fail-under 90

test-systems: $(STAMP)  ## Run the tests on real servers, Ray nodes, browsers and DVC: the rest
	$(PYTEST) -n $(WAITING) -m system

test-fast: $(STAMP)  ## Run the tests that run no whole stage: for use between two edits
	$(PYTEST) -n auto -m "not stage"

# Only these are imported: to look for the mark in all the others takes ten seconds of a process.
NUMERIC = $(shell grep -rlE 'mark\.numeric' tests --include='test_*.py')

# Two kinds at once, each on half of the cores: their starts, which are serial, overlap.
HALF = $(shell $(PYTHON) -c 'import os; print((os.cpu_count() + 1) // 2)')

test-numeric: $(STAMP)  ## Run the tests that compare float32 computations as processors without AVX-512 do
	@$(MAKE) --no-print-directory --jobs 2 --output-sync numeric-avx2 numeric-sse41

numeric-avx2: export ATEN_CPU_CAPABILITY := avx2
numeric-avx2: export ONEDNN_MAX_CPU_ISA := AVX2
numeric-sse41: export ATEN_CPU_CAPABILITY := default
numeric-sse41: export ONEDNN_MAX_CPU_ISA := SSE41
numeric-avx2 numeric-sse41:
	$(PYTEST) -n $(HALF) -o cache_dir=.cache/$@ -m numeric $(NUMERIC)

lint: $(STAMP)  ## Check style, types and architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .cache/import-linter

docs: $(STAMP)  ## Build the pages of docs/ into site/, to be opened from disk: site/index.html
	@# The theme's authors warn of a MkDocs 2 that constraints.txt does not take.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "site/index.html is written"

ui: $(STAMP)  ## Open the MLflow UI over the project's runs
	$(BIN)/ser ui

use: $(STAMP)  ## Use a preset: make use PRESET=emodb
	@test -n "$(PRESET)" || { echo "say which: make use PRESET=<name>, one of: $(sort $(basename $(notdir $(wildcard configs/*.yaml))))"; exit 2; }
	@$(BIN)/ser use "$(PRESET)"
	@$(BIN)/ser doctor --quiet || true

bench: $(STAMP)  ## Measure speed as ratios against named alternatives
	$(BIN)/python -m benchmarks

clean:  ## Remove what the pipeline and the tools made, keeping the DVC cache and MLflow
	rm -rf data/code data/features data/trained data/manifest.jsonl data/rejected.jsonl data/corpus.json data/splits.csv data/split_report.json runs reports site work .cache .coverage* *.egg-info
	find ser pipelines tests -name __pycache__ -type d -prune -exec rm -rf {} +
