# `make` lists the targets. The Python to build .venv with can be chosen: make venv PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --fork-strategy fewest --no-emit-index-url \
	--annotation-style line --custom-compile-command "make lock" --quiet $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-fast lint format notebook bench fonts audit lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(READY)  ## .venv with everything that requirements-dev.txt lists

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "Python 3.11, 3.12 or 3.13 is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps \
		-r requirements-dev.txt --editable .  # which gives the command aocr
	@touch $@

demo: $(READY)  ## a short training from nothing, then inference_test_imgs/ read by the shipped model
	$(BIN)/python train.py --model-dir checkpoints/demo --no-resume --steps 1500 --interval 250 \
		--validation-lines 1000
	$(BIN)/python inference.py

test: $(READY)  ## every test
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

test-fast: $(READY)  ## the tests that take seconds
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not slow"

lint: $(READY)  ## style, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## mend what `lint` finds, where that can be done by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebook: $(READY)  ## run ocr_simple.ipynb without a browser and keep its outputs in it
	$(BIN)/python -m jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False ocr_simple.ipynb

bench: $(READY)  ## every script in bench/
	@for script in bench/*.py; do echo "$$script"; \
		PYTHONPATH=. $(BIN)/python "$$script" || failed="$$failed $$script"; done; \
		test -z "$$failed" || { echo "not done:$$failed" >&2; exit 1; }

fonts: $(READY)  ## the shipped models' fonts, in fonts/made/ by kind (with npm)
	@command -v npm > /dev/null || { echo "npm is needed: install Node.js" >&2; exit 1; }
	npm ci --prefix fonts --ignore-scripts --no-audit --no-fund
	$(BIN)/python fonts/make.py

audit: $(READY)  ## known vulnerabilities of what requirements*.txt list
	$(BIN)/uv tool run pip-audit==2.10.1 --no-deps --disable-pip $(patsubst %,-r %,$(wildcard requirements*.txt))

lock: $(READY)  ## requirements*.in -> requirements*.txt; UPGRADE=--upgrade for newer versions
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt
	$(LOCK) requirements-cloud.in -o requirements-cloud.txt
	$(LOCK) requirements-beam.in -o requirements-beam.txt
	$(LOCK) requirements-gpu.in -o requirements-gpu.txt
	$(LOCK) requirements-peers.in -o requirements-peers.txt

clean:  ## remove caches and builds; .venv and checkpoints/ stay
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .ipynb_checkpoints
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
