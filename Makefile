# Two commands matter: `make demo` and `make test`. Both need only Python 3.11+ and a package index.
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,\
	$(shell $(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(python))))
VENV ?= .venv
BIN := $(VENV)/bin
# One more than there are processors: tests that wait need none.
WORKERS ?= $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)")
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
COLLECTION := .ansible/collections/ansible_collections/prlsdk/core

.DELETE_ON_ERROR:
.PHONY: help demo unit quick test gates nightly soak coverage bench format lint docs build release-check images lock clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 15

demo: $(VENV)/.runtime $(COLLECTION)  ## the main job on the stub SDK: no hypervisor needed
	@$(BIN)/python tests/demo/demo.py

unit: $(VENV)/.dev $(COLLECTION)  ## the unit tests, under a minute
	$(PYTEST) tests/unit

quick: $(VENV)/.dev $(COLLECTION)  ## the unit tests and the fast linters
	$(PYTEST) -m 'not slow' tests/unit tests/toolchain

test: $(VENV)/.dev $(COLLECTION)  ## everything but the gates; T=path::name for one test
	$(if $(T),$(BIN)/python -m pytest $(T),$(PYTEST))

gates: $(VENV)/.dev $(COLLECTION)  ## long and rarely red: sanity and use of every ansible-core, galaxy-importer; K=2.16 for some
	$(PYTEST) tests/gates $(if $(K),-k '$(K)')

nightly: $(VENV)/.dev $(COLLECTION)  ## the property tests with 1,000 examples each
	HYPOTHESIS_PROFILE=nightly $(PYTEST) -m property tests/unit

soak: $(VENV)/.dev $(COLLECTION)  ## the property tests with 50,000 examples each
	HYPOTHESIS_PROFILE=soak $(PYTEST) -m property tests/unit

coverage: $(VENV)/.dev $(COLLECTION)  ## the lines of plugins/ that no unit or integration test runs
	rm -rf build/coverage && mkdir -p build/coverage
	-HYPOTHESIS_PROFILE=quick $(BIN)/coverage run -m pytest -q -n $(WORKERS) --dist worksteal tests/unit tests/integration
	$(BIN)/coverage combine --quiet
	rm -f build/coverage/data.*
	$(BIN)/coverage report --show-missing --skip-covered --sort=cover

bench: $(VENV)/.dev $(COLLECTION)  ## print the benchmarks of tests/bench
	$(BIN)/python -m tests.bench

format: $(VENV)/.dev  ## format the Python code, and put in what modules document alike
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/python tests/toolchain/shared_returns.py

lint: $(VENV)/.dev $(COLLECTION)  ## every linter, without the tests
	$(BIN)/python -m pytest -n $(WORKERS) tests/toolchain -k lint

docs: $(VENV)/bin/python $(COLLECTION)  ## build the documentation site into build/docs
	@$$($(BIN)/python -m tests.venvs docs.txt) docs/docsite/build.py build/docs

build: $(VENV)/.runtime  ## build the collection's archive into build/
	$(BIN)/ansible-galaxy collection build --force --output-path build

release-check: $(VENV)/.runtime $(COLLECTION)  ## build the archive twice, compare, install it into an empty path, run the demonstration from it
	$(BIN)/python tests/toolchain/release_check.py

images: $(VENV)/.runtime $(COLLECTION)  ## make the pictures of the README from the demonstration (needs Chromium)
	$(BIN)/python tests/demo/images.py

lock:  ## pin tests/requirements/*.in (needs uv)
	for set in $(basename $(notdir $(wildcard tests/requirements/*.in))); do \
		case $$set in core-2.16 | core-2.17) oldest=3.10 ;; core-2.20 | core-2.21) oldest=3.12 ;; *) oldest=3.11 ;; esac; \
		uv pip compile --quiet --universal --upgrade --no-emit-index-url --no-annotate --python-version $$oldest \
			--custom-compile-command 'make lock' tests/requirements/$$set.in -o tests/requirements/$$set.txt || exit 1; done

clean:  ## remove what the commands above made
	rm -rf $(VENV) .ansible .nox build .pytest_cache .hypothesis .coverage tests/output

# The checkout is made visible as the collection that it is; nothing is copied.
$(COLLECTION):
	@mkdir -p $(dir $@)
	@ln -sfn ../../../.. $@

$(VENV)/bin/python:
	@test -n '$(PYTHON)' || { echo 'make: no Python 3.11 or later found; name one: make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.%: tests/requirements/%.txt | $(VENV)/bin/python
	@echo 'Installing tests/requirements/$*.txt into $(VENV) ...' >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
