"""A browser, and Dagster's processes over a smaller state than that of `make demo`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from dagster import DagsterInstance
from playwright.sync_api import Browser

from amplitude_assets.config import Settings
from amplitude_assets.definitions import build_definitions
from amplitude_assets.hours import HOUR, HourRange, format_hour, last_exportable_hour
from amplitude_assets.report.server import serve_report
from amplitude_assets.runs.in_process import MainRun
from tests.support.browser import chromium, find_chromium
from tests.support.command import amplitude_assets
from tests.support.dagster_processes import DagsterProcesses, dagster_processes
from tests.support.worlds import lively_world

_NEWEST = last_exportable_hour(datetime.now(UTC), 2)
# The loaded hours; a test backfills the two hours after them.
HOURS = HourRange(_NEWEST - 7 * HOUR, _NEWEST - 2 * HOUR)
TO_BACKFILL = HourRange(_NEWEST - HOUR, _NEWEST)
# An hour without events, and one that was never requested.
EMPTY = HOURS.first - 2 * HOUR
NEVER_REQUESTED = HOURS.first - 4 * HOUR
# The hour with a missing row in bronze.
DAMAGED = HOURS.first + HOUR


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run Chromium; skip the test if it is not installed."""
    if find_chromium() is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterProcesses]:
    """Load hours with the command, delete a row of bronze, and start Dagster's processes."""
    folder = tmp_path_factory.mktemp("demo")
    hours = HourRange(HOURS.first, TO_BACKFILL.last)
    world = lively_world(hours, 60, Settings().project_id).settings
    settings = {
        "EMULATOR_SEED": str(world.seed),
        "EMULATOR_EVENTS_PER_HOUR": str(world.events_per_hour),
        "AMPLITUDE_START_HOUR": format_hour(HOURS.first - 6 * HOUR),
        "RUN_HOURS": "24",
    }
    done = amplitude_assets(
        "run", "--from", format_hour(HOURS.first), "--to", format_hour(HOURS.last),
        env={**settings, "DATA_DIR": str(folder / "data")}, cwd=folder, timeout=560,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    _load_without_events(folder / "data", EMPTY)
    with duckdb.connect(str(folder / "data" / "warehouse.duckdb")) as con:
        con.execute(
            "delete from bronze.raw_events where export_hour = $hour and source_line = 1",
            {"hour": DAMAGED.replace(tzinfo=None)},
        )
    page = Settings(data_dir=folder / "data").report_path
    # As in `amplitude-assets dev`.
    with serve_report(page, "127.0.0.1", 0) as port:
        settings["REPORT_URL"] = f"http://127.0.0.1:{port}/"
        with dagster_processes(folder, settings) as running:
            yield running


def _load_without_events(data: Path, hour: datetime) -> None:
    """Load an hour into bronze from a world without events."""
    settings = Settings(data_dir=data, emulator_events_per_hour=0, amplitude_start_hour=hour)
    with DagsterInstance.from_config(str(settings.dagster_home_path)) as instance:
        run = MainRun(build_definitions(settings), instance, 1, HourRange(hour, hour))
        run.load_hours()
    assert run.outcome.succeeded, run.outcome.reasons
