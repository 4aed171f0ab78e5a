"""The server's faults, each with the expected outcome, for the tests and the docs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from amplitude_assets.emulator import FaultKind
from amplitude_assets.emulator.faults.rules import LINE_KINDS


class Then(Enum):
    """The expected outcome. The value is its sentence in the docs."""

    RETRIED = "Retried in the same run, which completes."
    HALVED = "The range is halved and requested again in the same run, which completes."
    STOPS = "No further requests: every hour is reported as missing, exit 1."
    RANGE_FAILS = (
        "Retried with pauses; then all hours of the request are reported as missing, exit 1."
    )
    HOUR_FAILS = (
        "Retried, then halved down to the hour: only that hour is reported as missing, exit 1. "
        "The other hours are loaded."
    )
    HOUR_IS_DAMAGED = (
        "Detected when the hour is unpacked: only that hour is reported as missing, exit 1. "
        "The other hours are loaded."
    )
    LINES_REJECTED = (
        "Each such line is in `bronze.rejected_lines` with its file, line number and reason, every "
        "other line in `bronze.raw_events`; exit 0."
    )
    KEPT = "Loaded unchanged, byte for byte; exit 0."
    EMPTY = "Recorded as `empty` until the hour is requested again; exit 0."


@dataclass(frozen=True, eq=False)
class Case:
    """A fault in `times` requests for one hour, or in all of them if None.

    `message` is a pattern of the error message for missing hours, in which `{hour}` stands for the
    hour with the fault, or of the reason for rejected lines.
    """

    kind: FaultKind
    what: str
    then: Then
    times: int | None = None
    message: str = ""
    rule: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __str__(self) -> str:
        often = "once" if self.times == 1 else "always"
        lines = "" if self.kind in LINE_KINDS else f"-{often}"
        return (self.name or str(self.kind.value)) + lines


_K = FaultKind
_MB = 1024**2


def _once_and_always(
    kind: FaultKind, what: str, always: Then, message: str, once: Then = Then.RETRIED
) -> list[Case]:
    """Return a fault that occurs once, and one that persists."""
    return [Case(kind, what, once, times=1), Case(kind, what, always, message=message)]


def _rate_limited(name: str, what: str, retry_after: str | None) -> Case:
    rule = {"retry_after": retry_after}
    return Case(_K.STATUS_429, what, Then.RETRIED, times=2, rule=rule, name=name)


CASES = [
    *_once_and_always(
        _K.STATUS_400_TOO_LARGE,
        "400: more than 4 GB",
        Then.HOUR_FAILS,
        "over the Export API.s limit of 4 GB.*S3 export",
        once=Then.HALVED,
    ),
    Case(_K.STATUS_401, "401", Then.STOPS, message="rejected.*AMPLITUDE_API_KEY.*AMPLITUDE_REGION"),
    Case(_K.STATUS_403, "403", Then.STOPS, message="rejected.*AMPLITUDE_SECRET_KEY"),
    *_once_and_always(_K.STATUS_429, "429", Then.RANGE_FAILS, "limits the request rate"),
    _rate_limited("status_429_seconds", "429, `Retry-After` in seconds", "7"),
    _rate_limited(
        "status_429_date", "429, `Retry-After` as a date", "Mon, 07 Sep 2026 12:00:00 GMT"
    ),
    _rate_limited("status_429_nonsense", "429, `Retry-After` that is neither", "soon"),
    *_once_and_always(_K.STATUS_500, "500", Then.HOUR_FAILS, "server error .500"),
    *_once_and_always(_K.STATUS_502, "502", Then.HOUR_FAILS, "server error .502"),
    *_once_and_always(_K.STATUS_503, "503", Then.HOUR_FAILS, "server error .503"),
    *_once_and_always(
        _K.STATUS_504, "504: timeout for the range", Then.HOUR_FAILS, "timed out", Then.HALVED
    ),
    *_once_and_always(
        _K.CLOSED_AT_ONCE, "The connection is closed before a response", Then.HOUR_FAILS, "was lost"
    ),
    *_once_and_always(
        _K.RESET_IN_BODY, "The connection is reset within the body", Then.HOUR_FAILS, "was lost"
    ),
    *_once_and_always(
        _K.SHORT_BODY, "The body is truncated", Then.HOUR_FAILS, "was lost|stopped at"
    ),
    *_once_and_always(
        _K.SHORT_CHUNKED_BODY,
        "The body is truncated, chunked encoding",
        Then.HOUR_FAILS,
        "was lost",
    ),
    *_once_and_always(
        _K.SHORT_BODY_WITHOUT_LENGTH,
        "The body is truncated, without Content-Length",
        Then.HOUR_FAILS,
        "not a whole zip",
    ),
    Case(
        _K.SLOW_DRIP,
        "The body arrives too slowly",
        Then.RETRIED,
        times=1,
        rule={"pause_seconds": 0.4},
    ),
    *_once_and_always(
        _K.HTML_PAGE, "An HTML page with status 200", Then.HOUR_FAILS, "not a zip.*DOCTYPE"
    ),
    *_once_and_always(
        _K.EMPTY_ZIP, "A zip without members", Then.HOUR_FAILS, "downloaded zip is empty"
    ),
    *_once_and_always(
        _K.ZIP_CUT_OFF,
        "A truncated zip with a matching Content-Length",
        Then.HOUR_FAILS,
        "whole zip",
    ),
    Case(_K.HOUR_NOT_FOUND, "404, or no member in the zip, for an hour with data", Then.EMPTY),
    Case(
        _K.ZIP_BAD_CRC,
        "A member with a wrong zip checksum",
        Then.HOUR_IS_DAMAGED,
        message="is damaged.*materialise raw_export_zip for {hour} again",
    ),
    Case(
        _K.GZIP_BAD_CRC,
        "A member with a wrong gzip checksum",
        Then.HOUR_IS_DAMAGED,
        message="is damaged",
    ),
    Case(
        _K.GZIP_CUT_OFF,
        "A member with a truncated gzip stream",
        Then.HOUR_IS_DAMAGED,
        message="is damaged.*stream is truncated",
    ),
    Case(
        _K.SAME_PART_TWICE,
        "Two members for the same part",
        Then.HOUR_IS_DAMAGED,
        message="two members for the same part",
    ),
    Case(
        _K.ZIP_BOMB,
        "A zip bomb in the zip's compression",
        Then.HOUR_IS_DAMAGED,
        message="is damaged",
        rule={"size_bytes": 110 * _MB},
    ),
    Case(
        _K.GZIP_BOMB,
        "A zip bomb in a member's gzip stream",
        Then.HOUR_IS_DAMAGED,
        message="over the limit",
        rule={"size_bytes": 110 * _MB},
    ),
    *_once_and_always(
        _K.NAME_OUTSIDE,
        "A member name that leaves the folder (`../`)",
        Then.HOUR_FAILS,
        "not requested",
    ),
    *_once_and_always(
        _K.NAME_ABSOLUTE, "A member with an absolute path", Then.HOUR_FAILS, "not requested"
    ),
    *_once_and_always(
        _K.UNKNOWN_PROJECT, "A member of another project", Then.HOUR_FAILS, "not requested"
    ),
    *_once_and_always(
        _K.HOUR_NOT_ASKED,
        "A member of an hour that was not requested",
        Then.HOUR_FAILS,
        "not requested",
    ),
    Case(_K.NOT_JSON, "Lines that are not JSON", Then.LINES_REJECTED, message="not JSON"),
    Case(_K.NOT_UTF8, "Lines that are not UTF-8", Then.LINES_REJECTED, message="not UTF-8"),
    Case(
        _K.NOT_AN_OBJECT,
        "Lines that are not a JSON object",
        Then.LINES_REJECTED,
        message="not a JSON object",
    ),
    Case(_K.NAN_AND_INFINITY, "`NaN` and `Infinity`", Then.LINES_REJECTED, message="not JSON"),
    Case(
        _K.DEEP_NESTING,
        "Values nested 2,000 levels deep",
        Then.LINES_REJECTED,
        message="depth limit",
    ),
    Case(
        _K.MANY_VALUES,
        "A line of 600,000 empty arrays",
        Then.LINES_REJECTED,
        message="more than 1,000,000 values",
    ),
    Case(_K.HUGE_LINE, "A line of 20 MB", Then.KEPT),
    Case(_K.DUPLICATE_KEYS, "An object with a duplicate key", Then.KEPT),
    Case(
        _K.HUGE_LINE,
        "A line of 33 MB",
        Then.HOUR_IS_DAMAGED,
        message="a line is over the limit",
        rule={"size_bytes": 33 * _MB},
        name="line_over_limit",
    ),
]
