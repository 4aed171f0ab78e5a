"""A run is killed at every hand-over: the next one ends as if it had not been, and tidies up."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, World, WorldSettings, serve
from amplitude_assets.lake.store import Lake
from amplitude_assets.resources import open_landing
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
    return place.bronze(), files_of(place)


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
    sweep(place)
    assert files_of(place) == clean[1]


def files_of(place: Place) -> set[Path]:
    return {path.relative_to(place.folder) for path in place.folder.rglob("*") if path.is_file()}


def sweep(place: Place) -> None:
    """Do what the nightly maintenance does, two days later, with nothing too old to keep."""
    now = datetime.now(UTC)
    two_days_ago = (now - timedelta(days=2)).timestamp()
    for path in place.folder.rglob("*"):
        os.utime(path, (two_days_ago, two_days_ago))
    open_landing(place.settings).sweep(now - timedelta(days=30))
    Lake(place.settings.resolved_lake_url).sweep(now - timedelta(days=1))
