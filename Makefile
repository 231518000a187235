# Every target needs only `env`, which builds .venv from the hash-pinned lock.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc)
RESULTS ?= results
SCANS ?= scans
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help env demo test suite test-slow test-slurm quicktest lint lock config clean status demo-studies gallery \
  accuracy calibration localiser-report fuzz reference

help:  ## list the targets
	@grep -hE '^[a-z_-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

env: $(VENV)/.complete  ## build the environment in .venv

$(VENV)/.complete: envs/requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: env  ## a synthetic cohort of 16 patients, from DICOM to the report
	$(BIN)/python -m spongiosa.synthetic demo --output demo/input --patients 16 --seed 2026 --jobs $(CORES)
	$(BIN)/snakemake --configfile config/demo.yaml --cores $(CORES)
	$(BIN)/python -m spongiosa.report.headline demo/results

test: env  ## style, types and the test suite (long runs: make test-slow)
	$(MAKE) --no-print-directory --jobs 2 lint suite

# Beside `lint`, which has work for one core alone.
suite: env
	$(BIN)/python -m pytest -n $(CORES) --dist loadscope --no-loadscope-reorder -m "not slow"

test-slow: env  ## what `make test` leaves out: long runs, and a real SLURM where root, slurm-wlm and munge are there
	$(BIN)/python -m pytest -m slow

test-slurm: env  ## the workflow through a SLURM of three nodes on this machine, with its faults (root, slurm-wlm, munge)
	SPONGIOSA_REQUIRES_SLURM=1 $(BIN)/python -m pytest tests/slurm

quicktest: env  ## the tests that take seconds
	$(BIN)/python -m pytest -n $(CORES) -m "not slow and not workflow and not browser"

status: env  ## how far a run is: make status RESULTS=results
	$(BIN)/python -m spongiosa.cohort.progress $(RESULTS)

demo-studies: env  ## the reports of all studies on synthetic cohorts, from their tables alone
	$(BIN)/python -m spongiosa.studies.preset_reports demo/studies

gallery: env  ## a page with every variant of the synthetic patient
	$(BIN)/python -m spongiosa.synthetic.gallery build/gallery.html

accuracy: env  ## every region against the synthetic truth: docs/accuracy.md
	$(BIN)/python benchmarks/accuracy.py --workers $(CORES)

calibration: env  ## phantoms, poses, kernels and voltages against known density: docs/calibration.md
	$(BIN)/python benchmarks/calibration.py --workers $(CORES)

localiser-report: env  ## a page about a folder or a table of scans: make localiser-report SCANS=folder
	$(BIN)/python -m spongiosa.localise.report $(SCANS) build/localiser

fuzz: env  ## 2,000 mutated files and 200 mutated folders through the ingest
	$(BIN)/python -m tests.dicom.fuzz

reference: env  ## compute the reference values of the statistics with R anew (installs R from Debian's packages)
	PYTHON=$(BIN)/python tests/reference/make_reference.sh

lint: env  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check --line-length 120 Snakefile rules

config: env  ## write config/config.yaml and its schema from the models
	$(BIN)/python -m spongiosa.config config

lock:  ## resolve the lock anew (needs uv), and the conda file from it
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --upgrade -o envs/requirements.lock
	uv pip compile pyproject.toml envs/totalsegmentator.in -c envs/requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade -o envs/totalsegmentator.lock
	$(BIN)/python envs/write_conda.py

clean:  ## remove the demo and all caches, but not the environment
	rm -rf demo build .snakemake .pytest_cache .mypy_cache .ruff_cache
