# Everything is set up in .venv by the project's own files.
#   make check      lint, types, layers, unit and property tests: in under two minutes
#   make test       the whole suite, lint and types included (what CI runs)
#   make test-long  races, attacks, mutants, random trees and the model of clean at length: an hour
#   make native     the compiled module, after a change of C sources
#   make sanitize   the native reader under the sanitizers of the compiler: memory, then threads
#   make recipe     the conda packages of recipe/, built and tested without a conda channel, into dist/
#   make demo       a throw-away conda installation and a report on it
#   make docs       the documentation site, in docs/_build
#   make figures    what the documents show, outputs and pictures, written anew from real runs
#   make bench-transactions  conda with and without the plugin
#   make bench      timings against du and the peers of it that are installed
# PYTHON is any Python from 3.10 to 3.12: make test PYTHON=python3.12

PYTHON ?= $(firstword $(foreach version,3 3.12 3.11 3.10,$(if $(shell \
	python$(version) -c 'import sys; print((3, 10) <= sys.version_info[:2] <= (3, 12) or "")' \
	2>/dev/null),python$(version))))
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
BUILT = $(VENV)/.native
C_SOURCES = $(wildcard conda_hardlink_plugin/filesystem/*.c conda_hardlink_plugin/filesystem/native/*)
# By tests/conftest.py each test goes to the next free process, those of some files to the same one.
PARALLEL = -n auto --dist loadscope --no-loadscope-reorder

.PHONY: setup native check test test-long sanitize lint recipe demo docs figures bench bench-transactions clean

setup: $(READY) $(BUILT)

native: $(BUILT)

# Without a compiler this leaves no module, and everything is read in Python.
$(BUILT): $(READY) setup.py $(C_SOURCES)
	rm -f conda_hardlink_plugin/filesystem/_native*.so
	HARDLINKS_CFLAGS="-Wall -Wextra -Werror" $(BIN)/python setup.py --quiet build_ext --inplace
	touch $@

$(READY): pyproject.toml $(wildcard tests/support/realconda/*requirements.txt) tests/support/realconda/finder.py tests/support/realconda/bundled.py
	@test -n "$(PYTHON)" || { echo "No Python 3.10 to 3.12 found: name one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --use-pep517 --editable '.[dev]' -r tests/support/realconda/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps conda-lock==4.0.3
	$(BIN)/python -m tests.support.realconda.bundled
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: setup lint
	$(BIN)/python -m pytest $(PARALLEL) tests/unit tests/property

test: setup lint
	$(BIN)/python -m pytest $(PARALLEL)

test-long: setup sanitize
	ALL_MUTANTS=1 MODEL_STEPS=100000 RACE_INSTALLS=100000 RACE_TRANSACTIONS=100 \
	ATTACK_TRIALS=1000 RANDOM_TREES=300 $(BIN)/python -m pytest tests/clean_safety/test_mutants.py \
	tests/clean_safety/test_model.py tests/clean_safety/test_race.py tests/conda/test_clean_race.py \
	tests/clean_safety/test_attack.py tests/property/test_usage.py

sanitize: setup
	$(BIN)/python -m tests.support.sanitized

recipe: setup
	$(BIN)/python -m tests.support.realconda.recipe

demo: setup
	$(BIN)/python -m tests.support.realconda.demo

docs: setup
	$(BIN)/python -m sphinx -W --keep-going -n -q docs docs/_build
	@echo docs/_build/index.html

figures: setup
	$(BIN)/python -m tests.docs

bench: setup
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/shapes.py

bench-transactions: setup
	$(BIN)/python benchmarks/transactions.py

clean:
	rm -rf $(VENV) .demo build dist docs/_build conda_hardlink_plugin/filesystem/_native*.so
