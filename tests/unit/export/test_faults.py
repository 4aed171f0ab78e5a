"""Every way in which the emulator misbehaves: what is kept, what is told, and what heals.

Six hours are asked for, and the third of them is struck. Whatever happens, the hours that come are
those of a run that saw no fault, the others are named, and once the fault is gone all are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from amplitude_assets.emulator import (
    API_KEY,
    PROJECT_ID,
    SECRET_KEY,
    Emulator,
    World,
    WorldSettings,
    serve,
)
from amplitude_assets.emulator.faults import Fault, FaultKind
from amplitude_assets.export.archive import ArchiveLimits
from amplitude_assets.export.client import ExportClient, RetryLimits
from amplitude_assets.export.errors import (
    ArchiveError,
    CredentialsError,
    ExportError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
)
from amplitude_assets.export.hour_files import HourFiles, read_rejected
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.receiving import Timeouts
from amplitude_assets.hours import HourRange

from .building import hours, kept_lines, one

FIRST = datetime(2026, 3, 2, 9, tzinfo=UTC)
ASKED = hours(6, FIRST)
STRUCK = list(ASKED)[2]
OTHERS = [hour for hour in ASKED if hour != STRUCK]
TIGHT = ArchiveLimits(max_ratio=100, ratio_from_bytes=1024**2)
IMPATIENT = Timeouts(read=0.6, least_bytes_per_second=10_000_000)

# What passes is healed by asking again; what stays fails its hour alone, as this error.
HEALED_BY_ASKING = {
    FaultKind.STATUS_429: RateLimitedError,
    FaultKind.STATUS_500: UnavailableError,
    FaultKind.STATUS_502: UnavailableError,
    FaultKind.STATUS_503: UnavailableError,
    FaultKind.CLOSED_AT_ONCE: UnavailableError,
    FaultKind.RESET_IN_BODY: UnavailableError,
    FaultKind.SHORT_BODY: UnavailableError,
    FaultKind.SHORT_CHUNKED_BODY: UnavailableError,
    FaultKind.SHORT_BODY_WITHOUT_LENGTH: ArchiveError,
    FaultKind.SLOW_DRIP: UnavailableError,
    FaultKind.HTML_PAGE: UnavailableError,
    FaultKind.EMPTY_ZIP: ArchiveError,
    FaultKind.ZIP_CUT_OFF: ArchiveError,
    FaultKind.NAME_OUTSIDE: ArchiveError,
    FaultKind.NAME_ABSOLUTE: ArchiveError,
    FaultKind.UNKNOWN_PROJECT: ArchiveError,
    FaultKind.HOUR_NOT_ASKED: ArchiveError,
}
HEALED_BY_HALVING = {FaultKind.STATUS_400_TOO_LARGE, FaultKind.STATUS_504}
REFUSED = {FaultKind.STATUS_401, FaultKind.STATUS_403}
FOUND_WHEN_UNPACKED = {
    FaultKind.ZIP_BAD_CRC,
    FaultKind.GZIP_BAD_CRC,
    FaultKind.GZIP_CUT_OFF,
    FaultKind.SAME_PART_TWICE,
    FaultKind.ZIP_BOMB,
    FaultKind.GZIP_BOMB,
}
LINES_SET_ASIDE = {
    FaultKind.NOT_JSON: "not JSON",
    FaultKind.NOT_UTF8: "not UTF-8",
    FaultKind.NOT_AN_OBJECT: "not a JSON object",
    FaultKind.NAN_AND_INFINITY: "not JSON",
    FaultKind.DEEP_NESTING: "not JSON: depth limit",
    FaultKind.MANY_VALUES: "more than 1,000,000 values",
}
LINES_KEPT = {FaultKind.HUGE_LINE, FaultKind.DUPLICATE_KEYS}
# The server says that there is no data, as it does when there is none: a later check tells.
NOT_TOLD = {FaultKind.HOUR_NOT_FOUND}


@dataclass
class Outcome:
    """What two steps made of the six hours: the hours' files, and the errors of either."""

    files: dict[datetime, HourFiles] = field(default_factory=dict)
    not_fetched: list[ExportError] = field(default_factory=list)
    not_unpacked: list[ExportError] = field(default_factory=list)

    def digests(self, among: list[datetime]) -> dict[datetime, str]:
        return {hour: self.files[hour].digest for hour in among}


@pytest.fixture(scope="module")
def world() -> World:
    return World(WorldSettings(events_per_hour=60))


@pytest.fixture(scope="module")
def emulator(world: World) -> Iterator[Emulator]:
    with serve(world) as server:
        yield server


@pytest.fixture(autouse=True)
def no_faults(emulator: Emulator) -> Iterator[None]:
    emulator.requests.clear()
    yield
    emulator.clear_faults()


@pytest.fixture(scope="module")
def clean(world: World, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run that saw no fault, of a server of its own."""
    with serve(world) as server:
        outcome = run(server, Landing(tmp_path_factory.mktemp("clean"), PROJECT_ID))
    assert not outcome.not_fetched
    assert not outcome.not_unpacked
    assert all(outcome.files[hour].lines for hour in ASKED)
    return outcome


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path, PROJECT_ID)


def pass_time(stop: Event, seconds: float) -> None:
    """Stands in for waiting."""


def run(
    emulator: Emulator,
    landing: Landing,
    *ranges: HourRange,
    attempts: int = 3,
    timeout: Timeouts | None = None,
    limits: ArchiveLimits | None = None,
) -> Outcome:
    client = ExportClient(
        emulator.base_url,
        API_KEY,
        SECRET_KEY,
        project_id=PROJECT_ID,
        pause=pass_time,
        retry=RetryLimits(attempts=attempts),
        timeout=timeout,
    )
    outcome = Outcome()
    asked = ranges or (ASKED,)
    outcome.not_fetched = client.fetch_all(
        asked, landing.zips, on_delivery=lambda delivery: landing.record(delivery, "run")
    )
    missing = {hour for error in outcome.not_fetched for hour in error.hours}
    came = [hour for hours in asked for hour in hours if hour not in missing]
    for hour, result in landing.unpack(came, workers=1, limits=limits):
        if isinstance(result, HourFiles):
            outcome.files[hour] = result
        else:
            outcome.not_unpacked.append(result)
    return outcome


def patience_for(kind: FaultKind) -> Timeouts | None:
    """The client's own timeouts, but for the fault that is about them."""
    return IMPATIENT if kind is FaultKind.SLOW_DRIP else None


def assert_healed(emulator: Emulator, landing: Landing, clean: Outcome) -> None:
    """Without the fault, one more run is like one that never saw it, and leaves nothing over."""
    emulator.clear_faults()
    again = run(emulator, landing)
    assert not again.not_fetched
    assert not again.not_unpacked
    assert again.digests(list(ASKED)) == clean.digests(list(ASKED))
    assert not list(landing.zips.parent.rglob("*.part"))


def test_every_fault_is_one_that_these_tests_know() -> None:
    known = [
        *HEALED_BY_ASKING,
        *HEALED_BY_HALVING,
        *REFUSED,
        *FOUND_WHEN_UNPACKED,
        *LINES_SET_ASIDE,
        *LINES_KEPT,
        *NOT_TOLD,
    ]
    assert sorted(known) == sorted(FaultKind)


@pytest.mark.parametrize("kind", sorted(HEALED_BY_ASKING))
def test_what_passes_is_healed_by_asking_again(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (STRUCK, STRUCK), times=1, pause_seconds=0.1))
    outcome = run(emulator, landing, timeout=patience_for(kind))
    assert not outcome.not_fetched
    assert not outcome.not_unpacked
    assert outcome.digests(list(ASKED)) == clean.digests(list(ASKED))
    assert {landing.delivery_of(hour).attempts for hour in ASKED} == {2}
    assert_healed(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(set(HEALED_BY_ASKING) - {FaultKind.STATUS_429}))
def test_what_stays_fails_its_hour_alone(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (STRUCK, STRUCK), pause_seconds=0.1))
    outcome = run(emulator, landing, timeout=patience_for(kind))
    assert [(type(error), error.hours) for error in outcome.not_fetched] == [
        (HEALED_BY_ASKING[kind], one(STRUCK))
    ]
    assert not outcome.not_unpacked
    assert outcome.digests(OTHERS) == clean.digests(OTHERS)
    assert_healed(emulator, landing, clean)


def test_a_range_that_stays_limited_is_not_asked_for_in_parts(
    emulator: Emulator, landing: Landing, clean: Outcome
) -> None:
    """More requests are no answer to a server that asks for fewer."""
    emulator.add_fault(Fault(FaultKind.STATUS_429, (STRUCK, STRUCK), retry_after="5"))
    outcome = run(emulator, landing)
    assert [(type(error), error.hours) for error in outcome.not_fetched] == [
        (RateLimitedError, ASKED)
    ]
    assert len(emulator.requests) == 3
    assert_healed(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(HEALED_BY_HALVING))
def test_what_is_too_much_for_a_range_comes_in_halves(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (STRUCK, STRUCK), times=2))
    outcome = run(emulator, landing)
    assert not outcome.not_fetched
    assert outcome.digests(list(ASKED)) == clean.digests(list(ASKED))
    assert len(emulator.requests) == 5
    assert_healed(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(HEALED_BY_HALVING))
def test_what_is_too_much_for_an_hour_fails_it_alone(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (STRUCK, STRUCK)))
    outcome = run(emulator, landing)
    assert [(type(error), error.hours) for error in outcome.not_fetched] == [
        (TooLargeError, one(STRUCK))
    ]
    assert "2026-03-02T11" in str(outcome.not_fetched[0])
    assert "Amplitude's S3 export" in str(outcome.not_fetched[0])
    assert outcome.digests(OTHERS) == clean.digests(OTHERS)
    assert_healed(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_refused_keys_stop_at_once(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, times=1))
    outcome = run(emulator, landing)
    assert [(type(error), error.hours) for error in outcome.not_fetched] == [
        (CredentialsError, ASKED)
    ]
    assert len(emulator.requests) == 1
    assert_healed(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(FOUND_WHEN_UNPACKED))
def test_a_damaged_member_fails_its_hour_alone(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (STRUCK, STRUCK)))
    outcome = run(emulator, landing, limits=TIGHT)
    assert not outcome.not_fetched
    assert [(type(error), error.hours) for error in outcome.not_unpacked] == [
        (ArchiveError, one(STRUCK))
    ]
    assert outcome.digests(OTHERS) == clean.digests(OTHERS)
    assert_healed(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(LINES_SET_ASIDE))
def test_bad_lines_are_set_aside_and_no_others(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    fault = Fault(kind, (STRUCK, STRUCK))
    emulator.add_fault(fault)
    outcome = run(emulator, landing)
    files, folder = outcome.files[STRUCK], landing.hour_folder(STRUCK)
    rejected = list(read_rejected(folder, files))
    bad = [line.decode("utf-8", "backslashreplace") for line in fault.extra_lines(STRUCK)]
    assert [line.line for line in rejected] == bad
    assert all(line.reason.startswith(LINES_SET_ASIDE[kind]) for line in rejected)
    assert (files.lines, files.rejected_lines) == (clean.files[STRUCK].lines + len(bad), len(bad))
    assert outcome.digests(OTHERS) == clean.digests(OTHERS)
    assert_healed(emulator, landing, clean)
    assert sorted(kept_lines(folder, files)) == sorted(kept_lines(folder, clean.files[STRUCK]))


@pytest.mark.parametrize("kind", sorted(LINES_KEPT))
def test_odd_lines_are_kept_as_they_came(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    fault = Fault(kind, (STRUCK, STRUCK))
    emulator.add_fault(fault)
    outcome = run(emulator, landing)
    files = outcome.files[STRUCK]
    assert (files.lines, files.rejected_lines) == (
        clean.files[STRUCK].lines + len(fault.extra_lines(STRUCK)),
        0,
    )
    assert set(fault.extra_lines(STRUCK)) <= set(kept_lines(landing.hour_folder(STRUCK), files))
    assert_healed(emulator, landing, clean)


@pytest.mark.parametrize("asked", [ASKED, one(STRUCK)])
def test_an_hour_that_is_said_to_be_empty_is_empty_until_asked_again(
    emulator: Emulator, landing: Landing, clean: Outcome, asked: HourRange
) -> None:
    emulator.add_fault(Fault(FaultKind.HOUR_NOT_FOUND, (STRUCK, STRUCK)))
    outcome = run(emulator, landing, asked)
    assert (outcome.files[STRUCK].status, outcome.files[STRUCK].lines) == ("empty", 0)
    assert_healed(emulator, landing, clean)


def test_many_ranges_at_once_are_the_same_hours(
    emulator: Emulator, landing: Landing, clean: Outcome
) -> None:
    for kind in (FaultKind.STATUS_503, FaultKind.RESET_IN_BODY, FaultKind.ZIP_CUT_OFF):
        emulator.add_fault(Fault(kind, times=2))
    # One hour may meet all six.
    outcome = run(emulator, landing, *(one(hour) for hour in ASKED), attempts=7)
    assert not outcome.not_fetched
    assert outcome.digests(list(ASKED)) == clean.digests(list(ASKED))
