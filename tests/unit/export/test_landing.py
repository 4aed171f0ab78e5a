"""The landing area: records are read back, and errors name the asset to materialise."""

import os
import threading
from pathlib import Path

import pytest

from amplitude_assets.export.archive.hour_files import HourFiles
from amplitude_assets.export.errors import ArchiveError, ExportError, LandingError
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.source import Delivery
from amplitude_assets.hours import HOUR as AN_HOUR
from amplitude_assets.streams.part_files import DiskError

from .building import (
    FETCHED_AT,
    HOUR,
    PROJECT,
    deliver,
    hours,
    kept_lines,
    name_of,
    one,
    packed,
    room_for,
    unpack_landed,
)

EVENT = b'{"uuid":"a"}'


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing", PROJECT)


def test_a_delivery_is_recorded_for_each_of_its_hours(landing: Landing) -> None:
    delivery = deliver(landing, hours(3), (name_of(0), packed(EVENT)))
    for hour in hours(3):
        record = landing.delivery_of(hour)
        assert record.hour == hour
        assert record.hours == hours(3)
        assert delivery.path is not None
        assert record.zip == delivery.path.name
        assert (record.bytes, record.crc32) == (delivery.bytes, delivery.crc32)
        assert (record.fetched_at, record.attempts) == (FETCHED_AT, 2)


def test_a_delivery_is_unpacked_and_recorded(landing: Landing) -> None:
    later = HOUR + 2 * AN_HOUR
    deliver(
        landing, hours(3), (name_of(0), packed(EVENT, b"oops")), (name_of(0, later), packed(EVENT))
    )
    deliver(landing, one(HOUR + 3 * AN_HOUR))
    results = unpack_landed(landing, hours(4))
    assert {hour: landing.files_of(hour) for hour in hours(4)} == results
    assert [landing.files_of(hour).status for hour in hours(4)] == [
        "loaded",
        "empty",
        "loaded",
        "empty",
    ]
    assert kept_lines(landing.hour_folder(HOUR), landing.files_of(HOUR)) == [EVENT]
    assert landing.files_of(HOUR).rejected_lines == 1


def test_unpacking_twice_gives_the_same(landing: Landing) -> None:
    deliver(landing, hours(2), (name_of(0), packed(EVENT)), (name_of(1), packed(b"oops", EVENT)))
    first = unpack_landed(landing, hours(2))
    before = {path: path.read_bytes() for path in landing.hour_folder(HOUR).iterdir()}
    assert unpack_landed(landing, hours(2)) == first
    assert {path: path.read_bytes() for path in landing.hour_folder(HOUR).iterdir()} == before


def test_a_damaged_member_fails_its_hour_alone(landing: Landing) -> None:
    later = HOUR + AN_HOUR
    deliver(landing, hours(2), (name_of(0), packed(EVENT)[:-3]), (name_of(0, later), packed(EVENT)))
    results = unpack_landed(landing, hours(2))
    assert isinstance(results[HOUR], ArchiveError)
    assert isinstance(results[later], HourFiles)
    with pytest.raises(LandingError, match="materialise hourly_json_files for 2026-09-01T05"):
        landing.files_of(HOUR)


def test_a_zip_of_other_hours_fails_all_of_its_hours(landing: Landing) -> None:
    deliver(landing, hours(2), (name_of(0), packed(EVENT)), ("../../etc/passwd", packed(EVENT)))
    results = unpack_landed(landing, hours(2))
    assert [type(result) for result in results.values()] == [ArchiveError, ArchiveError]
    assert {error.hours for error in results.values() if isinstance(error, ExportError)} == {
        one(HOUR),
        one(HOUR + AN_HOUR),
    }


def test_a_missing_hour_names_the_asset_to_materialise(landing: Landing) -> None:
    expected = "materialise raw_export_zip for 2026-09-01T05 first"
    with pytest.raises(LandingError, match=expected):
        landing.delivery_of(HOUR)
    result = unpack_landed(landing, one(HOUR))[HOUR]
    assert isinstance(result, LandingError)
    assert expected in str(result)


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b""),
    ],
    ids=["deleted", "truncated", "emptied"],
)
def test_a_truncated_zip_is_an_error(landing: Landing, damage: object) -> None:
    delivery = deliver(landing, one(HOUR), (name_of(0), packed(EVENT)))
    assert callable(damage)
    damage(delivery.path)
    result = unpack_landed(landing, one(HOUR))[HOUR]
    assert isinstance(result, LandingError)
    assert "materialise raw_export_zip for 2026-09-01T05 first" in str(result)


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b"\xff", b'{"project_id":"x"}'])
@pytest.mark.parametrize(
    ("name", "asset"),
    [("delivery.json", "raw_export_zip"), ("files.json", "hourly_json_files")],
)
def test_an_unreadable_record_is_an_error(
    landing: Landing, name: str, asset: str, text: bytes
) -> None:
    deliver(landing, one(HOUR), (name_of(0), packed(EVENT)))
    unpack_landed(landing, one(HOUR))
    (landing.hour_folder(HOUR) / name).write_bytes(text)
    with pytest.raises(LandingError, match=f"cannot be read; materialise {asset}"):
        (landing.delivery_of if asset == "raw_export_zip" else landing.files_of)(HOUR)


@pytest.mark.parametrize("which", ["files", "rejected_file"])
def test_a_truncated_file_of_an_hour_is_an_error(landing: Landing, which: str) -> None:
    deliver(landing, one(HOUR), (name_of(0), packed(EVENT, b"oops")))
    unpack_landed(landing, one(HOUR))
    files = landing.files_of(HOUR)
    file = files.files[0] if which == "files" else files.rejected_file
    assert file is not None
    path = landing.hour_folder(HOUR) / file.name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        LandingError, match="is missing or truncated; materialise hourly_json_files"
    ):
        landing.files_of(HOUR)


def test_a_retry_knows_what_its_run_has_downloaded(landing: Landing) -> None:
    deliver(landing, one(HOUR), (name_of(0), packed(EVENT)), attempt="run-1")
    deliver(landing, one(HOUR + AN_HOUR), attempt="run-1")
    assert [landing.has_delivery(hour, "run-1") for hour in hours(3)] == [True, True, False]
    assert not landing.has_delivery(HOUR, "run-2")
    name = landing.delivery_of(HOUR).zip
    assert name is not None
    (landing.zips / name).unlink()
    assert not landing.has_delivery(HOUR, "run-1")


def test_projects_have_separate_folders(landing: Landing, tmp_path: Path) -> None:
    deliver(landing, one(HOUR))
    with pytest.raises(LandingError):
        Landing(tmp_path / "landing", PROJECT + 1).delivery_of(HOUR)


def test_concurrent_processes_on_the_same_hours_do_not_conflict(landing: Landing) -> None:
    """Both unpack and record at the same time; each ends with complete hours and no leftovers."""
    requested = hours(6)
    members = [
        (name_of(n, hour), packed(EVENT, b'{"n":%d}' % n)) for hour in requested for n in range(3)
    ]
    delivery = deliver(landing, requested, *members)
    failures: list[object] = []

    def work() -> None:
        for _ in range(3):
            landing.record(delivery, "run")
            failures.extend(
                r for _, r in landing.unpack(requested, workers=2) if not isinstance(r, HourFiles)
            )

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(landing.files_of(hour).lines == 6 for hour in requested)
    assert not list(landing.zips.parent.rglob("*.part"))


def test_a_full_disk_stops_with_the_folder_and_the_setting(landing: Landing) -> None:
    noise = b'{"a":"' + os.urandom(200_000).hex().encode() + b'"}'
    deliver(landing, one(HOUR), (name_of(0), packed(EVENT)), attempt="run-1")
    before = unpack_landed(landing, one(HOUR))
    deliver(landing, one(HOUR), (name_of(0), packed(noise)), attempt="run-2")
    with room_for(50_000), pytest.raises(DiskError, match="set DATA_DIR") as stopped:
        unpack_landed(landing, one(HOUR))
    assert str(landing.hour_folder(HOUR)) in str(stopped.value)
    assert landing.files_of(HOUR) == before[HOUR]
    assert not list(landing.zips.parent.rglob("*.part"))


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file where the folder should be")
    landing = Landing(tmp_path / "landing", PROJECT)
    with pytest.raises(DiskError, match=r"cannot write in .*hours/2026-09-01T05.*DATA_DIR"):
        landing.record(Delivery(one(HOUR), None, 0, None, FETCHED_AT, 1), "run")
