# Two commands matter: `make demo` and `make test`. Each makes .venv and installs what it needs.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
RUN := .venv/.run-installed
DEV := .venv/.dev-installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-hub check bench clean chromium install

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(RUN) ## open the page; trains and publishes what is missing, then serves it
	$(BIN)/python app.py --train-missing

test: $(DEV) chromium ## the test suite, browser included (under 15 minutes on 2 cores)
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test-slow: $(DEV) chromium ## the slow lane: full-size trainings and transfers
	$(BIN)/python -m pytest -m slow

test-hub: $(DEV) ## the loop's tests against the real Hub, when LAB_TEST_TOKEN is set
	$(BIN)/python -m pytest -m real_hub --real-hub -rs

check: $(DEV) ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(DEV) ## measure, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks

clean: ## remove what make made: .venv, caches, and the lab's own Hub and runs in .lab
	rm -rf .venv .lab .mypy_cache .ruff_cache .pytest_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(RUN) ## only install

$(RUN): requirements.txt requirements-embedded.txt constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python found: install Python 3.11 and run make again."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv; torch is large, so this takes a few minutes the first time."
	$(PIP) -r requirements.txt -c constraints.txt
	$(PIP) --no-deps -r requirements-embedded.txt -c constraints.txt
	@touch $@

$(DEV): $(RUN) requirements-dev.txt requirements-export.txt
	$(PIP) -r requirements-dev.txt -c constraints.txt
	@touch $@

# The browser tests drive the system's Chromium: no download of a browser build of their own.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; \
	else \
		echo "The browser tests need Chromium: install the package 'chromium' (or Google Chrome) and run make test again."; exit 1; \
	fi
