# Everything a user or contributor runs. Needs make and Python >= 3.11; `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
unexport PYTHONPATH PYTHONHOME # modules of another environment would shadow the locked ones
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1

# The first of these that is recent enough makes the environment; `make setup PYTHON=/path/to/python` overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
ARGS ?=
PYTEST_ARGS ?=

.PHONY: help
help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

.PHONY: setup
setup: $(RUNTIME) ## Make .venv with everything meshflow needs to run (no-op when fresh).
	@echo "Ready: $(BIN)/meshflow --help"

$(BIN)/python:
	@if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		found="$$( ("$(or $(PYTHON),python3)" --version || echo none) 2>/dev/null)"; \
		echo "make setup: needs Python 3.11 or newer; found: $$found" >&2; \
		echo "  Install it, or name one: make setup PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "make setup: $(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; fi
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --clear $(VENV)

$(RUNTIME): requirements/runtime.lock pyproject.toml | $(BIN)/python
	@echo "Installing $$(grep -c '==' requirements/runtime.lock) locked packages; the first time takes about a minute ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/runtime.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(DEV): requirements/dev.lock $(RUNTIME)
	@echo "Installing the development tools ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.lock
	@touch $@

.PHONY: dev
dev: $(DEV) ## Add the development tools to .venv.

.PHONY: run
run: $(RUNTIME) ## Run the demonstration; options in ARGS, for example: make run ARGS=--once
	@$(BIN)/python -m meshflow_grpc.cli.demo $(ARGS)

.PHONY: mesh-demo
mesh-demo: $(RUNTIME) ## Show three nodes, one of them killed in the middle of a run.
	@$(BIN)/python examples/mesh/demo.py

.PHONY: test
test: $(DEV) ## Run every check, cheapest first; options for pytest in PYTEST_ARGS.
	@echo "== 1/5 generated code and protos"; $(MAKE) gen-check
	@echo "== 2/5 style"; $(MAKE) lint
	@echo "== 3/5 types"; $(MAKE) types
	@echo "== 4/5 layers"; $(MAKE) layers
	@echo "== 5/5 tests"; $(BIN)/python tools/run_tests.py $(PYTEST_ARGS)

.PHONY: test-clients
test-clients: $(DEV) ## Test every client, and the one contract through every face; needs Go, Node and Maven.
	@$(BIN)/python -m pytest tests/contract tests/clients $(PYTEST_ARGS)

.PHONY: gen
gen: $(DEV) ## Generate meshflow_grpc/_gen and Envoy's descriptor set from proto/.
	@$(BIN)/python tools/generate.py
	@$(BIN)/python -m meshflow_grpc.envoy.write_sidecar envoy/envoy.yaml
	@$(BIN)/python -m meshflow_grpc.envoy.write_edge envoy/edge.yaml

.PHONY: gen-clients
gen-clients: $(DEV) ## Generate what the clients derive from proto/; needs Go, Node and Maven.
	@$(BIN)/python tools/generate_clients.py

.PHONY: gen-check
gen-check: $(DEV) ## Check that generated code is fresh and the protos are well-formed and compatible.
	@$(BIN)/python tools/generate.py --check
	@$(BIN)/python tools/check_protos.py

.PHONY: gen-all
gen-all: gen gen-clients ## Generate everything, for every language.

.PHONY: gen-check-all
gen-check-all: gen-check ## Check that the generated code of every language is fresh; needs Go, Node and Maven.
	@$(BIN)/python tools/generate_clients.py --check

.PHONY: lint
lint: $(DEV) ## Check style and formatting.
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted; run: make format" >&2; exit 1; }
	@$(BIN)/ruff check .

.PHONY: format
format: $(DEV) ## Format Python and protos, and apply the safe fixes.
	@$(BIN)/ruff check --fix --quiet . || true # what is left is reported by make lint
	@$(BIN)/ruff format .
	@$(BIN)/python tools/check_protos.py --format

.PHONY: types
types: $(DEV) ## Check types (mypy --strict).
	@$(BIN)/mypy

.PHONY: layers
layers: $(DEV) ## Check the import contracts between the layers.
	@$(BIN)/lint-imports --no-logo

SPEED_LIMIT ?= 4
.PHONY: check-speed
check-speed: $(RUNTIME) ## Hold the CPU of a step to SPEED_LIMIT times the yardstick's, measured now; options in ARGS.
	@$(BIN)/python -m benchmarks.cpu_budget --limit $(SPEED_LIMIT) $(ARGS)

.PHONY: check-deploy
check-deploy: $(DEV) ## Check Dockerfile, Compose, Kubernetes and monitoring files; needs Go.
	@$(BIN)/python tools/check_deploy.py

.PHONY: collector
collector: $(DEV) ## Build the OpenTelemetry collector of deploy/ and print where it is; needs Go.
	@$(BIN)/python tools/collector.py

.PHONY: sbom
sbom: $(DEV) ## Write the bill of materials of what the server installs to build/sbom.json (CycloneDX).
	@mkdir -p build
	@$(BIN)/cyclonedx-py requirements requirements/runtime.lock --pyproject pyproject.toml --output-format JSON --output-file build/sbom.json 2>/dev/null
	@echo "build/sbom.json: $$(grep -c '"bom-ref"' build/sbom.json) components"

.PHONY: audit
audit: $(DEV) ## Look for known vulnerabilities in what is locked; asks a public database.
	@$(BIN)/pip-audit --strict --requirement requirements/runtime.lock --require-hashes --disable-pip

.PHONY: licences
licences: $(DEV) ## List the licences of what the server installs, and refuse those we may not ship.
	@$(BIN)/python tools/licences.py

.PHONY: bench
bench: $(RUNTIME) ## Run the benchmarks; options in ARGS.
	@$(BIN)/python -m benchmarks $(ARGS)

LOCK := env -u UV_FIND_LINKS -u UV_EXTRA_INDEX_URL $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
	--no-emit-find-links --python-version 3.11 pyproject.toml requirements/build.in
.PHONY: lock
lock: $(DEV) ## Write requirements/*.lock anew from pyproject.toml; UPGRADE=1 takes the newest versions.
	@$(LOCK) $(if $(UPGRADE),--upgrade) --extra envoy --output-file requirements/runtime.lock
	@$(LOCK) $(if $(UPGRADE),--upgrade) --all-extras --constraints requirements/runtime.lock --output-file requirements/dev.lock
	@echo "Locked $$(grep -c '==' requirements/runtime.lock) runtime and $$(grep -c '==' requirements/dev.lock) development packages."

.PHONY: clean
clean: ## Remove .venv, build output and caches; data files stay.
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
