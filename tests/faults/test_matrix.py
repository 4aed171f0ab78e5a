"""Every server fault has its documented outcome, and the next run recovers from it.

A run costs seconds however few hours it has, so one run loads the hours of many cases: each case
has three hours of its own, requested together, with its fault in the middle one.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from amplitude_assets.emulator import Emulator, Fault, World, WorldSettings, serve
from amplitude_assets.emulator.faults.rules import FaultKind
from amplitude_assets.export.api.download import Timeouts
from amplitude_assets.hours import HOUR, HourRange
from tests.faults.cases import CASES, Case, Then
from tests.faults.place import FIRST, HOURS, Place, Rows, Tables

Hour = dict[str, Rows]

WORLD = World(WorldSettings(events_per_hour=60))
# Cases that no other may share a run with: they end it, or need short timeouts.
ALONE = [case for case in CASES if case.then is Then.STOPS or case.kind is FaultKind.SLOW_DRIP]


@dataclass(frozen=True)
class Trial:
    """What a case did to its three hours.

    `reasons` says why hours are missing, `requests` counts the requests by first and last hour.
    `with_fault` and `after` are bronze after the run with the fault and the next one without it.
    """

    hours: HourRange
    fault: Fault
    loaded: set[datetime]
    reasons: str
    requests: Counter[tuple[str, str]]
    with_fault: Tables
    after: Tables


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(WORLD) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def trials(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Trial]:
    """Return the trial of each case."""
    together = [case for case in CASES if case not in ALONE]
    # Those that fail hours split the rest of their run, so they come last.
    together.sort(key=lambda case: case.then in (Then.HOUR_FAILS, Then.HOUR_IS_DAMAGED))
    trials: dict[Case, Trial] = {}
    for number, cases in enumerate([together, *([case] for case in ALONE)]):
        trials |= _try(cases, emulator, tmp_path_factory.mktemp(f"trial{number}"))
    return trials


def _try(cases: Sequence[Case], emulator: Emulator, folder: Path) -> dict[Case, Trial]:
    """Run the cases' hours with their faults, then without, and check that pauses were made."""
    hours_of = dict(zip(cases, _triples(), strict=False))
    faults = {
        case: Fault(case.kind, (hours.first + HOUR, hours.first + HOUR), case.times, **case.rule)
        for case, hours in hours_of.items()
    }
    place = Place(folder, emulator.base_url, request_hours=3)
    span = HourRange(FIRST, max(hours.last for hours in hours_of.values()))
    place.settings.run_hours = len(span)
    emulator.requests.clear()
    for fault in faults.values():
        emulator.add_fault(fault)
    slow = [case for case in cases if case.kind is FaultKind.SLOW_DRIP]
    timeouts = Timeouts(read=3, least_bytes_per_second=1_000_000) if slow else None
    outcome = place.run(span, export_client=place.client(timeouts))
    requests = Counter((request.start, request.end) for request in emulator.requests)
    with_fault = place.bronze()
    assert set(with_fault) == outcome.loaded
    assert outcome.succeeded == (not outcome.missing)
    retries = sum(case.times or 0 for case in cases if case.then is Then.RETRIED)
    assert len(place.waits) >= retries

    emulator.clear_faults()
    # Some faults add events. The response without them is smaller and requires acceptance.
    assert place.run(span, accept_fewer=True).succeeded
    after = place.bronze()
    return {
        case: Trial(
            hours,
            faults[case],
            outcome.loaded & set(hours),
            " ".join(
                reason
                for of_step in outcome.failed.values()
                for hour, reason in of_step.items()
                if hour in hours
            ),
            Counter({key: n for key, n in requests.items() if _is_within(key, hours)}),
            {hour: rows for hour, rows in with_fault.items() if hour in hours},
            {hour: rows for hour, rows in after.items() if hour in hours},
        )
        for case, hours in hours_of.items()
    }


def _triples() -> Iterator[HourRange]:
    """Yield the ranges of three hours, in which every hour has events, from the first on."""
    first = FIRST
    while True:
        hours = HourRange(first, first + 2 * HOUR)
        if all(any(WORLD.lines(hour)) for hour in hours):
            yield hours
        first += 3 * HOUR


def _is_within(request: tuple[str, str], hours: HourRange) -> bool:
    return f"{hours.first:%Y%m%dT%H}" <= request[0] and request[1] <= f"{hours.last:%Y%m%dT%H}"


@pytest.fixture(scope="module")
def clean(
    trials: dict[Case, Trial], emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Tables:
    """Return bronze of a place without a fault, after comparing it with the server's world."""
    span = HourRange(FIRST, max(trial.hours.last for trial in trials.values()))
    place = Place(tmp_path_factory.mktemp("clean"), emulator.base_url)
    place.settings.run_hours = len(span)
    assert place.run(span).succeeded
    tables = place.bronze()
    assert {hour: lines(tables[hour]) for hour in span} == {
        hour: Counter(line.decode() for line in WORLD.lines(hour)) for hour in span
    }
    return tables


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_has_its_outcome_and_the_next_run_recovers(
    case: Case, trials: dict[Case, Trial], clean: Tables
) -> None:
    trial = trials[case]
    first, bad, last = trial.hours

    missing = set(trial.hours) - trial.loaded
    assert missing == {
        Then.STOPS: {first, bad, last},
        Then.RANGE_FAILS: {first, bad, last},
        Then.HOUR_FAILS: {bad},
        Then.HOUR_IS_DAMAGED: {bad},
    }.get(case.then, set())
    if missing:
        assert re.search(case.message.replace("{hour}", f"{bad:%Y-%m-%dT%H}"), trial.reasons)
    tables = trial.with_fault
    assert all(tables[hour] == clean[hour] for hour in (first, last) if hour in tables)
    check_requests(case, trial)
    if bad in tables:
        check_bad_hour(case, trial.fault, bad, tables[bad], clean[bad])
    assert trial.after == {hour: clean[hour] for hour in trial.hours}


def check_requests(case: Case, trial: Trial) -> None:
    """Assert how often the range was requested, and whether in parts."""
    first, bad, last = (f"{hour:%Y%m%dT%H}" for hour in trial.hours)
    whole, hour = trial.requests[first, last], trial.requests[bad, bad]
    in_parts = trial.requests.total() > whole
    if case.then is Then.RETRIED:
        assert whole == (case.times or 0) + 1
        assert not in_parts
    elif case.then is Then.HALVED:
        assert (whole, in_parts) == (1, True)
    elif case.then is Then.HOUR_FAILS:
        assert whole >= 1
        assert hour >= 1
    elif case.then is Then.RANGE_FAILS:
        assert (whole >= 5, in_parts) == (True, False)
    else:
        assert trial.requests.total() == 1


def check_bad_hour(
    case: Case, fault: Fault, bad: datetime, loaded_hour: Hour, clean_hour: Hour
) -> None:
    """Assert the contents of bronze for the hour with the fault."""
    extra = [line.decode("utf-8", "backslashreplace") for line in fault.extra_lines(bad)]
    if case.then is Then.LINES_REJECTED:
        assert [row[5] for row in by_line(loaded_hour["rejected_lines"])] == extra
        assert all(re.search(case.message, row[4]) for row in loaded_hour["rejected_lines"])
        assert lines(loaded_hour) == lines(clean_hour)
        assert [row[5:7] for row in loaded_hour["export_hours"]] == [
            (len(clean_hour["raw_events"]) + len(extra), len(extra))
        ]
    elif case.then is Then.KEPT:
        assert lines(loaded_hour) == lines(clean_hour) + Counter(extra)
    elif case.then is Then.EMPTY:
        assert loaded_hour["raw_events"] == []
        assert [row[2] for row in loaded_hour["export_hours"]] == ["empty"]
    else:
        assert loaded_hour == clean_hour


def by_line(rejected: Rows) -> Rows:
    return sorted(rejected, key=lambda row: row[3])


def lines(hour: Hour) -> Counter[str]:
    return Counter(row[4] for row in hour["raw_events"])


def test_the_table_has_every_kind_of_fault() -> None:
    assert {case.kind for case in CASES} == set(FaultKind)


def test_archive_limits_come_from_the_settings(emulator: Emulator, tmp_path: Path) -> None:
    emulator.clear_faults()
    place = Place(tmp_path, emulator.base_url)
    place.settings.archive_max_file_bytes = 1000
    outcome = place.run()
    assert outcome.missing == [HOURS]
    assert "limit" in " ".join(outcome.reasons)

    place.settings.archive_max_file_bytes = 10_000_000
    assert place.run().succeeded
