# Two commands do all the set-up on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
SOURCES := pyproject.toml setup.py constraints.txt $(wildcard sim_core/*.pyx sim_core/*.pxd sim_core/*/*.pyx sim_core/*/*.pxd)
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: quickstart check test tests coverage durations test-lowest lint docs browser sanitize audit clean

quickstart: $(VENV)/.installed
	$(BIN)/lit-trainer fit --config configs/quickstart.yaml

# a process for each core (PYTEST_XDIST_AUTO_NUM_WORKERS says how many else), one thread each
check durations tests coverage: export OMP_NUM_THREADS = 1
check durations tests coverage: export OMP_WAIT_POLICY = PASSIVE
tests coverage: export ENGINE_COVERAGE = $(CURDIR)/.coverage-engine.txt

# in a minute, between two changes: lint, and the tests of all parts that take a moment
check: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest --quick --quiet --numprocesses auto --durations 5 --durations-min 1

# which tests `make check` leaves out, measured anew
durations: $(VENV)/.installed-dev
	PYTHONPATH=tests $(BIN)/python -m pytest -p support.durations -m "not slow" --numprocesses auto

# lint runs beside the tests
test: $(VENV)/.installed-dev browser
	$(MAKE) --no-print-directory --jobs=2 lint tests

tests: $(VENV)/.installed-dev browser
	$(BIN)/python -m pytest --numprocesses auto

# all tests once more, for the lines that they reach: of Python, and of the engine by its fast tests
coverage: $(VENV)/.installed-dev browser
	rm -f $(ENGINE_COVERAGE)
	$(BIN)/python -m pytest --numprocesses auto --cov
	@echo "Lines of the engine that its fast tests reach:"
	@cat $(ENGINE_COVERAGE)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

# the documentation as pages, in site/: nothing is fetched, and they can be opened as files
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo Written: site/index.html

# the page's tests drive a real one: Debian's, or whatever the variable CHROMIUM names
browser:
	test -n "$(CHROMIUM)$$(command -v chromium)" || { $(SUDO) apt-get update && $(SUDO) apt-get install --yes chromium; }

# bounds checks, AddressSanitizer and UBSan, in a build of their own
sanitize: $(VENV)/.installed-dev
	PYTHON=$(BIN)/python tests/support/sanitizers.sh

# part of the tests with the lowest versions that pyproject.toml allows, in an environment of their own
test-lowest:
	PYTHON=$(PYTHON) tests/support/lowest.sh

# known vulnerabilities of the pinned versions; needs PyPI's or OSV's service for them
audit:
	test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && .venv-audit/bin/python -m pip install --quiet pip-audit; }
	.venv-audit/bin/pip-audit --strict --progress-spinner off --no-deps --disable-pip --requirement constraints.txt

# torch first and pinned, so that no other requirement brings another build of it
$(VENV)/.installed: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable .
	touch $@

# not after the package alone, which would be compiled twice; the engine is compiled while pip unpacks all else
$(VENV)/.installed-dev: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) cython setuptools
	$(PIP) --requirement constraints.txt & packages=$$!; \
	$(PIP) --no-deps --no-build-isolation --editable .; built=$$?; wait $$packages && exit $$built
	$(PIP) 'lit-alphazero[dev]'
	touch $(VENV)/.installed $@

clean:
	rm -rf build dist site *.egg-info $$(find sim_core -name '*.c' -o -name '*.so') $(VENV)/.installed $(VENV)/.installed-dev
