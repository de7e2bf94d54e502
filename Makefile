# `make` lists what there is. Everything runs from `.venv`, which is built from the lock files; nothing needs root.

PYTHON  ?= python3
ARGS    ?=
VENV    := .venv
PY      := $(VENV)/bin/python
INSTALL := $(PY) .ci/packages.py

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint env bench figures screenshots prove mutants

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.compiled ## build .venv from requirements.lock (PYTHON=python3.12 picks another Python)

demo: $(VENV)/.run ## the bot in a simulated homelab, with a page to try it (ARGS="--port 9000")
	@$(PY) main.py demo $(ARGS)

test: $(VENV)/.dev ## run the tests (ARGS="tests/tools -k docker")
	@$(PY) -m pytest -n 4 -p tests.strict_skips $(ARGS)

lint: $(VENV)/.dev ## check style, types, imports, lock files and .env.example
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(PY) $(VENV)/bin/lint-imports --no-logo
	@$(PY) -m tests.locks
	@$(PY) main.py env | diff -u .env.example - || { echo '.env.example is out of date: run `make env`'; exit 1; }

env: $(VENV)/.run ## write .env.example and docs/tools.md again, from the code
	@$(PY) main.py env > .env.example.new && mv .env.example.new .env.example || { rm -f .env.example.new; exit 1; }
	@$(PY) main.py tools > docs/tools.md.new && mv docs/tools.md.new docs/tools.md || { rm -f docs/tools.md.new; exit 1; }

bench: $(VENV)/.dev ## measure speed, memory and size beside peers (ARGS="turn --quick")
	@$(PY) -m tests.bench $(ARGS)

figures: $(VENV)/.dev ## the same, all of it, written into docs/figures.md (20 minutes on a quiet machine)
	@$(PY) -m tests.bench --write docs/figures.md

screenshots: $(VENV)/.dev ## take the pictures in docs/ again, from the demo
	@$(PY) -m tests.screenshots $(ARGS)

prove: $(VENV)/.dev ## kill the bot at every point, many times, and count what was lost or repeated
	@$(PY) -m tests.prove $(ARGS)

mutants: $(VENV)/.dev ## remove each defence in turn and see that a test turns red
	@$(PY) -m tests.mutants $(ARGS)

# What keeps $(PYTHON) from being used, in one line that says what to do; empty when nothing does.
trouble = $(shell \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo 'Rackhand needs Python 3.11 or newer and "$(PYTHON)" is not that: install python3.11 and python3.11-venv, or name another, as in: make venv PYTHON=python3.12'; exit; }; \
	"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		echo '"$(PYTHON)" has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)')

$(VENV)/.run: requirements.lock
	$(if $(trouble),$(error $(trouble)))
	@echo 'Setting up $(VENV) (once, and again when requirements.lock changes)'
	@$(PY) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	@$(INSTALL) requirements.lock
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@$(INSTALL) requirements-dev.lock
	@touch $@

# A bot that may not write to its checkout would compile everything at each start.
$(VENV)/.compiled: $(VENV)/.run
	@echo 'Compiling'
	@$(PY) -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@
