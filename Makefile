# `make book` and `make test` are all that a reader needs; `make help` lists the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# What is installed, and what the pages are made of.
INSTALLED := $(VENV)/.installed
LIBRARY := $(shell find course -type f ! -path '*/__pycache__/*')
PAGES := $(shell find lectures book -type f ! -path '*/_build/*' ! -path '*/__pycache__/*') \
	benchmarks/results.json
HTML := book/_build/html

CHECK_PYTHON = $(PYTHON) -c 'import sys; v = sys.version_info; v < (3, 11) and sys.exit("Python 3.11 or newer is needed; $(PYTHON) is %d.%d. Choose another: make PYTHON=python3.11" % v[:2])'

.PHONY: help install book serve screenshots test test-slow test-light lint types check check-wheel derive bench clean distclean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | \
		awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

install: $(INSTALLED) ## make .venv and install everything, pinned by constraints.txt

$(INSTALLED): pyproject.toml constraints.txt
	@$(CHECK_PYTHON)
	@test -x $(BIN)/python || { echo "==> Making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "==> Installing into $(VENV) (the first time takes a few minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[test,book,dev]'
	@touch $@

book: book/_build/.built ## build the book, notebooks executed
	@echo "==> The book is at file://$(CURDIR)/$(HTML)/index.html (or: make serve)"

# Pages show the library and run it: when it changes, no executed page may be reused.
book/_build/.library: $(LIBRARY) $(INSTALLED)
	@rm -rf book/_build && mkdir -p book/_build && touch $@

# After a failure the parsed pages go, else the next build would not repeat the warnings.
book/_build/.built: book/_build/.library $(PAGES)
	@echo "==> Executing the pages, as many at once as there are cores"
	@$(BIN)/python book/execute.py
	@echo "==> Building the book"
	@rm -rf $(HTML) # figures that no page shows any more
	@$(BIN)/jupyter-book build lectures --config book/_config.yml --toc '$(CURDIR)/book/_toc.yml' \
		--path-output book -n -W --keep-going || { rm -rf $(HTML) book/_build/.doctrees; exit 1; }
	@touch $@

serve: book ## open the book in a browser
	@$(BIN)/python book/serve.py

screenshots: book ## photograph every page, at two widths, light and dark
	@$(BIN)/python book/screenshots.py

# Each of the workers keeps to one thread, else they get in each other's way.
test: $(INSTALLED) ## run the tests (tests/ and solutions/, never your exercises/)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m "not slow" tests solutions

test-slow: $(INSTALLED) ## run the tests that `make test` leaves out: classes of 200, trainings
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m slow tests

LIGHT = .venv-light-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')

test-light: ## the tests that need no Torch, for example with PYTHON=python3.13
	@$(CHECK_PYTHON)
	@test -x $(LIGHT)/bin/python || $(PYTHON) -m venv $(LIGHT)
	@$(LIGHT)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		numpy pillow matplotlib typer rich watchfiles pytest hypothesis hatchling
	@$(LIGHT)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(LIGHT)/bin/python -m pytest -p tests.without_torch tests \
		--ignore=tests/test_run.py --ignore=tests/test_loop.py # processes and terminals: once is enough

lint: $(INSTALLED) ## ruff: errors, style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED) ## mypy
	@$(BIN)/mypy

derive: $(INSTALLED) ## write exercises/ and solutions/ from the library and the specs
	@$(BIN)/course author derive

check: ## everything that CI does
	@.ci/run

check-wheel: $(INSTALLED) ## build the wheel, install it in a fresh environment, use it elsewhere
	@.ci/check_wheel $(BIN)/python

bench: $(INSTALLED) ## install the engine's peers and measure it beside them
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@$(BIN)/python -m benchmarks

clean: ## remove what was built, keep the environment
	@rm -rf book/_build build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find course tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove the environments too
	@rm -rf $(VENV) .venv-light-*
