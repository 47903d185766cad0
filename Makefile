# Two commands matter: `make demo` and `make test`. Both need only Python 3.11+ and a package index.
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,\
	$(shell $(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(python))))
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
COLLECTION := .ansible/collections/ansible_collections/prlsdk/core

.DELETE_ON_ERROR:
.PHONY: help demo test soak bench format lint build lock clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.runtime $(COLLECTION)  ## the main job on the stub SDK: no hypervisor needed
	@$(BIN)/python tests/demo/demo.py

test: $(VENV)/.dev $(COLLECTION)  ## everything: unit, property, integration, Molecule, lint, sanity
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

soak: $(VENV)/.dev $(COLLECTION)  ## the property tests with 50,000 examples each
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m property

bench: $(VENV)/.dev $(COLLECTION)  ## print the benchmarks of tests/bench
	$(BIN)/python -m tests.bench

format: $(VENV)/.dev  ## format the Python code, and put in what modules document alike
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/python tests/toolchain/shared_returns.py

lint: $(VENV)/.dev $(COLLECTION)  ## every linter, without the tests
	$(BIN)/python -m pytest -n $(WORKERS) tests/toolchain -k lint

build: $(VENV)/.runtime  ## build the collection's archive into build/
	$(BIN)/ansible-galaxy collection build --force --output-path build

lock:  ## pin tests/requirements/*.in (needs uv)
	for set in runtime dev oldest rulebook; do uv pip compile --quiet --universal --upgrade --no-emit-index-url --no-annotate \
		--python-version $$(test $$set = oldest && echo 3.10 || echo 3.11) --custom-compile-command 'make lock' \
		tests/requirements/$$set.in -o tests/requirements/$$set.txt; done

clean:  ## remove what the commands above made
	rm -rf $(VENV) .ansible build .pytest_cache .hypothesis tests/output

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
