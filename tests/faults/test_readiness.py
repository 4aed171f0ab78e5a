"""A 404 means that an hour is not ready or `empty`, and a later request corrects it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, Fault, FaultKind, World, WorldSettings, serve
from amplitude_assets.hours import HOUR, HourRange
from tests.faults.place import BAD, FIRST, HOURS, LAST, Place

READY = LAST + 3 * HOUR  # two full hours after the last hour's end


class Clock:
    """Return the time that a test sets; the server and the pipeline use it."""

    def __init__(self) -> None:
        self.now = READY

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulator(clock: Clock) -> Iterator[Emulator]:
    with serve(World(WorldSettings(events_per_hour=60)), clock=clock) as emulator:
        yield emulator


def test_an_hour_is_not_requested_before_it_is_ready(
    clock: Clock, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    clock.now = READY - timedelta(seconds=1)
    outcome = place.run(clock=clock)
    assert outcome.missing == [HourRange(LAST, LAST)]
    assert "not exportable before it has been over for 2 full hours" in outcome.reasons[0]
    assert [request.end for request in emulator.requests] == ["20260907T10"]
    assert set(place.bronze()) == {FIRST, BAD}

    clock.now = READY
    assert place.run(clock=clock).succeeded
    assert [place.bronze()[hour]["export_hours"][0][2] for hour in HOURS] == ["loaded"] * 3


def test_a_clock_that_is_ahead_records_no_hour_as_empty(
    clock: Clock, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    clock.now = READY - timedelta(
        seconds=1
    )  # the server's clock; the pipeline's is one second ahead
    outcome = place.run(clock=lambda: READY)
    assert outcome.missing == [HourRange(LAST, LAST)]
    assert "the clock of this machine is" in outcome.reasons[0]
    assert "2026-09-07 13:59:59 there" in outcome.reasons[0]
    assert set(place.bronze()) == {FIRST, BAD}

    clock.now = READY
    assert place.run(clock=clock).succeeded
    assert [place.bronze()[hour]["export_hours"][0][2] for hour in HOURS] == ["loaded"] * 3


def test_the_next_request_corrects_an_empty_hour(
    clock: Clock, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    emulator.add_fault(Fault(FaultKind.HOUR_NOT_FOUND, (FIRST, LAST)))
    assert place.run(clock=clock).succeeded
    assert [request.status for request in emulator.requests] == [404]
    assert [place.bronze()[hour]["export_hours"][0][2] for hour in HOURS] == ["empty"] * 3

    emulator.clear_faults()
    assert place.run(HourRange(BAD, BAD), clock=clock).succeeded
    tables = place.bronze()
    assert [tables[hour]["export_hours"][0][2] for hour in HOURS] == ["empty", "loaded", "empty"]
    assert tables[BAD]["raw_events"]


def test_accepting_fewer_events_replaces_only_the_changed_hour(
    clock: Clock, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    assert place.run(clock=clock).succeeded
    loads = dict(place.query("select export_hour, load_id from bronze.export_hours"))
    emulator.add_fault(Fault(FaultKind.HOUR_NOT_FOUND, (BAD, BAD)))
    assert place.run(clock=clock, accept_fewer=True).succeeded
    again = dict(place.query("select export_hour, load_id from bronze.export_hours"))
    changed = {hour for hour in loads if loads[hour] != again[hour]}
    assert changed == {BAD.replace(tzinfo=None)}
    assert place.bronze()[BAD]["raw_events"] == []


def test_an_unreachable_server_keeps_loaded_hours_and_names_the_others(
    clock: Clock, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    assert place.run(HourRange(FIRST, BAD), clock=clock).succeeded
    before = place.bronze()
    down = Place(tmp_path, "http://127.0.0.1:9")
    outcome = down.run(clock=clock)
    assert outcome.missing == [HOURS]
    assert not outcome.succeeded
    assert "cannot connect to 127.0.0.1:9" in outcome.reasons[0]
    assert place.bronze() == before


def test_keys_of_another_project_are_refused_and_load_nothing(
    clock: Clock, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url, project_id=424242)
    outcome = place.run(clock=clock)
    assert outcome.missing == [HOURS]
    assert "AMPLITUDE_PROJECT_ID is 424242" in outcome.reasons[0]
    assert place.bronze() == {}
