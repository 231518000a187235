# Every target needs only `env`, which builds .venv from the hash-pinned lock.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help env demo test quicktest lint lock config clean

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

test: env lint  ## everything: style, types and the whole test suite
	$(BIN)/python -m pytest -n $(CORES) --dist loadscope -m "not slow"

test-slow: env  ## what `make test` leaves out: long runs, and a real SLURM where root, slurm-wlm and munge are there
	$(BIN)/python -m pytest -m slow

quicktest: env  ## the tests that take seconds
	$(BIN)/python -m pytest -n $(CORES) -m "not slow and not workflow and not browser"

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
	$(BIN)/python envs/write_conda.py

clean:  ## remove the demo and all caches, but not the environment
	rm -rf demo build .snakemake .pytest_cache .mypy_cache .ruff_cache
