# Two commands do all the set-up on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py constraints.txt $(wildcard sim_core/*.pyx sim_core/*.pxd)

.PHONY: quickstart test lint sanitize clean

quickstart: $(VENV)/.installed
	$(BIN)/lit-trainer fit --config configs/quickstart.yaml

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# bounds checks, then AddressSanitizer and UBSan, in builds of their own
sanitize: $(VENV)/.installed-dev
	PYTHON=$(BIN)/python tests/sanitizers.sh

# torch first and pinned, so that no other requirement brings another build of it
$(VENV)/.installed: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf build dist *.egg-info sim_core/*.c sim_core/*.so $(VENV)/.installed $(VENV)/.installed-dev
