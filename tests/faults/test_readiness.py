"""404 is a question: 'not yet' before an hour is ready, `empty` after, and asked again later."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, Fault, FaultKind, World, WorldSettings, serve
from amplitude_assets.hours import HOUR, HourRange
from tests.faults.place import BAD, FIRST, HOURS, LAST, Place

READY = LAST + 3 * HOUR  # two full hours after the last hour's end


class Clock:
    """Tells the time that a test sets, to the server and to the pipeline."""

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


def test_an_hour_is_not_asked_for_before_it_is_ready(
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


def test_an_hour_that_was_empty_is_corrected_when_it_is_asked_for_again(
    clock: Clock, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    emulator.add_fault(Fault(FaultKind.HOUR_NOT_FOUND, (FIRST, LAST)))
    assert place.run(clock=clock).succeeded
    assert [request.status for request in emulator.requests] == [404]
    assert [place.bronze()[hour]["export_hours"][0][2] for hour in HOURS] == ["empty"] * 3

    emulator.clear_faults()
    assert place.run(HourRange(BAD, BAD), clock=clock).succeeded
    held = place.bronze()
    assert [held[hour]["export_hours"][0][2] for hour in HOURS] == ["empty", "loaded", "empty"]
    assert held[BAD]["raw_events"]


def test_an_hour_that_loses_its_events_is_replaced_and_an_unchanged_one_left_alone(
    clock: Clock, emulator: Emulator, tmp_path: Path
) -> None:
    place = Place(tmp_path, emulator.base_url)
    assert place.run(clock=clock).succeeded
    loads = dict(place.query("select export_hour, load_id from bronze.export_hours"))
    emulator.add_fault(Fault(FaultKind.HOUR_NOT_FOUND, (BAD, BAD)))
    assert place.run(clock=clock).succeeded
    again = dict(place.query("select export_hour, load_id from bronze.export_hours"))
    changed = {hour for hour in loads if loads[hour] != again[hour]}
    assert changed == {BAD.replace(tzinfo=None)}
    assert place.bronze()[BAD]["raw_events"] == []


def test_a_server_that_is_down_leaves_finished_hours_and_names_the_rest(
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
