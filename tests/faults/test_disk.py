"""A full disk or a read-only folder stops a run with a message; loaded hours stay intact."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import ResourceDefinition

from amplitude_assets.emulator import Emulator, World, WorldSettings, serve
from amplitude_assets.hours import HOUR, HourRange
from amplitude_assets.lake.store import Lake
from amplitude_assets.runs.in_process import MainRunOutcome
from tests.faults.child import start
from tests.faults.mounts import enter_mount_namespace, fill, make_read_only, mount_disk
from tests.faults.place import FIRST, HOURS, Place

MORE = HourRange(FIRST, FIRST + 5 * HOUR)
# The folder, and the setting or part that the message must name.
FOLDERS = {"landing": "DATA_DIR", "lake": "lake", "warehouse": "DUCKDB_PATH"}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=300))) as emulator:
        yield emulator


def run_with_full_disk(place: Place, folder: str, report: Path) -> None:
    """Load hours, fill the disk, load more, free the space and load again; write a report."""
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
    """Load hours, make the folder read-only, load more; write a report."""
    assert place.run(HOURS).succeeded
    before = place.bronze()
    make_read_only(place.folder / folder)
    refused = place.run(MORE)
    write(report, refused, before == place.bronze(), True)


def in_mount_namespace(work: Callable[..., None], place: Place, folder: str, report: Path) -> None:
    try:
        enter_mount_namespace()
    except OSError as error:
        report.write_text(json.dumps({"unsupported": str(error)}))
        return
    work(place, folder, report)


def write(report: Path, refused: MainRunOutcome, is_intact: bool, recovered: bool) -> None:
    report.write_text(
        json.dumps(
            {
                "missing": [str(gap) for gap in refused.missing],
                "reasons": "\n".join(refused.reasons),
                "is_intact": is_intact,
                "recovered": recovered,
            }
        )
    )


def test_a_resource_that_cannot_start_is_reported_with_its_cause(
    emulator: Emulator, tmp_path: Path
) -> None:
    outcome = Place(tmp_path, emulator.base_url).run(
        lake=ResourceDefinition(lambda _: Lake("file:///dev/null/lake"))
    )
    assert outcome.missing == [HOURS]
    (reason,) = outcome.reasons
    assert reason.startswith("the run failed: ")
    assert "/dev/null/lake" in reason
    assert "LakeError" not in reason


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("work", [run_with_full_disk, run_read_only])
def test_a_full_disk_stops_the_run_with_a_message_and_damages_nothing(
    work: Callable[..., None], folder: str, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path / "data", emulator.base_url, warehouse_folder="warehouse")
    report = tmp_path / "report.json"
    process = start(in_mount_namespace, work, place, folder, report)
    process.join()
    result = json.loads(report.read_text())
    if "unsupported" in result:
        pytest.skip(result["unsupported"])
    assert (result["is_intact"], result["recovered"]) == (True, True)
    assert result["missing"] == [str(HourRange(HOURS.last + HOUR, MORE.last))] or (
        result["missing"] == [str(MORE)]
    )
    assert FOLDERS[folder] in result["reasons"]
    assert "Traceback" not in result["reasons"]
    assert process.exitcode == 0
