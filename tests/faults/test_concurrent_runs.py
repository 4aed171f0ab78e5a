"""Concurrent runs give the result of sequential ones, without deadlock and within the limits."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, Fault, FaultKind, World, WorldSettings, serve
from amplitude_assets.hours import HOUR, HourRange
from tests.faults.child import download_and_report, open_dagster, run_and_report, start
from tests.faults.place import FIRST, Place

DAY = HourRange(FIRST, FIRST + 11 * HOUR)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


def run_concurrently(place: Place, *parts: HourRange) -> list[str]:
    """Run each range in a process, concurrently; return the report of each."""
    reports = [place.folder.with_name(f"{place.folder.name}-{n}.txt") for n in range(len(parts))]
    runs = [
        start(run_and_report, place, part, False, report)
        for part, report in zip(parts, reports, strict=True)
    ]
    for run in runs:
        run.join()
    return [report.read_text() for report in reports]


def test_concurrent_runs_give_the_result_of_sequential_ones(
    emulator: Emulator, tmp_path: Path
) -> None:
    alone = Place(tmp_path / "alone", emulator.base_url)
    assert alone.run(DAY).succeeded
    place = Place(tmp_path / "together", emulator.base_url)
    early, late = (
        HourRange(DAY.first, DAY.last - 4 * HOUR),
        HourRange(DAY.first + 4 * HOUR, DAY.last),
    )
    assert run_concurrently(place, early, late, DAY) == ["succeeded"] * 3
    assert place.bronze() == alone.bronze()
    assert set(place.bronze()) == set(DAY)


def test_concurrent_first_runs_create_the_dagster_instance_once(
    emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    processes = [start(open_dagster, place) for _ in range(4)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4


@pytest.mark.parametrize("limit", [1, 3])
def test_concurrent_requests_do_not_exceed_the_setting(limit: int, tmp_path: Path) -> None:
    # Slow responses, so that requests overlap unless the limit prevents it.
    drip = Fault(FaultKind.SLOW_DRIP, pause_seconds=0.005)
    with serve(World(WorldSettings(events_per_hour=20)), faults=[drip]) as emulator:
        place = Place(tmp_path, emulator.base_url, max_concurrent=limit, request_hours=1)
        assert place.run(DAY).succeeded
        assert len(emulator.requests) == len(DAY)
        assert min(limit, 2) <= emulator.max_concurrent <= limit


def test_threads_share_one_clients_request_limit(tmp_path: Path) -> None:
    drip = Fault(FaultKind.SLOW_DRIP, pause_seconds=0.005)
    with serve(World(WorldSettings(events_per_hour=20)), faults=[drip]) as emulator:
        client = Place(tmp_path, emulator.base_url, max_concurrent=2).client()
        threads = [
            threading.Thread(target=client.fetch, args=(HourRange(hour, hour), tmp_path))
            for hour in DAY
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(emulator.requests) == len(DAY)
        assert emulator.max_concurrent == 2


def test_concurrent_runs_share_one_request_limit(tmp_path: Path) -> None:
    """Three processes share a Dagster instance, whose pool lets one of them request at a time."""
    drip = Fault(FaultKind.SLOW_DRIP, pause_seconds=0.005)
    with serve(World(WorldSettings(events_per_hour=20)), faults=[drip]) as emulator:
        place = Place(
            tmp_path / "data",
            emulator.base_url,
            max_concurrent=2,
            request_hours=1,
            shares_dagster=True,
        )
        parts = [HourRange(FIRST + n * HOUR, FIRST + (n + 2) * HOUR) for n in (0, 3, 6)]
        reports = [tmp_path / f"{n}.txt" for n in range(len(parts))]
        runs = [
            start(download_and_report, place, part, report)
            for part, report in zip(parts, reports, strict=True)
        ]
        for run in runs:
            run.join()
        assert [report.read_text() for report in reports] == ["complete"] * 3
        assert len(emulator.requests) == 9
        assert emulator.max_concurrent == 2
