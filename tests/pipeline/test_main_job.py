"""`amplitude-assets run` against a server: every event is loaded once, and runs are idempotent."""

import collections
import itertools
import json
import os
import shutil
import stat
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

from amplitude_assets.assets.keys import HOURLY_ASSETS
from amplitude_assets.config import Settings
from amplitude_assets.dbt.project import DBT_PROJECT_DIR
from amplitude_assets.definitions import build_definitions
from amplitude_assets.emulator import World, WorldSettings
from amplitude_assets.hours import HOUR, HourRange, format_hour, parse_hour, partition_of_hour
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

PARSING_SKIPPED = "no changes found, skipping parsing"

_LINEAGE = "dagster/column_lineage"
LOAD_COLUMNS = ["load_id", "loaded_at", "fetched_at"]

Tables = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True)
class Place:
    """A project's data folder and its settings."""

    folder: Path
    env: dict[str, str]

    def run(self, hours: HourRange, *, data_tests: bool = False) -> str:
        """Load these hours with the `run` command, which must succeed; return its output."""
        asked = ("--from", format_hour(hours.first), "--to", format_hour(hours.last))
        env = self.env if data_tests else {**self.env, "DBT_RESOURCE_TYPES": "model seed"}
        done = amplitude_assets("run", *asked, env=env, cwd=self.folder)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def lineage(self) -> dict[AssetKey, object]:
        """Return the column lineage of each model in the Dagster instance."""
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
        """Return dbt's log of the last run."""
        logs = (self.folder / "data" / "dbt").glob("*/dbt.log")
        return max(logs, key=lambda path: path.stat().st_mtime).read_text()

    def tables(self, *, load_columns: bool = True) -> Tables:
        """Return all rows of every contract table, sorted.

        Without `load_columns`, omit the columns that describe the load of a row.
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
    loaded = place(tmp_path_factory.mktemp("it's a dà ta"), server)
    loaded.run(DAY, data_tests=True)
    return loaded


@pytest.fixture(scope="module")
def tables(loaded: Place) -> Tables:
    return loaded.tables()


def exported(hours: HourRange) -> collections.Counter[tuple[object, str]]:
    """Return the (hour, line) pairs of the server's world, generated without the API."""
    world = World(WorldSettings(seed=7, events_per_hour=EVENTS, project_id=PROJECT))
    return collections.Counter(
        (hour.replace(tzinfo=None), line.decode()) for hour in hours for line in world.lines(hour)
    )


def test_every_exported_event_is_in_bronze_exactly_once_byte_for_byte(tables: Tables) -> None:
    loaded_lines = collections.Counter((row[1], row[6]) for row in tables["bronze.raw_events"])
    assert loaded_lines.total() > 500
    assert loaded_lines == exported(DAY)


def test_every_contract_table_exists(tables: Tables) -> None:
    assert set(tables) == {f"{schema}.{name}" for schema in CONTRACT for name in CONTRACT[schema]}


def test_line_counts_of_every_hour_match_the_export(tables: Tables) -> None:
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


def test_the_dagster_instance_records_every_materialization(
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


def test_each_hour_records_two_dagster_events_per_asset(loaded: Place) -> None:
    """One planned and one materialized event: more would add up over a year's 8,760 hours."""
    home = str(loaded.folder / "data" / "dagster")
    kinds = {
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_MATERIALIZATION,
    }
    evaluations: collections.Counter[tuple[object, ...]] = collections.Counter()
    with DagsterInstance.from_config(home) as instance:
        first_run = instance.get_runs(RunsFilter(job_name="main_job"))[-1]
        for entry in instance.all_logs(first_run.run_id, of_type=kinds):
            event = entry.get_dagster_event()
            evaluations[event.event_type, event.asset_key, event.partition] += 1
    hours = [partition_of_hour(hour) for hour in DAY]
    assert evaluations == collections.Counter(itertools.product(kinds, HOURLY_ASSETS, hours))


def test_reloading_the_same_hours_changes_no_table(loaded: Place, tables: Tables) -> None:
    printed = loaded.run(DAY)
    after, before = loaded.tables(), dict(tables)
    ledgers = after.pop("bronze.export_hours"), before.pop("bronze.export_hours")
    assert after == before
    # The ledger changes only `fetched_at`, the time of Amplitude's last identical response.
    ledger_after, ledger_before = ([(*row[:9], *row[10:]) for row in ledger] for ledger in ledgers)
    assert ledger_after == ledger_before
    # Nothing was loaded, so no rate of lines is reported.
    for step in ("hourly_json_files", "s3_event_objects", "bronze/raw_events"):
        assert f"{step}: 100%, {len(DAY)} of {len(DAY)} hours\n" in printed
    assert PARSING_SKIPPED in loaded.newest_dbt_log()


@pytest.fixture
def fresh(server: dict[str, str], tmp_path: Path) -> Iterator[Place]:
    """Return a place without a dbt manifest, as on a new machine."""
    database = f"fresh_{os.getpid()}"
    yield place(tmp_path, server, database)
    shutil.rmtree(DBT_PROJECT_DIR / "target" / "duckdb" / database, ignore_errors=True)


def test_the_load_order_of_hours_does_not_change_the_tables(loaded: Place, fresh: Place) -> None:
    middle = DAY.first + 7 * HOUR
    fresh.run(HourRange(middle, DAY.last))
    assert PARSING_SKIPPED in fresh.newest_dbt_log()
    lineage = fresh.lineage()
    fresh.run(HourRange(DAY.first, middle - HOUR))
    assert fresh.tables(load_columns=False) == loaded.tables(load_columns=False)
    assert len(lineage) > 40
    assert fresh.lineage() == lineage


def test_a_run_without_private_apis_gives_the_same_tables(loaded: Place, tmp_path: Path) -> None:
    """The Dagster home and the dbt manifest exist, as when the setting is enabled later."""
    copy = Place(tmp_path, {**loaded.env, "DATA_DIR": str(tmp_path / "data")})
    copy.env["DUCKDB_PATH"] = str(tmp_path / "data" / "warehouse.duckdb")
    first, rest = HourRange(DAY.first, DAY.first), HourRange(DAY.first + HOUR, DAY.last)
    copy.run(first)
    copy.env["DAGSTER_PUBLIC_API_ONLY"] = "true"
    copy.run(rest)
    assert copy.tables(load_columns=False) == loaded.tables(load_columns=False)
    assert copy.lineage() == loaded.lineage()
    config = (tmp_path / "data" / "dagster" / "dagster.yaml").read_text()
    assert "BatchingInstance" not in config


def test_files_of_a_run_are_readable_only_by_the_user(loaded: Place) -> None:
    data = loaded.folder / "data"
    modes = {path: path.stat().st_mode for path in (data, *data.rglob("*"))}
    assert len(modes) > 100
    assert [str(path) for path, mode in modes.items() if mode & 0o077] == []
    assert stat.S_IMODE(modes[data]) == 0o700
    assert stat.S_IMODE(modes[data / "warehouse.duckdb"]) == 0o600


def test_status_lists_missing_hours_first(loaded: Place) -> None:
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


def test_status_prints_json(loaded: Place) -> None:
    first, last = DAY.first - 2 * HOUR, DAY.last + HOUR
    shown = amplitude_assets(
        "status", "--from", format_hour(first), "--to", format_hour(last), "--json",
        env=loaded.env, cwd=loaded.folder,
    )  # fmt: skip
    status = json.loads(shown.stdout)
    assert (status["hours"], status["missing"]) == (len(DAY) + 3, 3)
    assert status["loaded"] + status["empty"] == len(DAY)
    assert status["missing_ranges"] == [
        {"from": "2025-03-08T18", "to": "2025-03-08T19", "hours": 2},
        {"from": "2025-03-09T14", "to": "2025-03-09T14", "hours": 1},
    ]
    assert [row["hour"] for row in status["ledger"]] == [format_hour(hour) for hour in DAY]
    assert sum(row["lines"] for row in status["ledger"]) == exported(DAY).total()


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
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) > 100
    assert [e.asset_check_key for e in evaluations if not e.passed] == [DEVICES]


def test_a_check_run_alone_tests_its_whole_table(tampered: Definitions) -> None:
    job = tampered.resolve_implicit_global_asset_job_def().get_subset(
        asset_check_selection={DEVICES}
    )
    with DagsterInstance.get() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    evaluations = {(e.asset_check_key, e.passed) for e in result.get_asset_check_evaluations()}
    assert evaluations == {(DEVICES, False)}
    # A retry would fail in the same way.
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_an_unreachable_server_leaves_the_tables_unchanged(loaded: Place, tables: Tables) -> None:
    before = loaded.tables()
    env = {**loaded.env, "AMPLITUDE_BASE_URL": "http://127.0.0.1:9"}
    asked = ("--from", format_hour(DAY.first), "--to", format_hour(DAY.last + HOUR))
    failed = amplitude_assets("run", *asked, env=env, cwd=loaded.folder)
    assert failed.returncode == 1
    assert f"missing: {DAY.first:%Y-%m-%dT%H} to {DAY.last + HOUR:%Y-%m-%dT%H}" in failed.stderr
    assert "Traceback" not in failed.stderr + failed.stdout
    assert loaded.tables() == before
