# Every command of the project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := .venv-tools
PORT ?= 8501
# Much of a test's time is waiting, for an engine or a browser.
TEST_WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, 1 + (os.cpu_count() or 1)))')

.DEFAULT_GOAL := help
.PHONY: help run stop install install-dev chromium test lint format samples study screenshots bench bench-matrix doctor requirements audit sbom clean

help:  ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

run: install  ## Install, then start the engine and the app on 127.0.0.1:$(PORT)
	@echo "Featherweight: http://127.0.0.1:$(PORT)  (Ctrl-C ends the app; runs go on, \`make stop\` ends the engine)"
	@$(BIN)/streamlit run app.py --server.port $(PORT)

stop: install  ## End the engine that works in the background
	@$(BIN)/python -m optimizer.engine stop

install: $(VENV)/installed  ## Make the virtual environment with the pinned dependencies

install-dev: $(VENV)/installed-dev

$(VENV)/installed: requirements.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 12) else "Featherweight needs Python 3.11 or 3.12; this is %d.%d. Set PYTHON=python3.11, say." % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

chromium:  ## Install Debian's Chromium for the browser tests (as root)
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || { echo "The browser tests need Debian's chromium: apt-get install chromium"; exit 1; }

test: install-dev chromium lint  ## Install what tests need, check the code, run every test
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

lint: install-dev  ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install-dev  ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

samples: install-dev  ## Train the sample models again
	$(BIN)/python sample_models/make_samples.py

study: install-dev  ## Make the bundled sample study again, with the product itself
	$(BIN)/python sample_models/make_study.py

screenshots: install-dev chromium  ## Take the README's screenshots from the real app
	$(BIN)/python docs/make_screenshots.py

bench: install-dev chromium  ## Measure the workbench, as ratios within one run (a part: ARGS="sweep pages")
	$(BIN)/python -m benchmarks $(ARGS)

bench-matrix: install-dev  ## Run every recipe on every model (a part: ARGS="--models mlp --recipes p,q")
	$(BIN)/python -m benchmarks.matrix $(ARGS)

doctor: install  ## Check this installation, and say how to mend what is wrong
	@$(BIN)/python -m optimizer doctor

$(TOOLS)/installed: requirements-tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.txt
	touch $@

# UPGRADE= pins what the .in files newly ask for and leaves the other versions as they are.
UPGRADE ?= --upgrade
COMPILE := $(TOOLS)/bin/pip-compile --quiet $(UPGRADE) --generate-hashes --strip-extras --allow-unsafe --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

requirements: $(TOOLS)/installed  ## Pin the dependencies anew, with hashes (some minutes; see docs/upgrading.md)
	$(COMPILE) -o requirements.txt requirements.in
	$(COMPILE) -o requirements-dev.txt requirements-dev.in
	$(COMPILE) -o requirements-tools.txt requirements-tools.in

audit: $(TOOLS)/installed  ## Look the pinned versions up in an advisory database
	@$(TOOLS)/bin/python -m supply_chain.audit

sbom: $(TOOLS)/installed  ## List what is installed as CycloneDX JSON, build/featherweight.cdx.json
	@$(TOOLS)/bin/python -m supply_chain.sbom

clean:  ## Remove the virtual environments and caches (studies stay)
	rm -rf $(VENV) $(TOOLS) .pytest_cache .mypy_cache .ruff_cache
