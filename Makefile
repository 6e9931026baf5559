# Two commands for a newcomer: `make run` and, beside it, `make demo`. Everything they keep lies in .venv/ and .run/.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

COMPILE = .run/pip-tools/bin/pip-compile --quiet --allow-unsafe --generate-hashes --strip-extras --no-emit-find-links --no-emit-index-url $(PIP_COMPILE_ARGS)

.DEFAULT_GOAL := help
.PHONY: help run dev demo test test-integration test-coverage test-real lint bench requirements clean environment-production environment-development environment-samples

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

run: environment-production ## Start the gateway and all it needs on this machine; Ctrl-C stops it
	@exec $(BIN)/python -m embedded.run

dev: environment-production ## The same with debug logs; the two web servers load changed code by themselves (the worker needs a new start)
	@LOG_LEVEL=$${LOG_LEVEL:-DEBUG} GUNICORN_CMD_ARGS="--reload $$GUNICORN_CMD_ARGS" exec $(BIN)/python -m embedded.run

demo: environment-production environment-samples ## Beside a running `make run`: register a service and a flow over real data, run it, show its nodes
	@if [ -f .run/environment ]; then . ./.run/environment; fi; exec $(BIN)/python -m samples.demo $(ARGS)

test: environment-development ## Run all tests, on real servers wherever they can be had (ARGS="-k flows" picks some)
	@sh embedded/install_clickhouse.sh
	$(BIN)/python -m pytest -n 2 $(ARGS)

test-integration: ## Run the tests of rooms together, over real servers and processes
	@$(MAKE) --no-print-directory test ARGS="tests/integration $(ARGS)"

test-coverage: ## Run all tests and tell which lines and branches none of them reached (htmlcov/index.html)
	@$(MAKE) --no-print-directory test ARGS="--cov --cov-report=term:skip-covered --cov-report=html $(ARGS)"

test-real: environment-development ## Run the contract tests against the real servers whose variables are set
	TEST_REAL=1 $(BIN)/python -m pytest tests/contract $(ARGS)

lint: environment-development ## Check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: environment-development ## Measure, each figure from one run
	@exec $(BIN)/python -m benchmarks $(ARGS)

requirements: ## Compile the pinned requirements again from the .in files (PIP_COMPILE_ARGS=--upgrade takes new versions)
	$(PYTHON) -m venv .run/pip-tools && .run/pip-tools/bin/pip install --quiet pip-tools
	$(COMPILE) -o requirements.txt requirements/production.in
	$(COMPILE) -o requirements/embedded.txt requirements/embedded.in
	$(COMPILE) -o requirements/development.txt requirements/development.in

clean: ## Delete the environment, the embedded servers' data and every cache
	@if [ -x $(BIN)/python ] && [ -d .run ]; then $(BIN)/python -m embedded.clean; fi
	rm -rf .venv .run .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment-production environment-development environment-samples: environment-%:
	@$(PYTHON) -m embedded.environment $*
