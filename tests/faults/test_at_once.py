"""Several runs at once: the same end, no lost row, no deadlock, and limits kept across them all."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, Fault, FaultKind, World, WorldSettings, serve
from amplitude_assets.hours import HOUR, HourRange
from tests.faults.child import ask_and_report, open_dagster, run_and_report, start
from tests.faults.place import FIRST, Place

DAY = HourRange(FIRST, FIRST + 11 * HOUR)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


def at_once(place: Place, *parts: HourRange) -> list[str]:
    """Run these hours in processes of their own at once; return what came of each."""
    reports = [place.folder.with_name(f"{place.folder.name}-{n}.txt") for n in range(len(parts))]
    runs = [
        start(run_and_report, place, part, False, report)
        for part, report in zip(parts, reports, strict=True)
    ]
    for run in runs:
        run.join()
    return [report.read_text() for report in reports]


def test_runs_at_once_over_the_same_and_other_hours_end_as_one_after_the_other(
    emulator: Emulator, tmp_path: Path
) -> None:
    alone = Place(tmp_path / "alone", emulator.base_url)
    assert alone.run(DAY).succeeded
    place = Place(tmp_path / "together", emulator.base_url)
    early, late = (
        HourRange(DAY.first, DAY.last - 4 * HOUR),
        HourRange(DAY.first + 4 * HOUR, DAY.last),
    )
    assert at_once(place, early, late, DAY) == ["succeeded"] * 3
    assert place.bronze() == alone.bronze()
    assert set(place.bronze()) == set(DAY)


def test_first_runs_at_once_make_dagsters_state_once(emulator: Emulator, tmp_path: Path) -> None:
    place = Place(tmp_path, emulator.base_url)
    firsts = [start(open_dagster, place) for _ in range(4)]
    for first in firsts:
        first.join()
    assert [first.exitcode for first in firsts] == [0] * 4


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_requests_are_under_way_than_the_setting_says(limit: int, tmp_path: Path) -> None:
    # Each answer takes a while, so that requests would overlap if they could.
    drip = Fault(FaultKind.SLOW_DRIP, pause_seconds=0.005)
    with serve(World(WorldSettings(events_per_hour=20)), faults=[drip]) as emulator:
        place = Place(tmp_path, emulator.base_url, max_concurrent=limit, request_hours=1)
        assert place.run(DAY).succeeded
        assert len(emulator.requests) == len(DAY)
        assert min(limit, 2) <= emulator.max_concurrent <= limit


def test_the_clients_of_one_run_share_its_limit_across_threads(tmp_path: Path) -> None:
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


def test_runs_at_once_keep_to_the_requests_of_one(tmp_path: Path) -> None:
    """Runs of three processes that share Dagster's state: one of them asks at a time."""
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
            start(ask_and_report, place, part, report)
            for part, report in zip(parts, reports, strict=True)
        ]
        for run in runs:
            run.join()
        assert [report.read_text() for report in reports] == ["all came"] * 3
        assert len(emulator.requests) == 9
        assert emulator.max_concurrent == 2
