"""A run is killed at every hand-over: the next one ends as if it had not been, and tidies up."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, World, WorldSettings, serve
from tests.faults.child import run_until_cut_off, run_until_killed, start
from tests.faults.place import Place, Tables
from tests.faults.points import POINTS, Point


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def clean(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, set[Path]]:
    """Bronze of a place where nothing was killed, and the names of its files."""
    place = Place(tmp_path_factory.mktemp("clean"), emulator.base_url)
    assert place.run().succeeded
    return place.bronze(), place.files()


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_killed_run_is_made_good_by_the_next(
    point: Point, emulator: Emulator, clean: tuple[Tables, set[Path]], tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    if point.limit is None:
        call = (point.where, point.what, point.nth, point.after)
        killed, expected = start(run_until_killed, place, *call), signal.SIGKILL
    else:
        cut = (point.where, point.what, point.nth, point.limit)
        killed, expected = start(run_until_cut_off, place, *cut), signal.SIGXFSZ
    killed.join()
    assert killed.exitcode == -expected
    assert not point.leaves or list(place.folder.glob(point.leaves))
    assert all(hour == clean[0][at] for at, hour in place.bronze().items())

    assert place.run().succeeded
    assert place.bronze() == clean[0]
    place.tidy_up()
    assert place.files() == clean[1]


def test_what_a_crash_leaves_of_dbt_and_of_duckdbs_spilling_is_cleared(
    emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url, retention_hours=47)
    assert place.run().succeeded
    before = place.files()
    for name in ("dbt/6f9ed1a0/run_results.json", "warehouse.duckdb.tmp/duckdb_temp_0.tmp"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    place.tidy_up()
    assert place.files() == {path for path in before if path.parts[0] != "landing"}


def test_what_the_lake_has_had_for_long_is_cleared_from_the_landing_area(
    emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url, retention_hours=0)
    assert place.run().succeeded
    bronze = place.bronze()
    before = place.files()
    place.tidy_up(after_hours=23)  # a run that began within the day may be under way
    assert place.files() == before
    place.tidy_up()
    assert not [path for path in place.files() if path.parts[0] == "landing"]
    assert place.run().succeeded
    assert place.bronze() == bronze
