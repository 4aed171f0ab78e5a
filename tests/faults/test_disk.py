"""A full disk or a read-only folder: a message, what was there is intact, and then all goes on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import ResourceDefinition

from amplitude_assets.emulator import Emulator, World, WorldSettings, serve
from amplitude_assets.hours import HOUR, HourRange
from amplitude_assets.lake.store import Lake
from amplitude_assets.main_run import MainRunOutcome
from tests.faults.child import start
from tests.faults.mounts import fill, have_own_mounts, make_read_only, mount_disk
from tests.faults.place import FIRST, HOURS, Place

MORE = HourRange(FIRST, FIRST + 5 * HOUR)
# The folder, and what the message has to name.
FOLDERS = {"landing": "DATA_DIR", "lake": "lake", "warehouse": "DUCKDB_PATH"}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=300))) as emulator:
        yield emulator


def run_out_of_room(place: Place, folder: str, report: Path) -> None:
    """Load some hours, fill the disk, load more, make room again; report what came of it."""
    disk = place.folder / folder
    mount_disk(disk, 16 * 1024)
    assert place.run(HOURS).succeeded
    before = place.bronze()
    ballast = fill(disk)
    refused = place.run(MORE)
    after = place.bronze()
    ballast.unlink()
    again = place.run(MORE)
    write(report, refused, before == {hour: after[hour] for hour in before}, again.succeeded)


def run_read_only(place: Place, folder: str, report: Path) -> None:
    """Load some hours, make the folder read-only, load more; report what came of it."""
    assert place.run(HOURS).succeeded
    before = place.bronze()
    make_read_only(place.folder / folder)
    refused = place.run(MORE)
    write(report, refused, before == place.bronze(), True)


def in_own_mounts(work: Callable[..., None], place: Place, folder: str, report: Path) -> None:
    try:
        have_own_mounts()
    except OSError as error:
        report.write_text(json.dumps({"unsupported": str(error)}))
        return
    work(place, folder, report)


def write(report: Path, refused: MainRunOutcome, is_intact: bool, went_on: bool) -> None:
    report.write_text(
        json.dumps(
            {
                "missing": [str(gap) for gap in refused.missing],
                "said": "\n".join(refused.reasons),
                "is_intact": is_intact,
                "went_on": went_on,
            }
        )
    )


def test_a_part_that_cannot_start_is_told_with_its_cause(
    emulator: Emulator, tmp_path: Path
) -> None:
    outcome = Place(tmp_path, emulator.base_url).run(
        lake=ResourceDefinition(lambda _: Lake("file:///dev/null/lake"))
    )
    assert outcome.missing == [HOURS]
    (said,) = outcome.reasons
    assert said.startswith("the run failed: ")
    assert "/dev/null/lake" in said
    assert "LakeError" not in said


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("work", [run_out_of_room, run_read_only])
def test_no_room_stops_the_run_with_a_message_and_harms_nothing(
    work: Callable[..., None], folder: str, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path / "data", emulator.base_url, warehouse_folder="warehouse")
    report = tmp_path / "report.json"
    process = start(in_own_mounts, work, place, folder, report)
    process.join()
    came = json.loads(report.read_text())
    if "unsupported" in came:
        pytest.skip(came["unsupported"])
    assert (came["is_intact"], came["went_on"]) == (True, True)
    assert came["missing"] == [str(HourRange(HOURS.last + HOUR, MORE.last))] or (
        came["missing"] == [str(MORE)]
    )
    assert FOLDERS[folder] in came["said"]
    assert "Traceback" not in came["said"]
    assert process.exitcode == 0
