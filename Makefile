# Each chore makes the environment first if it is missing or out of date.
.PHONY: demo demo-tryton test simulate lint fix docs bench requirements clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PLUGINS := $(sort $(wildcard plugins/*))
TRYTON := plugins/crmbridge-tryton/src/crmbridge_tryton_server
CANDIDATES := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11

demo: $(READY)
	@$(BIN)/crmbridge demo --folder .demo

# The same on a real server: installs Tryton in an environment of its own, once.
demo-tryton: $(READY)
	@$(BIN)/python -m crmbridge_tryton_server .demo-tryton

test: $(READY)
	$(BIN)/pytest -q -n 2

# As many histories as asked: make simulate N=100000
simulate: $(READY)
	$(BIN)/crmbridge-sim run $(or $(N),1000) --first $(or $(FIRST),1)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/docs

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)
	$(BIN)/python -m crmbridge.files.schema
	$(BIN)/python -m crmbridge.cli.reference

bench: $(READY)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/pull.py --deals 20000 --latency 50
	$(BIN)/python benchmarks/write.py
	$(BIN)/python benchmarks/sync.py --pairs 10000
	$(BIN)/python benchmarks/rules.py

# Needs uv. The files name no index, so that every mirror serves.
requirements:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--no-annotate pyproject.toml --group dev -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--no-annotate pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--no-annotate $(TRYTON)/requirements.in -o $(TRYTON)/requirements.txt

clean:
	rm -rf $(VENV) .demo .demo-tryton

$(READY): requirements/dev.txt pyproject.toml $(wildcard plugins/*/pyproject.toml)
	@for name in $(CANDIDATES); do \
		if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making the environment in $(VENV), once ..."; \
			$$name -m venv --clear $(VENV) && exit 0; \
			echo "On Debian: apt install python3-venv" >&2; exit 1; \
		fi; \
	done; \
	echo "crmbridge needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11" >&2; exit 1
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		-e . $(addprefix -e ,$(PLUGINS))
	@touch $@
