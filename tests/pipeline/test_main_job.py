"""The main job as people run it: the command, another server, every event once, twice the same."""

import collections
import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    Definitions,
    RunsFilter,
)

from amplitude_assets.automation.runs import STAGES
from amplitude_assets.config import Settings
from amplitude_assets.definitions import build_definitions
from amplitude_assets.emulator import World, WorldSettings
from amplitude_assets.hours import HOUR, HourRange, format_hour, parse_hour, partition_of_hour
from amplitude_assets.resources import DBT_PROJECT_DIR
from tests.support.command import amplitude_assets, emulate

PROJECT = 734517
EVENTS = 60
DAY = HourRange(parse_hour("2025-03-08T20"), parse_hour("2025-03-09T13"))
CONTRACT = {
    "bronze": ["raw_events", "export_hours", "rejected_lines", "events"],
    "silver": [
        "events", "event_duplicates", "users", "user_identities", "user_property_history",
        "devices", "sessions", "locations", "groups", "event_groups", "event_types", "merged_ids",
        "property_catalog",
    ],
    "gold": [
        "dim_users", "fct_sessions", "fct_user_activity_daily", "agg_active_users_daily",
        "agg_event_daily", "agg_retention", "agg_stickiness", "agg_lifecycle", "fct_funnel",
        "agg_funnel", "fct_revenue", "agg_ltv", "rpt_data_quality",
    ],
}  # fmt: skip

NOT_PARSED_AGAIN = "no changes found, skipping parsing"

_LINEAGE = "dagster/column_lineage"
LOAD_COLUMNS = ["load_id", "loaded_at", "fetched_at"]

Tables = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True)
class Place:
    """A project's data folder and the settings that lead to it."""

    folder: Path
    env: dict[str, str]

    def run(self, hours: HourRange, *, data_tests: bool = False) -> str:
        """Load these hours by the command, which must succeed, and return what it printed."""
        asked = ("--from", format_hour(hours.first), "--to", format_hour(hours.last))
        env = self.env if data_tests else {**self.env, "DBT_RESOURCE_TYPES": "model seed"}
        done = amplitude_assets("run", *asked, env=env, cwd=self.folder)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def lineage(self) -> dict[AssetKey, object]:
        """Return the column lineage that Dagster's instance has of each model."""
        home = str(self.folder / "data" / "dagster")
        found: dict[AssetKey, object] = {}
        with DagsterInstance.from_config(home) as instance:
            for key in instance.all_asset_keys():
                event = instance.get_latest_materialization_event(key)
                materialization = event.asset_materialization if event else None
                if materialization and _LINEAGE in materialization.metadata:
                    found[key] = materialization.metadata[_LINEAGE].value
        return found

    def newest_dbt_log(self) -> str:
        """Read what dbt has logged in the last run."""
        logs = (self.folder / "data" / "dbt").glob("*/dbt.log")
        return max(logs, key=lambda path: path.stat().st_mtime).read_text()

    def tables(self, *, load_columns: bool = True) -> Tables:
        """Read every table of the contract, whole and in order.

        Without `load_columns`, leave out what says when and by which load a row came.
        """
        with duckdb.connect(self.env["DUCKDB_PATH"], read_only=True) as con:
            return {
                f"{schema}.{name}": con.execute(
                    "select columns(lambda c: $every or c not in $load_columns) "
                    f"from {schema}.{name} order by all",
                    {"every": load_columns, "load_columns": LOAD_COLUMNS},
                ).fetchall()
                for schema, names in CONTRACT.items()
                for name in names
            }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    env = {"AMPLITUDE_PROJECT_ID": str(PROJECT)}
    folder = tmp_path_factory.mktemp("server")
    with emulate("--events-per-hour", str(EVENTS), "--seed", "7", env=env, cwd=folder) as settings:
        yield settings


def place(folder: Path, server: dict[str, str], database: str = "warehouse") -> Place:
    return Place(
        folder,
        {
            **server,
            "AMPLITUDE_START_HOUR": "2025-01-01T00",
            "DATA_DIR": str(folder / "data"),
            "DUCKDB_PATH": str(folder / "data" / f"{database}.duckdb"),
            "PROJECT_TIMEZONE": "America/New_York",
        },
    )


@pytest.fixture(scope="module")
def loaded(server: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Place:
    loaded = place(tmp_path_factory.mktemp("loaded"), server)
    loaded.run(DAY, data_tests=True)
    return loaded


@pytest.fixture(scope="module")
def tables(loaded: Place) -> Tables:
    return loaded.tables()


def exported(hours: HourRange) -> collections.Counter[tuple[object, str]]:
    """Return what the server holds, from its world and not through the API: (hour, line)."""
    world = World(WorldSettings(seed=7, events_per_hour=EVENTS, project_id=PROJECT))
    return collections.Counter(
        (hour.replace(tzinfo=None), line.decode()) for hour in hours for line in world.lines(hour)
    )


def test_every_event_of_the_server_is_in_bronze_once_byte_for_byte(tables: Tables) -> None:
    held = collections.Counter((row[1], row[6]) for row in tables["bronze.raw_events"])
    assert held.total() > 500
    assert held == exported(DAY)


def test_every_table_of_the_contract_is_there(tables: Tables) -> None:
    assert set(tables) == {f"{schema}.{name}" for schema in CONTRACT for name in CONTRACT[schema]}


def test_every_hour_adds_up(tables: Tables) -> None:
    ledger = {row[1]: row for row in tables["bronze.export_hours"]}
    assert set(ledger) == {hour.replace(tzinfo=None) for hour in DAY}
    lines = collections.Counter(hour for hour, _ in exported(DAY).elements())
    assert {hour: row[5] for hour, row in ledger.items()} == {
        hour.replace(tzinfo=None): lines[hour.replace(tzinfo=None)] for hour in DAY
    }
    quiet = {hour for hour, row in ledger.items() if row[2] == "empty"}
    assert quiet == {hour for hour in ledger if not lines[hour]}
    in_silver = len(tables["silver.events"]) + len(tables["silver.event_duplicates"])
    assert in_silver == len(tables["bronze.raw_events"])


def test_what_was_done_is_in_dagsters_instance(
    loaded: Place, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(loaded.folder / "data" / "dagster"))
    keys = {partition_of_hour(hour) for hour in DAY}
    with DagsterInstance.get() as instance:
        for name in ("raw_export_zip", "hourly_json_files", "s3_event_objects"):
            assert instance.get_materialized_partitions(AssetKey(name)) == keys
        assert instance.get_materialized_partitions(AssetKey(["bronze", "raw_events"])) == keys
        event = instance.get_latest_materialization_event(AssetKey(["silver", "events"]))
        assert event is not None


def test_an_hour_is_two_events_of_each_asset(loaded: Place) -> None:
    """One that it is planned and one that it is done: a year has 8,760 hours."""
    home = str(loaded.folder / "data" / "dagster")
    kinds = {
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_MATERIALIZATION,
    }
    told: collections.Counter[tuple[object, ...]] = collections.Counter()
    with DagsterInstance.from_config(home) as instance:
        first_run = instance.get_runs(RunsFilter(job_name="hours_job"))[-1]
        for entry in instance.all_logs(first_run.run_id, of_type=kinds):
            event = entry.get_dagster_event()
            told[event.event_type, event.asset_key, event.partition] += 1
    hours = [partition_of_hour(hour) for hour in DAY]
    assert told == collections.Counter(itertools.product(kinds, STAGES, hours))


def test_running_the_same_hours_again_changes_no_table(loaded: Place, tables: Tables) -> None:
    loaded.run(DAY)
    assert loaded.tables() == tables
    assert NOT_PARSED_AGAIN in loaded.newest_dbt_log()


@pytest.fixture
def fresh(server: dict[str, str], tmp_path: Path) -> Iterator[Place]:
    """Return a place for which the project has no manifest yet, as on a fresh machine."""
    database = f"fresh_{os.getpid()}"
    yield place(tmp_path, server, database)
    shutil.rmtree(DBT_PROJECT_DIR / "target" / "duckdb" / database, ignore_errors=True)


def test_hours_in_another_order_give_the_same_tables(loaded: Place, fresh: Place) -> None:
    middle = DAY.first + 7 * HOUR
    fresh.run(HourRange(middle, DAY.last))
    assert NOT_PARSED_AGAIN in fresh.newest_dbt_log()
    lineage = fresh.lineage()
    fresh.run(HourRange(DAY.first, middle - HOUR))
    assert fresh.tables(load_columns=False) == loaded.tables(load_columns=False)
    assert len(lineage) > 40
    assert fresh.lineage() == lineage


def test_status_shows_the_gaps_first(loaded: Place) -> None:
    first, last = DAY.first - 2 * HOUR, DAY.last + HOUR
    shown = amplitude_assets(
        "status", "--from", format_hour(first), "--to", format_hour(last),
        env=loaded.env, cwd=loaded.folder,
    )  # fmt: skip
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert "3 missing" in lines[0]
    assert lines[1].split()[:4] == ["missing", "2025-03-08T18", "to", "2025-03-08T19"]
    assert lines[2].split()[:2] == ["missing", "2025-03-09T14"]
    assert sum(" loaded " in line or " empty " in line for line in lines[3:]) == len(DAY)


@pytest.fixture
def tampered(loaded: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Definitions:
    """Return the graph over a copy of the warehouse in which one device has two rows."""
    monkeypatch.setenv("DAGSTER_HOME", str(loaded.folder / "data" / "dagster"))
    shutil.copy(loaded.folder / "data" / "warehouse.duckdb", tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        con.execute("insert into silver.devices select * from silver.devices limit 1")
    return build_definitions(Settings(data_dir=tmp_path, project_timezone="America/New_York"))


DEVICES = AssetCheckKey(AssetKey(["silver", "devices"]), "unique_devices_device_key")


def test_maintenance_tests_whole_tables(tampered: Definitions) -> None:
    job = tampered.resolve_job_def("maintenance_job")
    with DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance, raise_on_error=False, op_selection=["check_whole_tables"]
        )
    assert not result.success
    told = result.get_asset_check_evaluations()
    assert len(told) > 100
    assert [e.asset_check_key for e in told if not e.passed] == [DEVICES]


def test_a_check_alone_looks_at_its_whole_table(tampered: Definitions) -> None:
    job = tampered.resolve_implicit_global_asset_job_def().get_subset(
        asset_check_selection={DEVICES}
    )
    with DagsterInstance.get() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    told = {(e.asset_check_key, e.passed) for e in result.get_asset_check_evaluations()}
    assert told == {(DEVICES, False)}
    # It would find the same again.
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_a_server_that_is_down_leaves_what_was_there(loaded: Place, tables: Tables) -> None:
    before = loaded.tables()
    env = {**loaded.env, "AMPLITUDE_BASE_URL": "http://127.0.0.1:9"}
    asked = ("--from", format_hour(DAY.first), "--to", format_hour(DAY.last + HOUR))
    failed = amplitude_assets("run", *asked, env=env, cwd=loaded.folder)
    assert failed.returncode == 1
    assert f"missing: {DAY.first:%Y-%m-%dT%H} to {DAY.last + HOUR:%Y-%m-%dT%H}" in failed.stderr
    assert "Traceback" not in failed.stderr + failed.stdout
    assert loaded.tables() == before
