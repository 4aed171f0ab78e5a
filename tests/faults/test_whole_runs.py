"""Whole runs, models included, under a fault, a kill and at once: silver is as it would be."""

import signal
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import duckdb
import pytest

from amplitude_assets.emulator import Emulator, Fault, FaultKind, World, WorldSettings, serve
from amplitude_assets.hours import HourRange
from amplitude_assets.resources import DBT_PROJECT_DIR
from tests.faults.child import run_and_report, run_until_models_are_under_way, start
from tests.faults.place import BAD, FIRST, HOURS, LAST, Place, Rows, Tables

Clean = tuple[Tables, dict[str, Rows]]

# What one build of the models hands to the next step of itself.
SCRATCH = {path.stem for path in (DBT_PROJECT_DIR / "models" / "silver" / "batch").glob("*.sql")}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def clean(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Clean:
    place = Place(tmp_path_factory.mktemp("clean"), emulator.base_url)
    outcome = place.run(models=True, data_tests=True)
    assert outcome.succeeded, outcome.reasons
    return place.bronze(), models_of(place)


def models_of(place: Place) -> dict[str, Rows]:
    """Every row of silver and gold, in order; load ids and times aside, and what a build leaves."""
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
            if name not in SCRATCH
        }


def test_good_hours_reach_silver_and_a_kill_while_dbt_builds_is_made_good(
    emulator: Emulator, clean: Clean, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    emulator.add_fault(Fault(FaultKind.GZIP_CUT_OFF, (BAD, BAD)))
    outcome = place.run(models=True)
    emulator.clear_faults()
    assert (outcome.missing, outcome.models_built) == ([HourRange(BAD, BAD)], True)
    by_hour = place.query("select export_hour, count(*) from silver.events group by all")
    assert {hour.replace(tzinfo=UTC) for hour, _ in by_hour} == {FIRST, LAST}

    killed = start(run_until_models_are_under_way, Place(tmp_path, emulator.base_url))
    killed.join()
    assert killed.exitcode == -signal.SIGKILL

    outcome = place.run(models=True)
    assert outcome.succeeded, outcome.reasons
    assert (place.bronze(), models_of(place)) == clean


def test_two_whole_runs_at_once_over_the_same_hours_end_as_one(
    emulator: Emulator, clean: Clean, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    runs = [start(run_and_report, place, HOURS, True, tmp_path / f"{n}.txt") for n in range(2)]
    for run in runs:
        run.join()
    assert [(tmp_path / f"{n}.txt").read_text() for n in range(2)] == ["succeeded", "succeeded"]
    assert (place.bronze(), models_of(place)) == clean
