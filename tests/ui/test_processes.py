"""All processes as in production: new hours arrive, a backfill runs, a worker is killed."""

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    DagsterInstance,
    RunRequest,
    build_sensor_context,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from amplitude_assets.automation.models_follow import Follows
from amplitude_assets.config import Settings
from amplitude_assets.definitions import build_definitions
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
from amplitude_assets.instance.pools import AMPLITUDE_POOL, WAREHOUSE_POOL
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.support.dagster_processes import DagsterProcesses, dagster_processes, wait_until

PROJECT = 734517
WORLD = World(WorldSettings(seed=3, events_per_hour=20, project_id=PROJECT))
NEWEST = last_exportable_hour(datetime.now(UTC), 2)
# The part of the sensor's look-back day that it still requests on a slow machine.
RECENT = HourRange(NEWEST - 19 * HOUR, NEWEST)
# Two days before the look-back, which only a backfill loads.
HISTORY = HourRange(NEWEST - 71 * HOUR, NEWEST - 24 * HOUR)
RUN_HOURS = 24

pytestmark = pytest.mark.timeout(900)  # about two minutes on two free cores


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(WORLD) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def dagster(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DagsterProcesses]:
    # The first request of the backfill's first run is slow, so that the test can kill its worker.
    first_run = (HISTORY.first, HISTORY.first + (RUN_HOURS - 1) * HOUR)
    emulator.add_fault(Fault(FaultKind.SLOW_DRIP, first_run, times=1, pause_seconds=30.0))
    settings = {
        "AMPLITUDE_BASE_URL": emulator.base_url,
        "AMPLITUDE_API_KEY": API_KEY,
        "AMPLITUDE_SECRET_KEY": SECRET_KEY,
        "AMPLITUDE_PROJECT_ID": str(PROJECT),
        "AMPLITUDE_START_HOUR": format_hour(HISTORY.first),
        "AUTOMATION_ENABLED": "true",
        "LOOKBACK_DAYS": "1",
        "RUN_HOURS": str(RUN_HOURS),
        # The models are built several times here; `test_dagster_ui.py` runs their data tests.
        "DBT_RESOURCE_TYPES": "model seed",
    }
    with dagster_processes(tmp_path_factory.mktemp("dagster"), settings) as processes:
        yield processes


def test_a_backfill_and_a_concurrent_run_succeed_although_a_worker_and_the_daemon_are_killed(
    dagster: DagsterProcesses,
) -> None:
    """New hours arrive at the same time. All runs wait for each other and for the DuckDB file."""
    history = ["--from", format_hour(HISTORY.first), "--to", format_hour(HISTORY.last)]
    with dagster.command("backfill", *history) as backfill:
        killed = _kill_a_worker_during_its_download(dagster)
        dagster.kill_daemon()
        with dagster.command("run", *history) as run, dagster.another_daemon():
            run_output, _ = run.communicate(timeout=600)
            backfill_output, _ = backfill.communicate(timeout=600)
            assert (run.returncode, backfill.returncode) == (0, 0), (
                run_output + backfill_output + dagster.logs()
            )
            assert "48 of 48 hours, COMPLETED_SUCCESS" in backfill_output
            assert _status_of(dagster, killed) == "FAILURE"
            warehouse = DuckDBWarehouse(dagster.folder / "data" / "warehouse.duckdb")
            wait_until(
                lambda: (
                    _reconciled(warehouse) >= {*HISTORY, *RECENT}
                    and _pending_model_requests(dagster) == []
                ),
                "silver, gold and the report have followed the backfill and the new hours",
                dagster,
                seconds=600,
            )
            wait_until(
                lambda: (
                    AssetCheckExecutionRecordStatus.PLANNED
                    not in _statuses_of_silver_check(dagster)
                ),
                "the check, a step of its own, has followed the models",
                dagster,
                seconds=600,
            )
            wait_until(lambda: _used_pool_slots(dagster) == 0, "each pool is free again", dagster)
    assert _lines(warehouse, HISTORY) == _exported(HISTORY)
    assert _lines(warehouse, RECENT) == _exported(RECENT)
    # The check passed every time, although hours were loaded between the models and the check.
    assert _statuses_of_silver_check(dagster) == {AssetCheckExecutionRecordStatus.SUCCEEDED}


def _statuses_of_silver_check(dagster: DagsterProcesses) -> set[AssetCheckExecutionRecordStatus]:
    """Return the statuses of all evaluations of the check of silver."""
    check = AssetCheckKey(AssetKey(["silver", "events"]), "every_row_is_in_silver")
    home = str(Settings(data_dir=dagster.folder / "data").dagster_home_path)
    with DagsterInstance.from_config(home) as instance:
        records = instance.event_log_storage.get_asset_check_execution_history(check, limit=100)
    return {record.status for record in records}


def _used_pool_slots(dagster: DagsterProcesses) -> int:
    """Return how many steps occupy a pool slot or wait for one."""
    settings = Settings(data_dir=dagster.folder / "data")
    with DagsterInstance.from_config(str(settings.dagster_home_path)) as instance:
        pools = [
            instance.event_log_storage.get_concurrency_info(pool)
            for pool in (AMPLITUDE_POOL, WAREHOUSE_POOL)
        ]
        return sum(pool.active_slot_count + pool.pending_step_count for pool in pools)


def _kill_a_worker_during_its_download(dagster: DagsterProcesses) -> str:
    """Kill the worker of a backfill run during its download, and return the run's id."""
    found: list[str] = []

    def is_downloading() -> bool:
        found[:] = [
            run["runId"]
            for run in _backfill_runs(dagster)
            for step in run["stepStats"]
            if step["stepKey"] == "raw_export_zip" and step["startTime"] and not step["endTime"]
        ]
        return bool(found)

    wait_until(is_downloading, "a run of the backfill is asking Amplitude", dagster, seconds=300)
    os.kill(dagster.worker_of(found[0]), signal.SIGKILL)
    return found[0]


def _backfill_runs(dagster: DagsterProcesses) -> list[dict[str, Any]]:
    """Return the active runs of backfills, with their steps."""
    data = dagster.ask(
        "{ runsOrError(filter: {statuses: [STARTED]}) { ... on Runs { results"
        " { runId tags { key } stepStats { stepKey startTime endTime } } } } }"
    )
    runs: list[dict[str, Any]] = data["runsOrError"]["results"]
    return [run for run in runs if {"key": "dagster/backfill"} in run["tags"]]


def _status_of(dagster: DagsterProcesses, run_id: str) -> str:
    data = dagster.ask(
        "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id
    )
    return str(data["runOrError"]["status"])


def _pending_model_requests(dagster: DagsterProcesses) -> Sequence[RunRequest]:
    """Return the run requests of the models' sensor from an empty cursor."""
    settings = Settings(data_dir=dagster.folder / "data", project_timezone="UTC")
    graph = build_definitions(settings).get_repository_def()
    with DagsterInstance.from_config(str(settings.dagster_home_path)) as instance:
        context = build_sensor_context(instance=instance)
        tick = graph.get_sensor_def("models_follow_bronze").evaluate_tick(context)
    assert tick.skip_message != Follows.WAITING.value
    return tick.run_requests or []


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
