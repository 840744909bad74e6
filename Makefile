# Two commands do all the set-up on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
SOURCES := pyproject.toml setup.py constraints.txt $(wildcard sim_core/*.pyx sim_core/*.pxd)

.PHONY: quickstart test lint docs browser sanitize clean

quickstart: $(VENV)/.installed
	$(BIN)/lit-trainer fit --config configs/quickstart.yaml

test: $(VENV)/.installed-dev lint browser
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# the documentation as pages, in site/: nothing is fetched, and they can be opened as files
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo Written: site/index.html

# the page's tests drive a real one: Debian's, or whatever the variable CHROMIUM names
browser:
	test -n "$(CHROMIUM)$$(command -v chromium)" || { $(SUDO) apt-get update && $(SUDO) apt-get install --yes chromium; }

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
	rm -rf build dist site *.egg-info sim_core/*.c sim_core/*.so $(VENV)/.installed $(VENV)/.installed-dev
