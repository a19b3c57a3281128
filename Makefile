# `make demo` and `make test` do all their own set-up; see CONTRIBUTING.md for the others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.PHONY: setup demo test check docs bench clean

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Gaitway needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11 setup")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/gaitway demo

test: setup check
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup
	$(BIN)/mkdocs build --strict

bench: setup
	$(BIN)/gaitway bench train walkers/gaitset --data walkers

clean:
	rm -rf $(VENV) site build dist src/*.egg-info
