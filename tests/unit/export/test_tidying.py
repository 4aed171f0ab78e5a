"""Deleting from the landing area: finished and old hours, but no file that an hour needs."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from amplitude_assets.export.errors import LandingError
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.tidying import clear, sweep
from amplitude_assets.hours import HOUR as AN_HOUR

from .building import HOUR, PROJECT, deliver, hours, name_of, one, packed, unpack_landed

EVENT = b'{"uuid":"a"}'
LONG_AGO = datetime.now(UTC) - timedelta(days=10)
YESTERDAY = datetime.now(UTC) - timedelta(hours=20)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing", PROJECT)


def make_old(path: Path, moment: datetime = LONG_AGO) -> None:
    """Set the modification time of a file, or of a folder and everything in it."""
    for each in [*path.rglob("*"), path]:
        os.utime(each, (moment.timestamp(), moment.timestamp()))


def test_clearing_keeps_a_zip_that_another_hour_needs(landing: Landing) -> None:
    deliver(landing, hours(2), (name_of(0), packed(EVENT)))
    unpack_landed(landing, hours(2))
    clear(landing, [HOUR])
    assert not landing.hour_folder(HOUR).exists()
    assert len(list(landing.zips.iterdir())) == 1
    assert landing.delivery_of(HOUR + AN_HOUR).zip is not None
    clear(landing, [HOUR + AN_HOUR, HOUR + 5 * AN_HOUR])
    assert not list(landing.zips.iterdir())
    with pytest.raises(LandingError):
        landing.delivery_of(HOUR + AN_HOUR)


def test_a_new_delivery_leaves_the_old_zip_to_the_sweep(landing: Landing) -> None:
    old = deliver(landing, one(HOUR), (name_of(0), packed(EVENT)))
    new = deliver(landing, one(HOUR), (name_of(1), packed(EVENT)))
    assert old.path is not None
    assert new.path is not None
    sweep(landing, YESTERDAY)
    assert old.path.exists()
    make_old(landing.zips)
    sweep(landing, YESTERDAY)
    assert not old.path.exists()
    assert new.path.exists()


def test_a_sweep_removes_hours_and_zips_that_are_old(landing: Landing) -> None:
    deliver(landing, hours(2), (name_of(0), packed(EVENT)))
    unpack_landed(landing, hours(2))
    make_old(landing.zips)
    make_old(landing.hour_folder(HOUR))
    sweep(landing, YESTERDAY)
    assert not landing.hour_folder(HOUR).exists()
    assert landing.files_of(HOUR + AN_HOUR).status == "empty"
    assert landing.delivery_of(HOUR + AN_HOUR).zip is not None
    make_old(landing.hour_folder(HOUR + AN_HOUR))
    sweep(landing, YESTERDAY)
    assert not list(landing.zips.iterdir())
    assert not list(landing.hour_folder(HOUR).parent.iterdir())


def test_an_old_hour_that_was_unpacked_again_stays(landing: Landing) -> None:
    deliver(landing, one(HOUR), (name_of(0), packed(EVENT)))
    make_old(landing.zips)
    make_old(landing.hour_folder(HOUR))
    unpack_landed(landing, one(HOUR))
    sweep(landing, YESTERDAY)
    assert landing.files_of(HOUR).lines == 1
    assert landing.delivery_of(HOUR).zip is not None


def test_a_sweep_deletes_leftovers_of_crashes(landing: Landing) -> None:
    deliver(landing, one(HOUR), (name_of(0), packed(EVENT)))
    folder = landing.hour_folder(HOUR)
    for place in (landing.zips, folder):
        (place / ".old.part").write_bytes(b"half")
        (place / ".new.part").write_bytes(b"half")
        make_old(place / ".old.part")
    (folder.parent / ".trash-1").mkdir()
    (folder.parent / ".trash-1" / "file").write_bytes(b"")
    sweep(landing, YESTERDAY)
    assert not list(folder.parent.glob(".trash*"))
    for place in (landing.zips, folder):
        assert sorted(path.name for path in place.glob(".*.part")) == [".new.part"]
    assert landing.delivery_of(HOUR).zip is not None


def test_a_sweep_of_an_empty_area_succeeds(landing: Landing) -> None:
    sweep(landing, datetime.now(UTC))
    clear(landing, [HOUR])
