"""A run whose landing area is deleted, and two data folders that share one lake."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, World, WorldSettings, serve
from amplitude_assets.progress import Progress
from tests.faults.child import run_and_report, start
from tests.faults.place import HOURS, Place, Tables


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def clean(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    place = Place(tmp_path_factory.mktemp("clean"), emulator.base_url)
    assert place.run().succeeded
    return place.bronze()


@pytest.mark.parametrize("step", ["raw_export_zip", "hourly_json_files"])
def test_deleting_the_landing_area_during_a_run_loses_no_data(
    step: str, emulator: Emulator, clean: Tables, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)

    def delete(progress: Progress) -> None:
        if progress.step == step and progress.done == progress.total:
            shutil.rmtree(tmp_path / "landing")

    outcome = place.run(progress=delete)
    assert outcome.missing == [HOURS]
    assert all(f"materialise {step}" in reason for reason in outcome.reasons), outcome.reasons
    assert place.bronze() == {}
    assert place.run().succeeded
    assert place.bronze() == clean


def test_two_data_folders_share_one_lake(emulator: Emulator, clean: Tables, tmp_path: Path) -> None:
    lake: dict[str, object] = {"lake_url": (tmp_path / "lake").as_uri()}
    places = [Place(tmp_path / name, emulator.base_url, privacy=lake) for name in ("a", "b")]
    reports = [tmp_path / f"{place.folder.name}.txt" for place in places]
    runs = [
        start(run_and_report, place, HOURS, False, report)
        for place, report in zip(places, reports, strict=True)
    ]
    for run in runs:
        run.join()
    assert [report.read_text() for report in reports] == ["succeeded"] * 2
    assert [place.bronze() for place in places] == [clean] * 2
