# Each target does all of its own set-up. ARGS are handed on: make up ARGS="--port 8080".
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
export PYTHON

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1: \2/p' $(MAKEFILE_LIST)

.PHONY: up
up: ## run the server (ARGS="--port 8080 ...", see pulp-hf up --help)
	@.ci/venv run
	@exec $(BIN)/pulp-hf up $(ARGS)

.PHONY: test
test: ## run every test (ARGS="-k name ...")
	@.ci/venv test
	@.ci/test $(ARGS)

.PHONY: soak
soak: ## read at random for long while the upstream is in trouble (SOAK_READS=5000 SOAK_SEED=7 make soak)
	@.ci/venv test
	@SOAK_READS=$${SOAK_READS:-2000} $(BIN)/python -m pytest -s pulp_hugging_face/tests/functional/test_soak.py $(ARGS)

.PHONY: lint
lint: ## check style, types, imports, migrations, documentation
	@.ci/venv test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	.ci/migrations
	@if [ -x .ci/docs ]; then .ci/docs; fi

.PHONY: format
format: ## let the formatter have its way
	@.ci/venv test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: protocol
protocol: ## write docs/user/reference/protocol.md anew
	@.ci/venv test
	@$(BIN)/python -m pulp_hugging_face.tests.protocol_page

.PHONY: bench
bench: ## measure beside nginx and Olah (ARGS="--rows hot,cold --quick")
	@.ci/venv test
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: build
build: ## build sdist and wheel, try the wheel in an empty environment
	@.ci/venv test
	@.ci/build

.PHONY: clean
clean: ## remove what was built and installed here (not the data of the server)
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
