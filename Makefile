# The commands of the project. Each sets up what it needs; a second call starts at once.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
BIN := .venv/bin
# Many tests wait for servers, so there are two more of them at once than cores. The folders with the long
# ones come first by their names, so they are not left for the end.
TEST_WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )))

.PHONY: demo test fuzz dev docs lint bench

demo: .venv/runtime
	$(BIN)/amplitude-assets run --last 72

test: .venv/development
	$(BIN)/pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

# A minute of broken archives; what it finds becomes a case of the tests.
fuzz: .venv/development
	$(BIN)/pytest tests/unit/export/fuzz_archive.py

dev: .venv/runtime
	$(BIN)/amplitude-assets dev

# The model reference: every table and column of the warehouse, on one page to open.
docs: .venv/runtime
	$(BIN)/amplitude-assets docs

lint: .venv/development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 2 dbt_project/models dbt_project/tests

bench: .venv/development
	$(BIN)/python -m bench

# The stamps say what the environment holds, so that nothing is installed twice. Everything an
# install needs is in the lock, with its hash; --no-deps because the lock is complete.
.venv/runtime: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/development: requirements-dev.lock .venv/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	touch $@
