# The project's commands. Each installs what it needs the first time.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
BIN := .venv/bin
# Many tests wait for servers, so pytest runs two more workers than there are cores. The folders with long
# tests come first alphabetically, so no long test is left for the end.
TEST_WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )))

.PHONY: demo test test-fast fuzz dev docs lint audit bench

demo: .venv/runtime
	$(BIN)/amplitude-assets run --last 72

test: .venv/development
	$(BIN)/pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

# The inner loop: the unit tests that start no server, no process, no Dagster and no dbt.
test-fast: .venv/development
	$(BIN)/pytest tests/unit -m "not integration" -n auto --dist loadfile

# Read broken archives for a minute. Add every failure it finds to the tests as a case.
fuzz: .venv/development
	$(BIN)/pytest tests/unit/export/archive/fuzz_archive.py

dev: .venv/runtime
	$(BIN)/amplitude-assets dev

# The model reference: one HTML page with every table and column of the warehouse.
docs: .venv/runtime
	$(BIN)/amplitude-assets docs

lint: .venv/development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 2 dbt_project/models dbt_project/tests

# Check the locked dependencies for known vulnerabilities, if the package index publishes them.
audit: .venv/development
	$(BIN)/python scripts/audit.py

bench: .venv/development
	$(BIN)/python -m bench

# The stamp files record what is installed, so that nothing is installed twice. The lock contains every
# dependency with its hash, hence --no-deps.
.venv/runtime: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/development: requirements-dev.lock .venv/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	touch $@
