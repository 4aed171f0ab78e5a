"""What every test starts from: no settings of the machine it runs on, and folders of its own."""

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.migrations import cache_migration_scripts
from tests.support.snowflake_levels import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]  # pytest calls it

# Dagster's SQLite waits for the disk at every event, some thousand times a run: where memory can
# take the tests' files (about 1 GB), nothing waits.
_MEMORY = Path("/dev/shm")
_ROOM = 6 * 1024**3
if (
    "TMPDIR" not in os.environ
    and os.access(_MEMORY, os.W_OK)
    and shutil.disk_usage(_MEMORY).free > _ROOM
):
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(_MEMORY)  # pytest tidies up its own
    # What else a process leaves there would stay in memory: the first one takes it all away.
    tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="tests-", dir=_MEMORY)
    atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)


def _silence_end() -> None:
    """Discard what native libraries print while the interpreter ends.

    DuckDB's binding lists the objects that are still referenced then, hundreds of lines in each
    worker, below pytest's summary.
    """
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


atexit.register(_silence_end)
cache_migration_scripts()

# Dagster and dbt keep many objects: to look through them for rubbish as often as Python does by
# itself takes a tenth of the time.
gc.set_threshold(100_000, 20, 100)

# How long an example takes says something of the machine, and nothing of what is tested.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

_OURS = (
    "ALERT_",
    "AMPLITUDE_",
    "AUTOMATION_",
    "AWS_",
    "DAGSTER_",
    "DBT_",
    "EMULATOR_",
    "LAKE_",
    "LOOKBACK_",
    "PRIVACY_",
    "RECHECK_",
    "RETENTION_",
    "SNOWFLAKE_",
)
# Set it to run the tests without private APIs of Dagster and dagster-dbt.
_KEPT = "DAGSTER_PUBLIC_API_ONLY"
_NAMES = ("DATA_DIR", "LAKE_URL", "WAREHOUSE", "DUCKDB_PATH", "PROJECT_TIMEZONE", "WEEK_START")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest file, which mostly waits: it is not to be left alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_processes.py")


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take away the machine's settings and its `.env`, and give the test a folder to work in."""
    before = dict(os.environ)
    for name in list(os.environ):
        if (name.startswith(_OURS) and name != _KEPT) or name in _NAMES:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    yield
    # The code under test writes to the environment too, for dbt and Dagster to read.
    os.environ.clear()
    os.environ.update(before)
