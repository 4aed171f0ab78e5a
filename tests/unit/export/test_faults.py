"""Every fault of the emulator: which hours are kept, which errors are raised, and what recovers.

Six hours are requested, and the third has a fault. In every case, the delivered hours equal those
of a run without faults, the others are named in errors, and once the fault is gone all hours are
delivered.
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
from amplitude_assets.emulator.faults.rules import Fault, FaultKind
from amplitude_assets.export.api.client import ExportClient, RetryLimits
from amplitude_assets.export.api.download import Timeouts
from amplitude_assets.export.archive.directory import ArchiveLimits
from amplitude_assets.export.archive.hour_files import HourFiles, read_rejected
from amplitude_assets.export.errors import (
    ArchiveError,
    CredentialsError,
    ExportError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
)
from amplitude_assets.export.landing import Landing
from amplitude_assets.hours import HourRange

from .building import hours, kept_lines, one

pytestmark = pytest.mark.integration

FIRST = datetime(2026, 3, 2, 9, tzinfo=UTC)
REQUESTED = hours(6, FIRST)
FAULTY = list(REQUESTED)[2]
OTHERS = [hour for hour in REQUESTED if hour != FAULTY]
LOW_LIMITS = ArchiveLimits(max_ratio=100, ratio_from_bytes=1024**2)
SHORT_TIMEOUTS = Timeouts(read=0.6, least_bytes_per_second=10_000_000)

# A retry recovers from transient faults; a permanent one fails its hour with this error.
RECOVERED_BY_RETRY = {
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
RECOVERED_BY_HALVING = {FaultKind.STATUS_400_TOO_LARGE, FaultKind.STATUS_504}
KEYS_REJECTED = {FaultKind.STATUS_401, FaultKind.STATUS_403}
DETECTED_WHEN_UNPACKED = {
    FaultKind.ZIP_BAD_CRC,
    FaultKind.GZIP_BAD_CRC,
    FaultKind.GZIP_CUT_OFF,
    FaultKind.SAME_PART_TWICE,
    FaultKind.ZIP_BOMB,
    FaultKind.GZIP_BOMB,
}
LINES_REJECTED = {
    FaultKind.NOT_JSON: "not JSON",
    FaultKind.NOT_UTF8: "not UTF-8",
    FaultKind.NOT_AN_OBJECT: "not a JSON object",
    FaultKind.NAN_AND_INFINITY: "not JSON",
    FaultKind.DEEP_NESTING: "not JSON: depth limit",
    FaultKind.MANY_VALUES: "more than 1,000,000 values",
}
LINES_KEPT = {FaultKind.HUGE_LINE, FaultKind.DUPLICATE_KEYS}
# The server responds as for an hour without data; only a later check finds the difference.
UNDETECTED = {FaultKind.HOUR_NOT_FOUND}


@dataclass
class Outcome:
    """The result of both steps for the six hours: the hours' files, and the errors of each step."""

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
    """The outcome of a run without faults, on another server."""
    with serve(world) as server:
        outcome = run(server, Landing(tmp_path_factory.mktemp("clean"), PROJECT_ID))
    assert not outcome.not_fetched
    assert not outcome.not_unpacked
    assert all(outcome.files[hour].lines for hour in REQUESTED)
    return outcome


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path, PROJECT_ID)


def pass_time(stop: Event, seconds: float) -> None:
    """Return without waiting."""


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
    requested = ranges or (REQUESTED,)
    outcome.not_fetched = client.fetch_all(
        requested, landing.zips, on_delivery=lambda delivery: landing.record(delivery, "run")
    )
    missing = {hour for error in outcome.not_fetched for hour in error.hours}
    downloaded = [hour for hours in requested for hour in hours if hour not in missing]
    for hour, result in landing.unpack(downloaded, workers=1, limits=limits):
        if isinstance(result, HourFiles):
            outcome.files[hour] = result
        else:
            outcome.not_unpacked.append(result)
    return outcome


def timeouts_for(kind: FaultKind) -> Timeouts | None:
    """The default timeouts, except for the fault that tests them."""
    return SHORT_TIMEOUTS if kind is FaultKind.SLOW_DRIP else None


def assert_recovers(emulator: Emulator, landing: Landing, clean: Outcome) -> None:
    """Check that a run without the fault gives the clean result, and leaves no temporary files."""
    emulator.clear_faults()
    again = run(emulator, landing)
    assert not again.not_fetched
    assert not again.not_unpacked
    assert again.digests(list(REQUESTED)) == clean.digests(list(REQUESTED))
    assert not list(landing.zips.parent.rglob("*.part"))


def test_every_fault_is_covered() -> None:
    known = [
        *RECOVERED_BY_RETRY,
        *RECOVERED_BY_HALVING,
        *KEYS_REJECTED,
        *DETECTED_WHEN_UNPACKED,
        *LINES_REJECTED,
        *LINES_KEPT,
        *UNDETECTED,
    ]
    assert sorted(known) == sorted(FaultKind)


@pytest.mark.parametrize("kind", sorted(RECOVERED_BY_RETRY))
def test_transient_faults_are_retried(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (FAULTY, FAULTY), times=1, pause_seconds=0.1))
    outcome = run(emulator, landing, timeout=timeouts_for(kind))
    assert not outcome.not_fetched
    assert not outcome.not_unpacked
    assert outcome.digests(list(REQUESTED)) == clean.digests(list(REQUESTED))
    assert {landing.delivery_of(hour).attempts for hour in REQUESTED} == {2}
    assert_recovers(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(set(RECOVERED_BY_RETRY) - {FaultKind.STATUS_429}))
def test_permanent_faults_fail_their_hour_alone(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (FAULTY, FAULTY), pause_seconds=0.1))
    outcome = run(emulator, landing, timeout=timeouts_for(kind))
    assert [(type(error), error.hours) for error in outcome.not_fetched] == [
        (RECOVERED_BY_RETRY[kind], one(FAULTY))
    ]
    assert not outcome.not_unpacked
    assert outcome.digests(OTHERS) == clean.digests(OTHERS)
    assert_recovers(emulator, landing, clean)


def test_a_rate_limited_range_is_not_halved(
    emulator: Emulator, landing: Landing, clean: Outcome
) -> None:
    """Halving would only send more requests to a server that limits their rate."""
    emulator.add_fault(Fault(FaultKind.STATUS_429, (FAULTY, FAULTY), retry_after="5"))
    outcome = run(emulator, landing)
    assert [(type(error), error.hours) for error in outcome.not_fetched] == [
        (RateLimitedError, REQUESTED)
    ]
    assert len(emulator.requests) == 3
    assert_recovers(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(RECOVERED_BY_HALVING))
def test_a_range_that_is_too_large_is_halved(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (FAULTY, FAULTY), times=2))
    outcome = run(emulator, landing)
    assert not outcome.not_fetched
    assert outcome.digests(list(REQUESTED)) == clean.digests(list(REQUESTED))
    assert len(emulator.requests) == 5
    assert_recovers(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(RECOVERED_BY_HALVING))
def test_an_hour_that_is_too_large_fails_alone(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (FAULTY, FAULTY)))
    outcome = run(emulator, landing)
    assert [(type(error), error.hours) for error in outcome.not_fetched] == [
        (TooLargeError, one(FAULTY))
    ]
    assert "2026-03-02T11" in str(outcome.not_fetched[0])
    assert "Amplitude's S3 export" in str(outcome.not_fetched[0])
    assert outcome.digests(OTHERS) == clean.digests(OTHERS)
    assert_recovers(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(KEYS_REJECTED))
def test_rejected_keys_stop_at_once(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, times=1))
    outcome = run(emulator, landing)
    assert [(type(error), error.hours) for error in outcome.not_fetched] == [
        (CredentialsError, REQUESTED)
    ]
    assert len(emulator.requests) == 1
    assert_recovers(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(DETECTED_WHEN_UNPACKED))
def test_a_damaged_member_fails_its_hour_alone(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    emulator.add_fault(Fault(kind, (FAULTY, FAULTY)))
    outcome = run(emulator, landing, limits=LOW_LIMITS)
    assert not outcome.not_fetched
    assert [(type(error), error.hours) for error in outcome.not_unpacked] == [
        (ArchiveError, one(FAULTY))
    ]
    assert outcome.digests(OTHERS) == clean.digests(OTHERS)
    assert_recovers(emulator, landing, clean)


@pytest.mark.parametrize("kind", sorted(LINES_REJECTED))
def test_only_bad_lines_are_rejected(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    fault = Fault(kind, (FAULTY, FAULTY))
    emulator.add_fault(fault)
    outcome = run(emulator, landing)
    files, folder = outcome.files[FAULTY], landing.hour_folder(FAULTY)
    rejected = list(read_rejected(folder, files))
    bad = [line.decode("utf-8", "backslashreplace") for line in fault.extra_lines(FAULTY)]
    assert [line.line for line in rejected] == bad
    assert all(line.reason.startswith(LINES_REJECTED[kind]) for line in rejected)
    assert (files.lines, files.rejected_lines) == (clean.files[FAULTY].lines + len(bad), len(bad))
    assert outcome.digests(OTHERS) == clean.digests(OTHERS)
    assert_recovers(emulator, landing, clean)
    assert sorted(kept_lines(folder, files)) == sorted(kept_lines(folder, clean.files[FAULTY]))


@pytest.mark.parametrize("kind", sorted(LINES_KEPT))
def test_unusual_lines_are_kept_unchanged(
    emulator: Emulator, landing: Landing, clean: Outcome, kind: FaultKind
) -> None:
    fault = Fault(kind, (FAULTY, FAULTY))
    emulator.add_fault(fault)
    outcome = run(emulator, landing)
    files = outcome.files[FAULTY]
    assert (files.lines, files.rejected_lines) == (
        clean.files[FAULTY].lines + len(fault.extra_lines(FAULTY)),
        0,
    )
    assert set(fault.extra_lines(FAULTY)) <= set(kept_lines(landing.hour_folder(FAULTY), files))
    assert_recovers(emulator, landing, clean)


@pytest.mark.parametrize("requested", [REQUESTED, one(FAULTY)])
def test_an_hour_reported_as_empty_is_empty_until_the_next_request(
    emulator: Emulator, landing: Landing, clean: Outcome, requested: HourRange
) -> None:
    emulator.add_fault(Fault(FaultKind.HOUR_NOT_FOUND, (FAULTY, FAULTY)))
    outcome = run(emulator, landing, requested)
    assert (outcome.files[FAULTY].status, outcome.files[FAULTY].lines) == ("empty", 0)
    assert_recovers(emulator, landing, clean)


def test_many_ranges_at_once_are_the_same_hours(
    emulator: Emulator, landing: Landing, clean: Outcome
) -> None:
    for kind in (FaultKind.STATUS_503, FaultKind.RESET_IN_BODY, FaultKind.ZIP_CUT_OFF):
        emulator.add_fault(Fault(kind, times=2))
    # All six faults may occur for one hour.
    outcome = run(emulator, landing, *(one(hour) for hour in REQUESTED), attempts=7)
    assert not outcome.not_fetched
    assert outcome.digests(list(REQUESTED)) == clean.digests(list(REQUESTED))
