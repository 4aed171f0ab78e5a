"""The whole of it as production runs it: hours arrive, history backfills, a worker is killed."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from amplitude_assets.emulator import (
    API_KEY,
    SECRET_KEY,
    Emulator,
    Fault,
    FaultKind,
    World,
    WorldSettings,
    serve,
)
from amplitude_assets.hours import HOUR, HourRange, format_hour, last_exportable_hour
from amplitude_assets.warehouse.duckdb import DuckDBWarehouse
from tests.support.dagster_processes import DagsterProcesses, dagster_processes, wait_until

PROJECT = 734517
WORLD = World(WorldSettings(seed=3, events_per_hour=20, project_id=PROJECT))
NEWEST = last_exportable_hour(datetime.now(UTC), 2)
# A day that the sensor asks for by itself, and before it two days that only a backfill reaches.
RECENT = HourRange(NEWEST - 23 * HOUR, NEWEST)
HISTORY = HourRange(RECENT.first - 48 * HOUR, RECENT.first - HOUR)
OLDER = HourRange(HISTORY.first - 4 * HOUR, HISTORY.first - HOUR)

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(WORLD) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def dagster(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DagsterProcesses]:
    # The first request of the backfill takes long enough to be killed in the middle.
    emulator.add_fault(
        Fault(FaultKind.SLOW_DRIP, (HISTORY.first, HISTORY.last), times=1, pause_seconds=2.0)
    )
    settings = {
        "AMPLITUDE_BASE_URL": emulator.base_url,
        "AMPLITUDE_API_KEY": API_KEY,
        "AMPLITUDE_SECRET_KEY": SECRET_KEY,
        "AMPLITUDE_PROJECT_ID": str(PROJECT),
        "AMPLITUDE_START_HOUR": format_hour(OLDER.first),
        "AUTOMATION_ENABLED": "true",
        "LOOKBACK_DAYS": "1",
        "RUN_HOURS": "24",
    }
    with dagster_processes(tmp_path_factory.mktemp("dagster"), settings) as processes:
        yield processes


def test_history_backfills_although_a_worker_is_killed_while_new_hours_arrive(
    dagster: DagsterProcesses, emulator: Emulator
) -> None:
    with dagster.command(
        "backfill", "--from", format_hour(HISTORY.first), "--to", format_hour(HISTORY.last)
    ) as backfill:
        _kill_the_worker_of_the_backfill(dagster)
        told, _ = backfill.communicate(timeout=300)
    assert backfill.returncode == 0, told + dagster.logs()
    assert "48 of 48 hours, COMPLETED_SUCCESS" in told
    warehouse = DuckDBWarehouse(dagster.folder / "data" / "warehouse.duckdb")
    wait_until(
        lambda: _reconciled(warehouse) >= {*HISTORY, *RECENT},
        "silver and gold hold the backfilled and the recent hours",
        dagster,
        seconds=180,
    )
    assert _lines(warehouse, HISTORY) == _exported(HISTORY)
    assert _lines(warehouse, RECENT) == _exported(RECENT)


def _kill_the_worker_of_the_backfill(dagster: DagsterProcesses) -> None:
    wait_until(
        lambda: (
            _runs(dagster, ["STARTED"], tag="dagster/backfill") != []
            and dagster.run_workers() != []
        ),
        "a run of the backfill has begun",
        dagster,
    )
    for worker in dagster.run_workers():
        os.kill(worker, signal.SIGKILL)


def _runs(dagster: DagsterProcesses, statuses: list[str], tag: str) -> list[dict[str, Any]]:
    """Return the runs of these statuses that bear a tag."""
    data = dagster.ask(
        "query($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results"
        " { runId status tags { key value } } } } }",
        filter={"statuses": statuses},
    )
    runs = data["runsOrError"]["results"]
    return [run for run in runs if tag in {found["key"] for found in run["tags"]}]


def _reconciled(warehouse: DuckDBWarehouse) -> set[datetime]:
    if not warehouse.query(
        "select 1 from information_schema.tables where table_name = 'rpt_data_quality'"
    ):
        return set()
    rows = warehouse.query("select export_hour from gold.rpt_data_quality where is_reconciled")
    return {hour.replace(tzinfo=UTC) for (hour,) in rows}


def _lines(warehouse: DuckDBWarehouse, hours: HourRange) -> Counter[tuple[datetime, str]]:
    rows = warehouse.query("select export_hour, event from bronze.raw_events")
    found = ((hour.replace(tzinfo=UTC), event) for hour, event in rows)
    return Counter((hour, event) for hour, event in found if hour in hours)


def _exported(hours: HourRange) -> Counter[tuple[datetime, str]]:
    return Counter((hour, line.decode()) for hour in hours for line in WORLD.lines(hour))
