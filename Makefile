# Run `make` to list the commands.

PYTHON ?= python3
export API_PORT ?= 8000
export AWS_PORT ?= 4566
export WEB_PORT ?= 3000
FUZZ_EXAMPLES ?= 4500
FUZZ_SECONDS ?= 120
BENCH_ROUNDS ?= 9

# The variables of make's command line, for the Python commands: STAGE=dev is passed on as
# OPTION_STAGE. The shell's own variables are ignored: many define EMAIL. Neither make nor a shell
# expands the values, so they may contain any character.
export OPTION_NAMES := $(strip $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
$(foreach name,$(OPTION_NAMES),$(eval export OPTION_$(name) = $$(value $(name))))
unexport STAGE EMAIL PASSWORD TOKEN URL OVERWRITE CONFIRM ALARM_TOPIC DOMAIN_SUFFIX CALLBACK_URLS \
	LOGOUT_URLS PARAMETERS USER_POOL_ID USER_POOL_CLIENT_ID SIGN_IN_DOMAIN TABLE TTL ADOPT ACCOUNT \
	FILE DRY_RUN ANY_SUB TIMES RATE DELETE DELETE_ACCOUNTS WEB ROLE_ARN PERMISSIONS_BOUNDARY SINCE \
	FOLLOW KEEP_LOGS

.DEFAULT_GOAL := help
.PHONY: help local cloud web token sign-up test test-all fuzz load bench screenshots format install \
	install-develop install-tools lock audit backend package deploy gateway web-config url logs destroy \
	destroy-backend smoke users user erase export import orphans openapi

help:  ## list the commands
	@awk -F ':.*## ' '/^##@/ {print "\n" substr($$0, 5)} \
		/^##\+/ {printf "  %-21s %s\n", "", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

##@ On this machine

local: install  ## start the API, its page and an AWS emulator (API_PORT=8000 AWS_PORT=4566 WEB_PORT=3000)
##+ let a front end of your own sign users in: CALLBACK_URLS=http://localhost:5173 (LOGOUT_URLS)
##+ without the page: WEB=no
	@.venv/bin/python -m local up

cloud: install  ## start the page and the AWS emulator only, to run `chalice local --stage local` yourself
##+ the same options as `make local`: CALLBACK_URLS LOGOUT_URLS WEB=no
	@.venv/bin/python -m local cloud

web: install  ## serve the page only, with the settings of `make web-config` (WEB_PORT=3000)
	@.venv/bin/python -m local web

token: install  ## print an id token of the demo user, or of EMAIL=... PASSWORD=... (STAGE=dev)
	@.venv/bin/python -m local token

sign-up: install  ## create a user: EMAIL=... PASSWORD=...
	@.venv/bin/python -m local sign-up

openapi: install  ## write the OpenAPI description with a stage's URL, routes and profile schema to out/ (STAGE=dev FILE OVERWRITE=yes)
	@.venv/bin/python -m $(if $(filter-out local,$(OPTION_STAGE)),deploy,local) $@

##@ Users, of `make local` or of a deployed stage

users: install  ## print the users who have a profile: a table, or JSON lines in a pipe (STAGE=dev)
	@.venv/bin/python -m local users

user: install  ## print a user's profile and metadata: ACCOUNT=<e-mail address or sub> (STAGE=dev)
	@.venv/bin/python -m local user

erase: install  ## erase a user's account, profile and metadata: ACCOUNT=<e-mail address or sub> (STAGE=dev)
##+ without being asked: CONFIRM=<the same>
	@.venv/bin/python -m local erase

##@ Development

test: install-develop  ## run all checks and tests, as CI does: lint, format, types, tests
	.venv/bin/ruff check .
	@.venv/bin/ruff format --check . || { echo "error: the code is not formatted. Run: make format" >&2; exit 1; }
	.venv/bin/mypy
	.venv/bin/pytest -n auto --dist loadfile --cov --cov-report=term-missing:skip-covered

test-all: install-tools  ## run the unit, store and API tests on every supported Python found here
	@PATH="$$PATH$$(printf ':%s' "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.*/bin)" .tools/bin/tox

format: install-develop  ## fix lint and format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

fuzz: install-develop  ## fuzz the parsers (FUZZ_SECONDS each) and the API (FUZZ_EXAMPLES per operation)
	@for target in json_reader patch_merger tag_parser claims_reader function; do \
		echo "$$target:"; .venv/bin/python -m tests.fuzz $$target $(FUZZ_SECONDS) || exit 1; \
	done
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) .venv/bin/pytest -s tests/api/test_openapi.py \
		tests/api/test_isolation.py tests/api/test_any_json.py

load: install-develop install-tools  ## run a load test and check for failures and leaks (LOAD_SECONDS, LOAD_REQUESTS, LOAD_CALLS)
	@.venv/bin/python -m bench.load

bench: install-develop  ## compare cold start, CPU and size with alternatives (BENCH_ROUNDS)
	@.venv/bin/python -m bench --rounds $(BENCH_ROUNDS)

screenshots: install-develop  ## take the pictures of the page in docs/images
	@.venv/bin/python -m docs.screenshots

##@ Dependencies

install_lock = @command -v $(PYTHON) >/dev/null || \
	{ echo "error: $(PYTHON) was not found. Install it, or use another one: export PYTHON=python3.13" >&2; exit 1; }; \
	$(PYTHON) -m requirements.install $(if $(filter file,$(origin PYTHON)),,--python-given)

install:  ## install the packages for running into .venv (`make local` does this too; PYTHON=python3.13)
	$(install_lock) run

install-develop: install  ## also install the packages for tests and benchmarks (`make test` does this too)
	$(install_lock) develop

install-tools:  ## install the packages for load, audit and test-all into .tools
	$(install_lock) tools

lock:  ## write the locks after a change in requirements.txt or requirements/*.in (LOCK="-P boto3" or --upgrade)
	@$(PYTHON) -m requirements.lock $(LOCK)

audit: install-tools  ## check the locked Python packages for known vulnerabilities (needs the network)
	@for lock in develop tools; do \
		.tools/bin/pip-audit --strict --disable-pip --progress-spinner=off -r requirements/$$lock.txt || { \
			echo "error: requirements/$$lock.txt has a known vulnerability, or could not be audited:" \
				"see above." >&2; exit 1; }; \
	done

##@ AWS, in the account and region of your shell

deploy_command = @.venv/bin/python -m deploy $@

backend: install  ## create or update the table and user pool: STAGE=dev (DOMAIN_SUFFIX CALLBACK_URLS LOGOUT_URLS)
##+ change settings of the user pool: PARAMETERS="Name=value ..." (OVERWRITE=yes)
##+ use what you already have: USER_POOL_ID USER_POOL_CLIENT_ID (SIGN_IN_DOMAIN), TABLE (TTL=yes); ADOPT=yes
##+ let CloudFormation act with a role: ROLE_ARN (also of deploy, destroy and destroy-backend)
	$(deploy_command)

package: install  ## build the package of `make deploy` in out/: STAGE=dev
	$(deploy_command)

deploy: install  ## deploy the API with CloudFormation: STAGE=dev (ALARM_TOPIC PERMISSIONS_BOUNDARY ROLE_ARN)
##+ change settings of the API: PARAMETERS="Name=value ..." (OVERWRITE=yes)
	$(deploy_command)

gateway: install  ## after `chalice deploy`, set the format of API Gateway's own errors: STAGE=dev
	$(deploy_command)

web-config: install  ## write web/config.json, the page's settings, for a deployed stage: STAGE=dev
	$(deploy_command)

smoke: install  ## check a deployed API: URL=https://.../api TOKEN=... (or EMAIL PASSWORD STAGE; OVERWRITE=yes)
##+ for a stage that refuses the test data, such as with PROFILE_SCHEMA: FILE=<a profile that it allows>
	@.venv/bin/python -m deploy.smoke

url: install  ## print the URL of a stage's API: STAGE=dev
	$(deploy_command)

logs: install  ## print the latest lines of the function's log: STAGE=dev (SINCE=10m; FOLLOW=yes)
	$(deploy_command)

# The stage local is on this machine: local/ calls the same command on the AWS emulator.
data_command = @.venv/bin/python -m $(if $(filter local,$(OPTION_STAGE)),local,deploy) $@

export: install  ## write all profiles and metadata to a file: STAGE=dev FILE=profiles.jsonl (OVERWRITE=yes)
	$(data_command)

import: install  ## write the profiles and metadata of such a file to the table: STAGE=dev FILE=profiles.jsonl
##+ replace what is stored: OVERWRITE=yes; only report: DRY_RUN=yes; requests a second: RATE=100
##+ users that the user pool does not have: ANY_SUB=yes; times of the file, or the present: TIMES=keep|now
	$(data_command)

orphans: install  ## list profiles and metadata whose user is gone, and finish erasures: STAGE=dev
##+ remove them: DELETE=<the number that was shown>; accounts of erased users: DELETE_ACCOUNTS=<number>
	$(data_command)

destroy: install  ## delete the API and keep users and data: STAGE=dev (KEEP_LOGS=yes ROLE_ARN)
	$(deploy_command)

destroy-backend: install  ## delete users and data: STAGE=dev (CONFIRM=dev ROLE_ARN)
	$(deploy_command)
