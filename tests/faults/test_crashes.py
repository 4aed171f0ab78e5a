"""Kill a run at every step between two stages: the next run recovers, and maintenance cleans up."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, World, WorldSettings, serve
from tests.faults.child import run_until_killed, run_until_killed_mid_write, start
from tests.faults.place import Place, Tables
from tests.faults.points import POINTS, Point


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def clean(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, set[Path]]:
    """Return bronze and the file names of a place whose run was not killed."""
    place = Place(tmp_path_factory.mktemp("clean"), emulator.base_url)
    assert place.run().succeeded
    return place.bronze(), place.files()


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_the_next_run_recovers_from_a_killed_one(
    point: Point, emulator: Emulator, clean: tuple[Tables, set[Path]], tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    if point.limit is None:
        call = (point.where, point.what, point.nth, point.after)
        killed, expected = start(run_until_killed, place, *call), signal.SIGKILL
    else:
        limit_from = (point.where, point.what, point.nth, point.limit)
        killed, expected = start(run_until_killed_mid_write, place, *limit_from), signal.SIGXFSZ
    killed.join()
    assert killed.exitcode == -expected
    assert not point.leaves or list(place.folder.glob(point.leaves))
    assert all(hour == clean[0][at] for at, hour in place.bronze().items())

    assert place.run().succeeded
    assert place.bronze() == clean[0]
    place.run_cleanup()
    assert place.files() == clean[1]


def test_maintenance_deletes_leftover_dbt_logs_and_duckdb_spill_files(
    emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url, retention_hours=47)
    assert place.run().succeeded
    before = place.files()
    for name in ("dbt/6f9ed1a0/dbt.log", "warehouse.duckdb.tmp/duckdb_temp_0.tmp"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    place.run_cleanup()
    assert place.files() == {path for path in before if path.parts[0] != "landing"}


def test_maintenance_deletes_old_landing_files_of_hours_in_the_lake(
    emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url, retention_hours=0)
    assert place.run().succeeded
    bronze = place.bronze()
    before = place.files()
    place.run_cleanup(after_hours=23)  # a run started within the last day may still be active
    assert place.files() == before
    place.run_cleanup()
    assert not [path for path in place.files() if path.parts[0] == "landing"]
    assert place.run().succeeded
    assert place.bronze() == bronze
