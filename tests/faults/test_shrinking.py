"""A response with fewer events, or an older one, deletes no loaded events."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, Fault, FaultKind, World, WorldSettings, serve
from amplitude_assets.lake.store import Lake
from tests.faults.child import run_frozen_at, start
from tests.faults.place import BAD, FIRST, HOURS, LAST, Place


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60))) as emulator:
        yield emulator


@pytest.fixture
def emulator(server: Emulator) -> Iterator[Emulator]:
    yield server
    server.clear_faults()


@pytest.fixture(scope="module")
def smaller() -> Iterator[Emulator]:
    """Serve the same project with about half of the events in each hour."""
    with serve(World(WorldSettings(events_per_hour=30))) as emulator:
        yield emulator


def with_server(place: Place, server: Emulator) -> Place:
    """Return a place with the same folder and hours from another server."""
    return Place(place.folder, server.base_url, privacy=place.privacy)


@pytest.mark.parametrize("answer", ["404", "half"])
@pytest.mark.parametrize("privacy", [{}, {"privacy_drop": ("ip_address",)}], ids=["", "masked"])
def test_a_smaller_response_deletes_nothing_until_it_is_accepted(
    emulator: Emulator,
    smaller: Emulator,
    tmp_path: Path,
    answer: str,
    privacy: dict[str, object],
) -> None:
    place = Place(tmp_path, emulator.base_url, privacy=privacy)
    assert place.run().succeeded
    loaded = place.bronze()
    objects = set(Lake(place.settings.resolved_lake_url).list_keys("events/"))
    if answer == "half":
        place = with_server(place, smaller)
    else:
        emulator.add_fault(Fault(FaultKind.HOUR_NOT_FOUND, (FIRST, LAST)))

    assert place.run().succeeded
    assert place.bronze() == loaded
    assert objects <= set(Lake(place.settings.resolved_lake_url).list_keys("events/"))
    count_and_minimum = "select count(*), min(events_in_question) from bronze.export_hours"
    ((hours, fewest),) = place.query(f"{count_and_minimum} where events_in_question > 0")
    assert hours == len(HOURS)
    assert fewest > 0

    assert place.run(accept_fewer=True).succeeded
    after = place.bronze()
    assert all(len(after[hour]["raw_events"]) < len(loaded[hour]["raw_events"]) for hour in HOURS)
    assert place.query(f"{count_and_minimum} where events_in_question > 0")[0][0] == 0


def test_a_complete_response_clears_an_hour_in_question(emulator: Emulator, tmp_path: Path) -> None:
    place = Place(tmp_path, emulator.base_url)
    assert place.run().succeeded
    loaded = place.bronze()
    in_question = "select export_hour from bronze.export_hours where events_in_question > 0"
    emulator.add_fault(Fault(FaultKind.HOUR_NOT_FOUND, (BAD, BAD)))
    assert place.run().succeeded
    assert place.query(in_question) == [(BAD.replace(tzinfo=None),)]
    emulator.clear_faults()
    assert place.run().succeeded
    assert place.query(in_question) == []
    assert place.bronze() == loaded


@pytest.mark.parametrize(
    ("where", "what", "superseded"),
    [
        ("amplitude_assets.export.landing:Landing", "write_hour", 3),
        # The other run has replaced the unpacked files of the two hours not published yet.
        ("amplitude_assets.lake.store:Lake", "write_manifest", 1),
        ("amplitude_assets.warehouse.duckdb.warehouse:DuckDBWarehouse", "load", 3),
    ],
    ids=["unpacking", "publishing", "loading"],
)
def test_a_paused_run_does_not_overwrite_a_newer_delivery(
    emulator: Emulator, smaller: Emulator, tmp_path: Path, where: str, what: str, superseded: int
) -> None:
    place, report = Place(tmp_path / "data", emulator.base_url), tmp_path / "report.txt"
    frozen = start(run_frozen_at, place, where, what, report)
    wait_until_stopped(frozen.pid)
    # The newer delivery has fewer events, so the event count does not protect it.
    newer = with_server(place, smaller)
    assert newer.run(accept_fewer=True).succeeded
    loaded = newer.bronze()
    os.kill(frozen.pid or 0, signal.SIGCONT)
    frozen.join()
    assert report.read_text() == f"True, {superseded} superseded"
    assert place.bronze() == loaded


def wait_until_stopped(pid: int | None) -> None:
    while "\nState:\tT" not in Path(f"/proc/{pid}/status").read_text():
        time.sleep(0.05)
