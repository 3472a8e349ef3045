# Every target sets up what it needs in .venv from python3 and make alone, and is quick the second time.
PYTHON ?= python3
BIN := .venv/bin

VENDOR := classic forward sdk pysdk third
PACKAGES_classic := 'tinybird-cli>=6.5.5'
PACKAGES_forward := 'tinybird>=5.0.3'
PACKAGES_sdk := 'tinybird-sdk>=0.4.0'
PACKAGES_pysdk := 'tinybird-python-sdk>=0.3.7'
PACKAGES_third := 'verdin>=0.5.3' 'pytest-tinybird>=0.5.0'
NODE_PACKAGES := '@tinybirdco/sdk@>=0.0.84' '@chronark/zod-bird@>=1.0.0' '@tinybirdco/mockingbird@>=1.1.4' zod

.PHONY: help demo test conformance lab labextension check bench cov clean

help:
	@echo "make demo         run the quickstart on an embedded Tinybird with real flights; results in build/"
	@echo "make test         run all tests"
	@echo "make conformance  run programs written for Tinybird against it, installed in build/"
	@echo "make lab          open JupyterLab on the notebooks"
	@echo "make labextension build the colours for JupyterLab again; needs npm"
	@echo "make check        lint, format and type checks"
	@echo "make bench        measure against peers; ratios in benchmarks/RESULTS.md"
	@echo "make cov          tests with branch coverage; page in htmlcov/"
	@echo "make clean        remove .venv, build and caches"

demo: .venv/.demo
	$(BIN)/tinymagic demo

# Most tests wait for servers: three workers keep two cores at work. A file's tests stay together, for its server.
test: .venv/.test
	PYTHONHASHSEED=0 $(BIN)/pytest --numprocesses 3 --dist loadfile -m 'not alone'
	$(BIN)/pytest -m alone

# Programs for Tinybird that others wrote, run as they are. They share module names, so each has an environment of its own.
conformance: .venv/.test $(VENDOR:%=build/vendor-%/.installed) build/vendor-node/.installed
	TINYMAGIC_TEMPLATE_ORACLE=$(CURDIR)/build/vendor-forward/bin/python \
	TINYMAGIC_GATE_ORACLE=$(CURDIR)/build/vendor-forward/bin/python \
		$(BIN)/pytest -q tests/conformance tests/vendor

lab: .venv/.lab
	$(BIN)/tinymagic lab

labextension: .venv/.test
	$(BIN)/python labextension/build.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .

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
	rm -rf .venv build dist labextension/node_modules htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of packages; made again when pyproject.toml changes.
.venv/.%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

build/vendor-node/.installed: Makefile
	@mkdir -p $(@D) && echo '{"private": true, "type": "module"}' > $(@D)/package.json
	@if command -v npm > /dev/null; then \
		npm install --prefix $(@D) --silent --no-audit --no-fund --no-package-lock --ignore-scripts $(NODE_PACKAGES); \
	else echo "npm is not installed, so the TypeScript SDK is left out"; rm $(@D)/package.json; fi
	@touch $@

build/vendor-%/.installed: Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(PACKAGES_$*)
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "tinymagic needs Python 3.10 or newer: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "python3 could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
