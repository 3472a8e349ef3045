# Every target sets up what it needs in .venv from python3 and make alone, and is quick the second time.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test conformance lab check bench cov clean

help:
	@echo "make demo         run the quickstart on an embedded Tinybird with real flights; results in build/"
	@echo "make test         run all tests"
	@echo "make conformance  compare with the vendor's own programs, installed in build/"
	@echo "make lab          open JupyterLab on the notebooks"
	@echo "make check        lint, format and type checks"
	@echo "make bench        measure against peers; ratios in benchmarks/RESULTS.md"
	@echo "make cov          tests with branch coverage; page in htmlcov/"
	@echo "make clean        remove .venv, build and caches"

demo: .venv/.demo
	$(BIN)/tinymagic demo

test: .venv/.test
	$(BIN)/pytest

# The vendor's package has dependencies and names of its own, so it gets an environment of its own.
conformance: .venv/.test build/vendor/.tinybird
	TINYMAGIC_TEMPLATE_ORACLE=$(CURDIR)/build/vendor/bin/python $(BIN)/pytest -q tests/conformance

lab: .venv/.lab
	$(BIN)/tinymagic lab

check: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_arrows.py

bench: .venv/.bench
	$(BIN)/python -m benchmarks

cov: .venv/.test
	$(BIN)/pytest --cov --cov-report=term --cov-report=html

clean:
	rm -rf .venv build dist htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of packages; made again when pyproject.toml changes.
.venv/.%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

build/vendor/.tinybird:
	$(PYTHON) -m venv build/vendor
	build/vendor/bin/python -m pip install --quiet --disable-pip-version-check 'tinybird>=5.0.2'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "tinymagic needs Python 3.10 or newer: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "python3 could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
