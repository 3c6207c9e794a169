# `make` lists the targets. Another Python for .venv: make venv PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps
# uv takes a third of pip's time; pip is used where only its own settings lead to the packages
UV := $(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --compile-bytecode
# What .venv has: requirements.txt, to train and to read; then also requirements/dev.txt, for tests,
# lint and fonts
INSTALLED := .venv/.installed
READY := .venv/.ready
TEST := $(BIN)/python -m pytest -n auto --dist worksteal
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --fork-strategy fewest --no-emit-index-url \
	--annotation-style line --custom-compile-command "make lock" --quiet $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-long test-all lint format notebook bench fonts web audit lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(READY)  ## create .venv with everything in requirements/dev.txt

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "Python 3.11, 3.12 or 3.13 is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	-$(PIP) $$(grep -o '^uv==[^ ]*' requirements/dev.txt)
	$(UV) -r requirements.txt --editable . || $(PIP) -r requirements.txt --editable .
	@touch $@

$(READY): $(INSTALLED) requirements/dev.txt
	$(UV) -r requirements/dev.txt || $(PIP) -r requirements/dev.txt
	@touch $@

demo: $(INSTALLED)  ## train for minutes; read inference_test_imgs/ with that model and with the shipped one
	$(BIN)/python train.py --model-dir checkpoints/demo --no-resume --steps 1500 --interval 250 \
		--validation-lines 1000
	@echo; echo "inference_test_imgs/, read with the model that was just trained, checkpoints/demo:"
	$(BIN)/python inference.py --model checkpoints/demo
	@echo; echo "inference_test_imgs/, read with the shipped model, digits:"
	$(BIN)/python inference.py --model digits

test: $(READY)  ## run all tests except the long ones
	$(TEST) -m "not long"

test-long: $(READY)  ## run the long tests: browser, object store, clusters, kills, JAX, whole trainings
	$(TEST) -m long

test-all: $(READY)  ## run all tests, the long ones too
	$(TEST)

lint: $(READY)  ## check style, format, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## format the code, and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebook: $(READY)  ## run the notebooks and keep their outputs in them
	$(BIN)/python -m jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False ocr_simple.ipynb docs/inside.ipynb

bench: $(READY)  ## run the scripts in bench/ that need no data or earlier code of yours
	@for script in $(filter-out $(addprefix bench/,before_after.py few_labels.py attacks.py peers.py text_folding.py),$(wildcard bench/*.py)); do \
		echo "$$script"; \
		$(BIN)/python "$$script" || failed="$$failed $$script"; done; \
		test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

fonts: $(READY)  ## make the fonts of the shipped models, in fonts/made/ (needs npm)
	@command -v npm > /dev/null || { echo "npm is needed: install Node.js" >&2; exit 1; }
	npm ci --prefix fonts --ignore-scripts --no-audit --no-fund
	$(BIN)/python fonts/make.py

web:  ## install onnxruntime-web, for aocr export --format web (needs npm)
	@command -v npm > /dev/null || { echo "npm is needed: install Node.js" >&2; exit 1; }
	npm ci --prefix aocr/web --ignore-scripts --no-audit --no-fund

audit: $(READY)  ## look for known vulnerabilities in the locked packages
	$(BIN)/uv tool run pip-audit==2.10.1 --no-deps --disable-pip \
		$(patsubst %,-r %,requirements.txt $(wildcard requirements/*.txt))

lock: $(READY)  ## lock requirements/*.in into *.txt; UPGRADE=--upgrade for newer versions
	$(LOCK) requirements/requirements.in -o requirements.txt
	for name in dev read cloud beam gpu peers; do \
		$(LOCK) requirements/$$name.in -o requirements/$$name.txt || exit 1; done

clean:  ## remove caches and builds; .venv and checkpoints/ stay
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .ipynb_checkpoints
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
