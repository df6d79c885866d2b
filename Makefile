# Everything a developer does here. `make` alone lists it.

PYTHON ?= python3
export API_PORT ?= 8000
export AWS_PORT ?= 4566
# Given to make alone: many shells have an EMAIL of their own.
given = $(if $(filter command,$(origin $(1))),$($(1)))
export USER_EMAIL = $(call given,EMAIL)
export USER_PASSWORD = $(call given,PASSWORD)
FUZZ_EXAMPLES ?= 4500
.DEFAULT_GOAL := help
.PHONY: help install local cloud token sign-up test fuzz format

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

install:
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON). Install Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -m local.install

local: install  ## run the API and an AWS for it on this machine (API_PORT=8000 AWS_PORT=4566)
	@.venv/bin/python -m local up

cloud: install  ## run that AWS alone, for a `chalice local --stage local` of your own
	@.venv/bin/python -m local cloud

token: install  ## print an id token for the demo user, or for EMAIL=... PASSWORD=...
	@.venv/bin/python -m local token

sign-up: install  ## sign a user up: EMAIL=... PASSWORD=...
	@.venv/bin/python -m local sign-up

test: install  ## what CI runs: lint, format, types, tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest

fuzz: install  ## ask the API thousands of generated questions (FUZZ_EXAMPLES for each operation)
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) .venv/bin/pytest --no-cov -s -k described tests/api/test_openapi.py

format: install  ## lint and format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
