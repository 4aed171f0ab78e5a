"""Whole runs with models: a fault, a kill or a concurrent run does not change silver and gold."""

import shutil
import signal
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest
from click.testing import CliRunner

from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.cli.main import cli
from amplitude_assets.dbt.project import DBT_PROJECT_DIR
from amplitude_assets.emulator import Emulator, Fault, FaultKind, World, WorldSettings, serve
from amplitude_assets.hours import HourRange, partition_of_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.warehouse.base import HourCounts
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.faults.child import (
    run_and_report,
    run_until_killed_in_dbt,
    start,
)
from tests.faults.place import BAD, FIRST, HOURS, LAST, Place, Rows, Tables

Clean = tuple[Tables, dict[str, Rows]]

# The tables that hold only the batch of the last build.
BATCH_TABLES = {
    path.stem for path in (DBT_PROJECT_DIR / "models" / "silver" / "batch").glob("*.sql")
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def clean_place(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("clean") / "place", emulator.base_url)
    outcome = place.run(models=True, data_tests=True)
    assert outcome.succeeded, outcome.reasons
    return place


@pytest.fixture(scope="module")
def clean(clean_place: Place) -> Clean:
    return clean_place.bronze(), models_of(clean_place)


def models_of(place: Place) -> dict[str, Rows]:
    """Return the sorted rows of silver and gold, without load ids, times and batch tables."""
    with duckdb.connect(str(place.settings.resolved_duckdb_path), read_only=True) as con:
        tables = con.execute(
            "select table_schema, table_name, "
            " string_agg(format('\"{}\"', column_name), ', ' order by ordinal_position)"
            " from information_schema.columns where table_schema in ('silver', 'gold')"
            " and column_name not in ('load_id', 'loaded_at') group by all"
        ).fetchall()
        return {
            f"{schema}.{name}": con.execute(
                f"select {columns} from {schema}.{name} order by all"
            ).fetchall()
            for schema, name, columns in tables
            if name not in BATCH_TABLES
        }


def test_intact_hours_reach_silver_and_the_next_run_recovers_from_a_kill_during_dbt(
    emulator: Emulator, clean: Clean, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    emulator.add_fault(Fault(FaultKind.GZIP_CUT_OFF, (BAD, BAD)))
    outcome = place.run(models=True)
    emulator.clear_faults()
    assert (outcome.missing, outcome.models_built) == ([HourRange(BAD, BAD)], True)
    by_hour = place.query("select export_hour, count(*) from silver.events group by all")
    assert {hour.replace(tzinfo=UTC) for hour, _ in by_hour} == {FIRST, LAST}

    killed = start(run_until_killed_in_dbt, Place(tmp_path, emulator.base_url))
    killed.join()
    assert killed.exitcode == -signal.SIGKILL

    outcome = place.run(models=True)
    assert outcome.succeeded, outcome.reasons
    assert (place.bronze(), models_of(place)) == clean


def test_two_concurrent_whole_runs_of_the_same_hours_equal_one(
    emulator: Emulator, clean: Clean, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    runs = [start(run_and_report, place, HOURS, True, tmp_path / f"{n}.txt") for n in range(2)]
    for run in runs:
        run.join()
    assert [(tmp_path / f"{n}.txt").read_text() for n in range(2)] == ["succeeded", "succeeded"]
    assert (place.bronze(), models_of(place)) == clean


def test_an_hour_loaded_by_another_run_before_the_check_does_not_fail_it(
    emulator: Emulator, clean: Clean, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    newest = HourRange(LAST, LAST)
    report = tmp_path / "newest.txt"

    count = DuckDBWarehouse.counts

    def counts_after_another_load(*args: Any) -> list[HourCounts]:
        """Let another process load the newest hour, then count as the check of silver does."""
        if place.query("select 1 from information_schema.tables where table_name = 'dim_users'"):
            other = start(run_and_report, Place(tmp_path, emulator.base_url), newest, False, report)
            other.join()
        return count(*args)

    with patch.object(DuckDBWarehouse, "counts", counts_after_another_load):
        outcome = place.run(HourRange(FIRST, BAD), models=True)
    assert outcome.succeeded, outcome.reasons
    assert report.read_text() == "succeeded"
    assert place.run(newest, models=True).succeeded
    assert (place.bronze(), models_of(place)) == clean


def test_a_damaged_warehouse_is_rebuilt_from_the_lake_alone(
    clean_place: Place, clean: Clean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(clean_place.folder, tmp_path / "data"))
    for name, value in {
        "DATA_DIR": str(folder),
        "AMPLITUDE_API_KEY": "key",
        "AMPLITUDE_SECRET_KEY": "secret",
        "AMPLITUDE_PROJECT_ID": str(clean_place.project_id),
        "AMPLITUDE_START_HOUR": "2026-09-07T00",
        "AMPLITUDE_BASE_URL": "http://127.0.0.1:9",  # no server listens there
        "DBT_RESOURCE_TYPES": "model seed",
    }.items():
        monkeypatch.setenv(name, value)
    path = folder / "warehouse.duckdb"
    half = path.stat().st_size // 2
    path.write_bytes(path.read_bytes()[:half].ljust(2 * half, b"\xde"))
    damaged = path.read_bytes()
    doctor = CliRunner().invoke(cli, ["doctor"])
    assert doctor.exit_code == 1
    assert "amplitude-assets rebuild" in doctor.output

    rebuilt = CliRunner().invoke(cli, ["rebuild"])
    assert rebuilt.exit_code == 0, rebuilt.output
    (kept,) = folder.glob("warehouse.duckdb.damaged-*")
    assert kept.read_bytes() == damaged
    assert str(kept) in rebuilt.output
    place = Place(folder, clean_place.server)
    assert (place.bronze(), models_of(place)) == clean

    with open_instance(place.settings) as instance:
        hours = instance.get_materialized_partitions(RAW_EVENTS)
    assert hours == {partition_of_hour(hour) for hour in HOURS}
