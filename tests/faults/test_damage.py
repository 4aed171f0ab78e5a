"""Damaged lake files: verification reports them, downloading the hour again repairs the lake."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, World, WorldSettings, serve
from amplitude_assets.hours import HourRange, format_hour
from amplitude_assets.lake.layout import events_prefix, manifest_key
from amplitude_assets.lake.store import Lake
from amplitude_assets.lake.verification import verify_hours
from tests.faults.place import BAD, FIRST, HOURS, LAST, Place

Damage = Callable[[Path], None]


def flip_bit(path: Path) -> None:
    """Flip one bit in the middle of a file; its size does not change."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate_file(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty_file(path: Path) -> None:
    os.truncate(path, 0)


def copy_other_hour(path: Path) -> None:
    shutil.copy(path.with_name(f"{FIRST:%H}.json"), path)


def object_path(place: Place, hour: datetime) -> Path:
    folder = place.folder / "lake" / events_prefix(place.project_id, hour)
    return min(folder.iterdir())


def manifest_path(place: Place, hour: datetime) -> Path:
    return place.folder / "lake" / manifest_key(place.project_id, hour)


def interrupt_copy(place: Place) -> None:
    """Reduce the lake to an interrupted copy: half of the files, the last of them truncated."""
    files = sorted(path for path in (place.folder / "lake").rglob("*") if path.is_file())
    for path in files[len(files) // 2 :]:
        path.unlink()
    truncate_file(files[len(files) // 2 - 1])


def each_hour(
    *damages: tuple[Callable[[Place, datetime], Path], Damage],
) -> Callable[[Place], None]:
    """Return a function that applies the n-th damage to the n-th hour."""

    def damage(place: Place) -> None:
        for hour, (path_of, apply) in zip(HOURS, damages, strict=True):
            apply(path_of(place, hour))

    return damage


DAMAGES = {
    "objects": each_hour(
        (object_path, flip_bit), (object_path, truncate_file), (object_path, empty_file)
    ),
    "manifests": each_hour(
        (manifest_path, truncate_file), (manifest_path, empty_file), (manifest_path, flip_bit)
    ),
    "deleted": each_hour(
        (object_path, Path.unlink), (manifest_path, Path.unlink), (manifest_path, copy_other_hour)
    ),
    "half_copied": interrupt_copy,
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def intact(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place whose hours are loaded."""
    place = Place(tmp_path_factory.mktemp("whole") / "place", emulator.base_url)
    assert place.run().succeeded
    return place


@pytest.fixture
def place(intact: Place, tmp_path: Path) -> Place:
    """Return a copy of `intact` that a test may damage."""
    return Place(Path(shutil.copytree(intact.folder, tmp_path / "place")), intact.server)


def lake_contents(place: Place) -> dict[str, object]:
    """Return the bytes of every object and manifest, without the fetch times."""
    lake = place.folder / "lake"
    files = {path.relative_to(lake).as_posix(): path for path in lake.rglob("*") if path.is_file()}
    return {
        key: re.sub(b'"(fetched_at|first_seen_at)": ".*"', b"", path.read_bytes())
        for key, path in files.items()
    }


def damaged_hours(place: Place) -> set[datetime]:
    """Return the hours in which the verification finds a problem."""
    lake = Lake(place.settings.resolved_lake_url)
    found = verify_hours(lake, place.project_id, HOURS, expected=HOURS)
    return {verified.hour for verified in found if verified.problems}


@pytest.mark.parametrize(
    ("damage", "bronze"),
    [
        ("objects", "kept"),
        ("objects", "lost"),
        ("manifests", "kept"),
        ("deleted", "lost"),
        ("half_copied", "kept"),
    ],
)
def test_downloading_a_damaged_hour_again_repairs_the_lake(
    damage: str, bronze: str, place: Place, intact: Place
) -> None:
    DAMAGES[damage](place)
    assert lake_contents(place) != lake_contents(intact)
    assert damaged_hours(place) == set(HOURS)
    if bronze == "lost":
        place.settings.resolved_duckdb_path.unlink()
    assert place.run().succeeded
    assert lake_contents(place) == lake_contents(intact)
    assert damaged_hours(place) == set()
    assert place.bronze() == intact.bronze()


def test_damage_is_reported_with_the_hour_and_the_repair_command(place: Place) -> None:
    flip_bit(object_path(place, BAD))
    truncate_file(manifest_path(place, FIRST))
    place.settings.resolved_duckdb_path.unlink()
    outcome = place.load_from_lake_only()
    assert outcome.loaded == {LAST}
    message = " ".join(outcome.reasons)
    for hour in (FIRST, BAD):
        repair_command = f"amplitude-assets run --from {format_hour(hour)} --to {format_hour(hour)}"
        assert f"{format_hour(hour)}: " in message
        assert f"download the hour again: {repair_command}" in message


def test_the_nightly_verification_reloads_damaged_hours_and_verifies_them_again(
    place: Place,
) -> None:
    place.settings.lake_verify_days = 1
    flip_bit(object_path(place, BAD))
    found = place.run_verification()
    assert not found.passed
    assert f"run --from {format_hour(BAD)} --to {format_hour(BAD)}" in (found.description or "")
    assert place.lost_hours() == {BAD}  # the sensor `new_hours` requests it
    assert place.run(HourRange(BAD, BAD)).succeeded
    place.settings.lake_verify_days = 3660  # no other hour is due tonight
    second = place.run_verification()
    assert second.passed
    assert second.metadata["hours_read"].value == 1
    assert place.lost_hours() == set()


def test_files_are_synced_before_they_get_their_final_names(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Record the fsync and rename calls of a run, and pass them on."""
    synced: set[tuple[int, int]] = set()
    named: list[Path] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(number: int) -> None:
        fsync(number)
        status = os.fstat(number)
        synced.add((status.st_dev, status.st_ino))

    def watched_replace(source: Path, target: Path) -> None:
        path = Path(target)
        if "lake" in path.parts or path.name.endswith((".json.gz", ".zip")):
            assert is_synced(Path(source)), f"{path} has its name before its bytes are safe"
            named.append(path)
        if "manifests" in path.parts:
            objects = (
                place.folder / "lake/events" / path.relative_to(path.parents[2]).with_suffix("")
            )
            assert is_synced(objects), f"{path} names objects whose names are not safe"
            assert is_synced(objects.parent)
        replace(source, target)
        if path.parent.parts:
            synced.discard(identity(path.parent))

    def identity(path: Path) -> tuple[int, int]:
        return (path.stat().st_dev, path.stat().st_ino)

    def is_synced(path: Path) -> bool:
        return identity(path) in synced

    place = Place(tmp_path / "place", emulator.base_url)
    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    assert place.run().succeeded
    kinds = {path.relative_to(place.folder).parts[:2] for path in named}
    assert len(named) >= 4 * len(HOURS)
    assert {("lake", "events"), ("lake", "manifests")} < kinds
    assert is_synced(manifest_path(place, BAD).parent)
