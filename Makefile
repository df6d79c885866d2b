# Everything a developer does here. `make` alone lists it.

PYTHON ?= python3
export API_PORT ?= 8000
export AWS_PORT ?= 4566
export WEB_PORT ?= 3000
# Given to make alone: many shells have an EMAIL of their own.
given = $(if $(filter command,$(origin $(1))),$($(1)))
export USER_EMAIL = $(call given,EMAIL)
export USER_PASSWORD = $(call given,PASSWORD)
export USER_TOKEN = $(call given,TOKEN)
FUZZ_EXAMPLES ?= 4500
FUZZ_SECONDS ?= 120
BENCH_ROUNDS ?= 9
.DEFAULT_GOAL := help
.PHONY: help install local cloud web token sign-up test test-all fuzz load bench screenshots format lock audit tools \
	backend package deploy gateway web-config destroy destroy-backend smoke

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

install:
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON). Install Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -m local.install

local: install  ## run the API, its page and an AWS for them here (API_PORT=8000 AWS_PORT=4566 WEB_PORT=3000)
	@.venv/bin/python -m local up

cloud: install  ## run all but the API, for a `chalice local --stage local` of your own
	@.venv/bin/python -m local cloud

web: install  ## serve the page alone, as `make web-config` has set it up (WEB_PORT=3000)
	@.venv/bin/python -m local web

token: install  ## print an id token for the demo user, or for EMAIL=... PASSWORD=... (and STAGE=dev)
	@.venv/bin/python -m local token --stage="$(call given,STAGE)"

sign-up: install  ## sign a user up: EMAIL=... PASSWORD=...
	@.venv/bin/python -m local sign-up

also = @.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r

test: install  ## what CI runs: lint, format, types, tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest

test-all: tools  ## the unit, store and API tests on every supported Python that this machine has
	@PATH="$$PATH$$(printf ':%s' "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.*/bin)" .tools/bin/tox

fuzz: install  ## fuzz the readers (FUZZ_SECONDS each), ask the API thousands of questions (FUZZ_EXAMPLES each operation)
	$(also) tests/fuzz/requirements.txt
	@for target in json_reader patch_merger tag_parser claims_reader function; do \
		echo "$$target:"; .venv/bin/python -m tests.fuzz $$target $(FUZZ_SECONDS) || exit 1; \
	done
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) .venv/bin/pytest --no-cov -s -k described tests/api/test_openapi.py

load: install tools  ## many users at once, and 100,000 calls: nothing wrong, nothing leaks (LOAD_SECONDS, LOAD_CALLS)
	@.venv/bin/python -m bench.load

bench: install  ## measure it beside what one would write instead, in AWS's runtime (BENCH_ROUNDS)
	$(also) bench/requirements.txt
	@.venv/bin/python -m bench --rounds $(BENCH_ROUNDS)

screenshots: install  ## take the README's pictures of the page anew, into docs/images
	.venv/bin/pytest --no-cov docs/screenshots.py

format: install  ## lint and format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# With the extras: the pip that comes with Python 3.11 does not find coverage[toml] in a pin of coverage.
pin = @.tools/bin/uv pip compile --quiet --universal --python-version 3.11 --no-strip-extras --generate-hashes \
	$(LOCK)

lock: tools  ## write the pins and hashes anew for requirements*.in (LOCK="-P boto3" or "--upgrade" for newer ones)
	$(pin) requirements-dev.in --output-file requirements-dev.txt
	$(pin) requirements-tools.in --output-file requirements-tools.txt
	$(pin) --no-deps tests/requirements.in --output-file tests/requirements.txt
	$(pin) tests/fuzz/requirements.in --output-file tests/fuzz/requirements.txt
	$(pin) --constraints requirements-dev.txt bench/requirements.in --output-file bench/requirements.txt

audit: tools  ## ask for known vulnerabilities in all that is pinned (needs the network)
	@$(PYTHON) -m local.audit

tools:
	@cmp -s requirements-tools.txt .tools/installed.txt || { \
		$(PYTHON) -m venv --clear .tools && \
		.tools/bin/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: \
			-r requirements-tools.txt && \
		cp requirements-tools.txt .tools/installed.txt; }

# --- AWS: the account, and the region, that the shell is signed in to -------------------------------------------------

deploy = @.venv/bin/python -m deploy $@ "$(call given,STAGE)"

backend: install  ## make or update a stage's table and user pool: STAGE=dev (DOMAIN_SUFFIX, CALLBACK_URLS, LOGOUT_URLS)
	$(deploy) --domain-suffix="$(call given,DOMAIN_SUFFIX)" \
		--callback-urls="$(call given,CALLBACK_URLS)" --logout-urls="$(call given,LOGOUT_URLS)"

package: install  ## build what would be deployed, in out/: STAGE=dev
	$(deploy)

deploy: install  ## deploy a stage's API with CloudFormation: STAGE=dev (ALARM_TOPIC)
	$(deploy) --alarm-topic="$(call given,ALARM_TOPIC)"

gateway: install  ## after a `chalice deploy` by hand: API Gateway's own errors in our shape: STAGE=dev
	$(deploy)

web-config: install  ## write web/config.json, the page's settings, for a deployed stage: STAGE=dev
	$(deploy)

destroy: install  ## take a stage's API down, and leave users and data: STAGE=dev
	$(deploy)

destroy-backend: install  ## delete a stage's users and data: STAGE=dev (CONFIRM=dev)
	$(deploy) --confirm="$(call given,CONFIRM)"

smoke: install  ## look at a live deployment: URL=https://.../api TOKEN=... (or EMAIL, PASSWORD, STAGE; OVERWRITE=yes)
	@.venv/bin/python -m deploy.smoke --url="$(call given,URL)" --stage="$(call given,STAGE)" \
		--overwrite="$(call given,OVERWRITE)"
