# Two commands matter: `make up` runs a plant, `make test` passes the tests. Nothing else to set up.
.PHONY: up install test check unit golden bench lock clean
.DEFAULT_GOAL := up
PYTHON ?= python3
ARGS ?=

up: install            ## start the services, the stages, the example plant and the board; Ctrl-C ends all
	.venv/bin/andon up $(ARGS)

install: .venv/installed
.venv/installed: requirements.lock pyproject.toml scripts/install.sh
	PYTHON=$(PYTHON) scripts/install.sh requirements.lock
	touch $@

.venv/installed-dev: requirements-dev.lock pyproject.toml scripts/install.sh
	PYTHON=$(PYTHON) scripts/install.sh requirements-dev.lock
	touch .venv/installed $@

check: .venv/installed-dev  ## style, types, import directions
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

unit: .venv/installed-dev  ## the tests that need no service: seconds
	.venv/bin/pytest -m "not integration and not chaos and not browser" $(ARGS)

test: check            ## everything, on real services
	sh tests/need_chromium
	.venv/bin/pytest -n 2 --dist loadfile $(ARGS)

golden: .venv/installed-dev  ## let the stories say what they say now; read the diff before you commit it
	.venv/bin/python -m tests.golden.accept $(ARGS)

bench: .venv/installed-dev  ## rates, latencies and memory on this machine
	.venv/bin/python -m benchmarks $(ARGS)

lock:                  ## pin the newest versions that fit together, with hashes and without addresses
	.venv/bin/uv pip compile -q -U --universal -p 3.11 --generate-hashes --no-header --no-emit-index-url requirements.in -o requirements.lock
	.venv/bin/uv pip compile -q -U --universal -p 3.11 --generate-hashes --no-header --no-emit-index-url requirements-dev.in -o requirements-dev.lock

clean:                 ## remove what can be made again; data in .andon stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
