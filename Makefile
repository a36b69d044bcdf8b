# Everything runs in .venv; nothing else of the machine is touched.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all lint up down clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## install PaperLoRA and what it needs into .venv

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "PaperLoRA needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY) ## the whole loop offline: papers in, judged adapters out (fifteen to thirty minutes)
	$(BIN)/paperlora demo $(ARGS)

# Whole modules are dealt out, in their order, to as many processes as there are cores; four hold enough memory.
test: $(READY) ## the tests: no network, no GPU, no real model (five to ten minutes)
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-all: $(READY) ## also the slow tests and those on real models and papers
	$(BIN)/python -m pytest -m "" $(ARGS)

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

up: $(READY) ## Prefect's server, workers, schedule and UI on this machine
	$(BIN)/paperlora up

down: $(READY) ## end what `make up` started
	$(BIN)/paperlora down

clean: ## remove .venv (what you made in var/ and datasets/ stays)
	rm -rf $(VENV)
