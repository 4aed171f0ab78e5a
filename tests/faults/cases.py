"""The table of faults of the server: each with what must happen, for the tests and the docs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from amplitude_assets.emulator import FaultKind
from amplitude_assets.emulator.faults import LINE_KINDS


class Then(Enum):
    """What must happen. The value is the sentence that the docs say it with."""

    ASKED_AGAIN = "Asked again in the same run, which ends complete."
    HALVED = "Asked again in halves in the same run, which ends complete."
    STOPS = "Nothing more is asked for: every hour is named as missing, exit 1."
    RANGE_FAILS = "Asked again with pauses, then the hours of that request are missing, exit 1."
    HOUR_FAILS = (
        "Asked again, then in halves down to the hour: that hour alone is missing, exit 1. "
        "The hours beside it are loaded."
    )
    HOUR_IS_REFUSED = (
        "Found when the hour is unpacked: that hour alone is missing, exit 1. "
        "The hours beside it are loaded."
    )
    SET_ASIDE = (
        "Each such line is in `bronze.rejected_lines` with its file, number and reason, every "
        "other line in `bronze.raw_events`; exit 0."
    )
    KEPT = "Loaded as it came, byte for byte; exit 0."
    EMPTY = "Recorded as `empty`, until the hour is asked for again; exit 0."


@dataclass(frozen=True)
class Case:
    """A fault of one hour's requests: `times` of them, or all when None.

    `says` is a pattern of the message when hours are missing, or of the reason when lines are set
    aside.
    """

    kind: FaultKind
    what: str
    then: Then
    times: int | None = None
    says: str = ""
    rule: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __str__(self) -> str:
        often = "once" if self.times == 1 else "always"
        lines = "" if self.kind in LINE_KINDS else f"-{often}"
        return (self.name or str(self.kind.value)) + lines


_K = FaultKind
_MB = 1024**2


def _passing(
    kind: FaultKind, what: str, lasting: Then, says: str, once: Then = Then.ASKED_AGAIN
) -> list[Case]:
    """A fault that is met once, and one that stays."""
    return [Case(kind, what, once, times=1), Case(kind, what, lasting, says=says)]


def _limited(name: str, what: str, retry_after: str | None) -> Case:
    rule = {"retry_after": retry_after}
    return Case(_K.STATUS_429, what, Then.ASKED_AGAIN, times=2, rule=rule, name=name)


CASES = [
    *_passing(
        _K.STATUS_400_TOO_LARGE,
        "400: over 4 GB",
        Then.HOUR_FAILS,
        "over the 4 GB that the Export API sends.*S3 export",
        once=Then.HALVED,
    ),
    Case(_K.STATUS_401, "401", Then.STOPS, says="refused.*AMPLITUDE_API_KEY.*AMPLITUDE_REGION"),
    Case(_K.STATUS_403, "403", Then.STOPS, says="refused.*AMPLITUDE_SECRET_KEY"),
    *_passing(_K.STATUS_429, "429", Then.RANGE_FAILS, "asked us to slow down"),
    _limited("status_429_seconds", "429, `Retry-After` in seconds", "7"),
    _limited("status_429_date", "429, `Retry-After` as a date", "Mon, 07 Sep 2026 12:00:00 GMT"),
    _limited("status_429_nonsense", "429, `Retry-After` that is neither", "soon"),
    *_passing(_K.STATUS_500, "500", Then.HOUR_FAILS, "the server failed .500"),
    *_passing(_K.STATUS_502, "502", Then.HOUR_FAILS, "the server failed .502"),
    *_passing(_K.STATUS_503, "503", Then.HOUR_FAILS, "the server failed .503"),
    *_passing(
        _K.STATUS_504, "504: timed out over the range", Then.HOUR_FAILS, "timed out", Then.HALVED
    ),
    *_passing(_K.CLOSED_AT_ONCE, "The connection is closed", Then.HOUR_FAILS, "broke off"),
    *_passing(_K.RESET_IN_BODY, "Reset within the body", Then.HOUR_FAILS, "broke off"),
    *_passing(_K.SHORT_BODY, "The body stops short", Then.HOUR_FAILS, "broke off|stopped at"),
    *_passing(
        _K.SHORT_CHUNKED_BODY, "The body stops short, in chunks", Then.HOUR_FAILS, "broke off"
    ),
    *_passing(
        _K.SHORT_BODY_WITHOUT_LENGTH,
        "The body stops short, and said no length",
        Then.HOUR_FAILS,
        "not a whole zip",
    ),
    Case(
        _K.SLOW_DRIP,
        "The body comes in a slow drip",
        Then.ASKED_AGAIN,
        times=1,
        rule={"pause_seconds": 0.4},
    ),
    *_passing(_K.HTML_PAGE, "A web page with status 200", Then.HOUR_FAILS, "no zip.*DOCTYPE"),
    *_passing(_K.EMPTY_ZIP, "A zip of nothing", Then.HOUR_FAILS, "zip that arrived is empty"),
    *_passing(_K.ZIP_CUT_OFF, "A zip cut off, of the right length", Then.HOUR_FAILS, "whole zip"),
    Case(_K.HOUR_NOT_FOUND, "404 or no member, for an hour that has data", Then.EMPTY),
    Case(
        _K.ZIP_BAD_CRC,
        "A member whose checksum in the zip is wrong",
        Then.HOUR_IS_REFUSED,
        says="is damaged.*materialise raw_export_zip for 2026-09-07T10 again",
    ),
    Case(
        _K.GZIP_BAD_CRC,
        "A member whose gzip checksum is wrong",
        Then.HOUR_IS_REFUSED,
        says="is damaged",
    ),
    Case(
        _K.GZIP_CUT_OFF,
        "A member whose gzip stream is cut off",
        Then.HOUR_IS_REFUSED,
        says="is damaged.*ends too early",
    ),
    Case(
        _K.SAME_PART_TWICE,
        "Two members for the same part",
        Then.HOUR_IS_REFUSED,
        says="two members for the same part",
    ),
    Case(
        _K.ZIP_BOMB,
        "A bomb in the zip's own compression",
        Then.HOUR_IS_REFUSED,
        says="is damaged",
        rule={"size_bytes": 110 * _MB},
    ),
    Case(
        _K.GZIP_BOMB,
        "A bomb in a member's gzip",
        Then.HOUR_IS_REFUSED,
        says="over the limit",
        rule={"size_bytes": 110 * _MB},
    ),
    *_passing(
        _K.NAME_OUTSIDE,
        "A member named out of its folder (`../`)",
        Then.HOUR_FAILS,
        "not asked for",
    ),
    *_passing(_K.NAME_ABSOLUTE, "A member with an absolute path", Then.HOUR_FAILS, "not asked for"),
    *_passing(_K.UNKNOWN_PROJECT, "A member of another project", Then.HOUR_FAILS, "not asked for"),
    *_passing(
        _K.HOUR_NOT_ASKED,
        "A member of an hour that was not asked for",
        Then.HOUR_FAILS,
        "not asked for",
    ),
    Case(_K.NOT_JSON, "Lines that are not JSON", Then.SET_ASIDE, says="not JSON"),
    Case(_K.NOT_UTF8, "Lines that are not UTF-8", Then.SET_ASIDE, says="not UTF-8"),
    Case(
        _K.NOT_AN_OBJECT, "Lines that are no JSON object", Then.SET_ASIDE, says="not a JSON object"
    ),
    Case(_K.NAN_AND_INFINITY, "NaN and Infinity", Then.SET_ASIDE, says="not JSON"),
    Case(_K.DEEP_NESTING, "Values nested 2,000 deep", Then.SET_ASIDE, says="depth limit"),
    Case(
        _K.MANY_VALUES,
        "A line of 600,000 empty arrays",
        Then.SET_ASIDE,
        says="more than 1,000,000 values",
    ),
    Case(_K.HUGE_LINE, "A line of 20 MB", Then.KEPT),
    Case(_K.DUPLICATE_KEYS, "An object with a key twice", Then.KEPT),
    Case(
        _K.HUGE_LINE,
        "A line of 33 MB",
        Then.HOUR_IS_REFUSED,
        says="a line is over the limit",
        rule={"size_bytes": 33 * _MB},
        name="line_over_limit",
    ),
]
