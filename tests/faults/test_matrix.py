"""Every fault of the server: what happens at once, and that one more run makes all good."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, Fault, World, WorldSettings, serve
from amplitude_assets.emulator.faults import FaultKind
from amplitude_assets.export.receiving import Timeouts
from amplitude_assets.hours import HourRange
from tests.faults.cases import CASES, Case, Then
from tests.faults.place import BAD, FIRST, HOURS, LAST, Place, Rows, Tables

Hour = dict[str, Rows]

WORLD = World(WorldSettings(events_per_hour=60))
MISSING = {
    Then.STOPS: [HOURS],
    Then.RANGE_FAILS: [HOURS],
    Then.HOUR_FAILS: [HourRange(BAD, BAD)],
    Then.HOUR_IS_REFUSED: [HourRange(BAD, BAD)],
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(WORLD) as emulator:
        yield emulator


@pytest.fixture
def server(emulator: Emulator) -> Iterator[Emulator]:
    emulator.clear_faults()
    emulator.requests.clear()
    yield emulator
    emulator.clear_faults()


@pytest.fixture(scope="module")
def clean(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Bronze of a place whose server was always well: it holds what the server does."""
    place = Place(tmp_path_factory.mktemp("clean"), emulator.base_url)
    assert place.run().succeeded
    tables = place.bronze()
    assert {hour: lines(tables[hour]) for hour in HOURS} == {
        hour: Counter(line.decode() for line in WORLD.lines(hour)) for hour in HOURS
    }
    assert all(lines(tables[hour]) for hour in HOURS)
    return tables


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_is_met_and_one_run_after_it_all_is_well(
    case: Case, server: Emulator, clean: Tables, tmp_path: Path
) -> None:
    place = Place(tmp_path, server.base_url)
    fault = Fault(case.kind, (BAD, BAD), times=case.times, **case.rule)
    server.add_fault(fault)

    outcome = place.run(**case_overrides(case, place))

    assert outcome.missing == MISSING.get(case.then, [])
    assert outcome.succeeded == (not outcome.missing)
    if outcome.missing:
        assert re.search(case.says, " ".join(outcome.reasons))
    tables = place.bronze()
    assert set(tables) == outcome.loaded
    assert all(tables[hour] == clean[hour] for hour in (FIRST, LAST) if hour in tables)
    check_requests(case, Counter((r.start, r.end) for r in server.requests), len(place.waits))
    if BAD in tables:
        check_bad_hour(case, fault, tables[BAD], clean[BAD])

    server.clear_faults()
    assert place.run().succeeded
    assert place.bronze() == clean


def case_overrides(case: Case, place: Place) -> dict[str, object]:
    """A client of little patience, where that is what the case is about."""
    if case.kind is not FaultKind.SLOW_DRIP:
        return {}
    return {"export_client": place.client(Timeouts(read=3, least_bytes_per_second=1_000_000))}


def check_requests(case: Case, asked: Counter[tuple[str, str]], waits: int) -> None:
    """Whether the range was asked for again, after so many waits, and whether in parts."""
    whole, hour = asked["20260907T09", "20260907T11"], asked["20260907T10", "20260907T10"]
    in_parts = asked.total() > whole
    if case.then is Then.ASKED_AGAIN:
        assert waits >= (case.times or 0) > 0
        assert not in_parts
    elif case.then is Then.HALVED:
        assert (whole, in_parts) == (1, True)
    elif case.then is Then.HOUR_FAILS:
        assert whole >= 1
        assert hour >= 1
    elif case.then is Then.RANGE_FAILS:
        assert (whole >= 5, in_parts) == (True, False)
    else:
        assert asked.total() == 1


def check_bad_hour(case: Case, fault: Fault, held: Hour, well: Hour) -> None:
    """What is in bronze of the hour that the fault was about."""
    extra = [line.decode("utf-8", "backslashreplace") for line in fault.extra_lines(BAD)]
    if case.then is Then.SET_ASIDE:
        assert [row[5] for row in by_line(held["rejected_lines"])] == extra
        assert all(re.search(case.says, row[4]) for row in held["rejected_lines"])
        assert lines(held) == lines(well)
        assert [row[5:7] for row in held["export_hours"]] == [
            (len(well["raw_events"]) + len(extra), len(extra))
        ]
    elif case.then is Then.KEPT:
        assert lines(held) == lines(well) + Counter(extra)
    elif case.then is Then.EMPTY:
        assert held["raw_events"] == []
        assert [row[2] for row in held["export_hours"]] == ["empty"]
    else:
        assert held == well


def by_line(rejected: Rows) -> Rows:
    return sorted(rejected, key=lambda row: row[3])


def lines(hour: Hour) -> Counter[str]:
    return Counter(row[4] for row in hour["raw_events"])


def test_every_kind_of_fault_is_in_the_table() -> None:
    assert {case.kind for case in CASES} == set(FaultKind)


def test_the_limits_of_an_archive_are_the_settings(server: Emulator, tmp_path: Path) -> None:
    place = Place(tmp_path, server.base_url)
    place.settings.archive_max_file_bytes = 1000
    outcome = place.run()
    assert outcome.missing == [HOURS]
    assert "limit" in " ".join(outcome.reasons)

    place.settings.archive_max_file_bytes = 10_000_000
    assert place.run().succeeded
