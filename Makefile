# Regulars. Needs Python >= 3.11 and make; everything else is installed into .venv and .local by `make setup`.
.DEFAULT_GOAL := help
.PHONY: help setup lint types unit component browser infra flow test test-nightly audit bench openapi events demo up down deploy bootstrap clean

# The first interpreter that is new enough; name another with `make PYTHON=...`.
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
endif
RUN := .venv/bin/python
STAGE ?= prod
# Two processes, each with an engine of its own and a half of the files; who is done takes over what the other has not begun.
SIDE_BY_SIDE := -n 2 --dist worksteal
PARTS := lint types unit component browser infra flow

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Install everything (implicit in all others; seconds when nothing changed)
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python3.13"; exit 1; }
	@$(PYTHON) -m local.tools

lint: setup  ## Style (ruff), risky code (bandit) and directions of imports
	@$(RUN) -m ruff check .
	@$(RUN) -m bandit -q -c pyproject.toml -r shared functions infra local
	@if [ -f .importlinter ]; then PYTHONPATH=. .venv/bin/lint-imports; fi

types: setup  ## mypy --strict on shared/, functions/ and local/
	@$(RUN) -m mypy

unit: setup  ## Unit tests: no sockets, no AWS
	@$(RUN) -m pytest tests/unit tests/architecture --disable-socket $(SIDE_BY_SIDE)

component: setup  ## Handlers on an AWS in the same process; two tenants with everything crossed
	@$(RUN) -m pytest tests/component tests/isolation $(SIDE_BY_SIDE)

browser: setup  ## Pages in a real browser
	@$(PYTHON) -m local.tools browser
	@$(RUN) -m pytest tests/browser

infra: setup  ## Templates, packaging, cfn-lint, cdk-nag
	@$(RUN) -m pytest tests/infra

flow: setup  ## The whole system on a fresh local AWS, twice side by side: much of it is waiting
	@$(RUN) -m pytest tests/flow -n 2 --dist loadfile

test: setup  ## Everything that must pass, in order; stops at the first failure
	@for part in $(PARTS); do \
	  start=$$(date +%s); \
	  $(MAKE) --no-print-directory $$part || { echo "== $$part: FAILED"; exit 1; }; \
	  echo "== $$part: ok ($$(($$(date +%s) - start)) s)"; \
	done

test-nightly: setup  ## The same unit tests, searched a hundred times as widely, limits of a thousand under attack, a mailing to ten thousand (an hour)
	@HYPOTHESIS_PROFILE=nightly $(RUN) -m pytest tests/unit --disable-socket
	@HYPOTHESIS_PROFILE=nightly $(RUN) -m pytest tests/component/test_redeemers.py tests/component/test_campaign_ten_thousand.py \
	  tests/component/test_campaign_crashes.py tests/isolation/test_contract.py

audit: setup  ## Known vulnerabilities of what we depend on (asks PyPI's advisory service)
	@$(RUN) -m local.advisories

bench: setup  ## Measure; writes docs/benchmarks.md
	@$(RUN) -m tests.benchmarks

openapi: setup  ## Write docs/openapi.json again
	@$(RUN) -m local openapi

events: setup  ## Write the schemas under events/ again
	@$(RUN) -m local events

demo: setup  ## Deploy to a local AWS and play the story on real input
	@$(RUN) -m local demo

up: setup  ## Start the local AWS with everything deployed; leaves it running
	@$(RUN) -m local up

down: setup  ## Stop the local AWS; what it stored is kept
	@$(RUN) -m local down

deploy: setup  ## Deploy to the AWS account of your credentials: make deploy STAGE=prod (once before: make bootstrap)
	@$(PYTHON) -m local.tools cdk deploy --all -c stage=$(STAGE)

bootstrap: setup  ## Prepare that account for the CDK, once per account and region
	@$(PYTHON) -m local.tools cdk bootstrap -c stage=$(STAGE)

clean:  ## Remove what was built and stored (not .venv; run `make down` first)
	@rm -rf build cdk.out .local/demo .local/assemblies .mypy_cache .ruff_cache .import_linter_cache .hypothesis
