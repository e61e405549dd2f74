# Two commands on a fresh machine: `make run` and `make test`. Python 3.11 to 3.13 with headers and venv, a C compiler,
# and make are all that is needed; the first target says in one line what is missing.

PYTHON ?= $(shell for found in python3 python3.12 python3.11 python3.13; do \
	if $$found -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	echo $$found; break; fi; done)
PORT ?= $(or $(RULES_SERVICE_PORT),8080)
VENV := .venv
BIN := $(VENV)/bin

# durable-rules 2.0.28 calls a function that Python 3.13 removed; this names its successor. pip's cache of built wheels
# does not know of the flag, hence --no-cache-dir.
export CPPFLAGS += -DPyEval_CallObject=PyObject_CallObject
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test lint types contracts slow integration nightly docs bench clean needs
.DEFAULT_GOAL := run

run: $(VENV)/.run
	@RULES_SERVICE_PORT=$(PORT) exec $(BIN)/rules-service up

test: $(VENV)/.test
	@$(BIN)/python -m pytest -n 2 --dist worksteal

needs:
	@sh tools/needs.sh "$(PYTHON)"

$(VENV)/.engine: pyproject.toml
	@sh tools/needs.sh "$(PYTHON)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --no-cache-dir durable-rules==2.0.28
	@touch $@

$(VENV)/.run: $(VENV)/.engine
	@$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.engine
	@$(PIP) --editable '.[test]'
	@touch $(VENV)/.run $@

$(VENV)/.dev: $(VENV)/.test
	@$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	@$(PIP) --editable '.[bench]'
	@touch $@

lint: $(VENV)/.dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

contracts: $(VENV)/.dev
	@$(BIN)/lint-imports

slow: $(VENV)/.test
	@$(BIN)/python -m pytest -m slow

integration: $(VENV)/.test
	@$(BIN)/python -m pytest -m integration

nightly: $(VENV)/.test
	@$(BIN)/python -m pytest -m nightly

docs: $(VENV)/.test
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tools.requirements_table

bench: $(VENV)/.bench
	@$(BIN)/python -m bench

clean:
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
