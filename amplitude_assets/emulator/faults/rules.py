"""The kinds of faults, and the rules that say which hours they affect and how often."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from amplitude_assets.emulator.faults.lines import lines_of


class FaultKind(StrEnum):
    """The faults that the emulator can inject."""

    # The response is an error.
    STATUS_400_TOO_LARGE = "status_400_too_large"
    STATUS_401 = "status_401"
    STATUS_403 = "status_403"
    STATUS_429 = "status_429"
    STATUS_500 = "status_500"
    STATUS_502 = "status_502"
    STATUS_503 = "status_503"
    STATUS_504 = "status_504"
    # The connection fails.
    CLOSED_AT_ONCE = "closed_at_once"
    RESET_IN_BODY = "reset_in_body"
    SHORT_BODY = "short_body"
    SHORT_CHUNKED_BODY = "short_chunked_body"
    SHORT_BODY_WITHOUT_LENGTH = "short_body_without_length"
    SLOW_DRIP = "slow_drip"
    # The body is invalid.
    HTML_PAGE = "html_page"
    EMPTY_ZIP = "empty_zip"
    ZIP_CUT_OFF = "zip_cut_off"
    # A member of the zip is invalid.
    HOUR_NOT_FOUND = "hour_not_found"
    ZIP_BAD_CRC = "zip_bad_crc"
    GZIP_BAD_CRC = "gzip_bad_crc"
    GZIP_CUT_OFF = "gzip_cut_off"
    NAME_OUTSIDE = "name_outside"
    NAME_ABSOLUTE = "name_absolute"
    UNKNOWN_PROJECT = "unknown_project"
    HOUR_NOT_ASKED = "hour_not_asked"
    SAME_PART_TWICE = "same_part_twice"
    ZIP_BOMB = "zip_bomb"
    GZIP_BOMB = "gzip_bomb"
    # The hour has invalid or extreme lines.
    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    NOT_AN_OBJECT = "not_an_object"
    HUGE_LINE = "huge_line"
    DUPLICATE_KEYS = "duplicate_keys"
    NAN_AND_INFINITY = "nan_and_infinity"
    DEEP_NESTING = "deep_nesting"
    MANY_VALUES = "many_values"


STATUSES = {
    FaultKind.STATUS_400_TOO_LARGE: (400, "The file size of the exported data is too large."),
    FaultKind.STATUS_401: (401, "Authentication required"),
    FaultKind.STATUS_403: (403, "Invalid API Key"),
    FaultKind.STATUS_429: (429, "Too many concurrent requests"),
    FaultKind.STATUS_500: (500, "Internal Server Error"),
    FaultKind.STATUS_502: (502, "Bad Gateway"),
    FaultKind.STATUS_503: (503, "Service Unavailable"),
    FaultKind.STATUS_504: (504, "The amount of data is large causing a timeout"),
}
CONNECTION_KINDS = frozenset(
    {
        FaultKind.CLOSED_AT_ONCE,
        FaultKind.RESET_IN_BODY,
        FaultKind.SHORT_BODY,
        FaultKind.SHORT_CHUNKED_BODY,
        FaultKind.SHORT_BODY_WITHOUT_LENGTH,
        FaultKind.SLOW_DRIP,
    }
)
BODY_KINDS = frozenset({FaultKind.HTML_PAGE, FaultKind.EMPTY_ZIP, FaultKind.ZIP_CUT_OFF})
LINE_KINDS = frozenset(
    {
        FaultKind.NOT_JSON,
        FaultKind.NOT_UTF8,
        FaultKind.NOT_AN_OBJECT,
        FaultKind.HUGE_LINE,
        FaultKind.DUPLICATE_KEYS,
        FaultKind.NAN_AND_INFINITY,
        FaultKind.DEEP_NESTING,
        FaultKind.MANY_VALUES,
    }
)
# These add a member that does not belong in the zip, with lines of its own.
STRAY_MEMBER_KINDS = frozenset(
    {
        FaultKind.NAME_OUTSIDE,
        FaultKind.NAME_ABSOLUTE,
        FaultKind.UNKNOWN_PROJECT,
        FaultKind.HOUR_NOT_ASKED,
    }
)
# One of these determines the whole response; all others change single hours and can be combined.
WHOLE_RESPONSE_KINDS = frozenset(STATUSES) | CONNECTION_KINDS | BODY_KINDS


@dataclass(frozen=True)
class Fault:
    """A rule: the kind of fault, the hours that it affects, and how often.

    It applies to requests whose range overlaps `hours` (first and last, both inclusive, UTC; None
    for all hours), at most `times` times (None for no limit). Faults of the whole response apply
    one at a time, in the order in which they were added. All faults of members and lines apply at
    once, to each of their hours in the response.

    `retry_after` is the Retry-After header of a 429 or 503, `pause_seconds` the pause before each
    of the twenty chunks of a slow body, `size_bytes` the size of a huge line or the unpacked size
    of a zip or gzip bomb.
    """

    kind: FaultKind
    hours: tuple[datetime, datetime] | None = None
    times: int | None = None
    retry_after: str | None = None
    pause_seconds: float = 0.05
    size_bytes: int = 20 * 1024**2

    def applies_to(self, hour: datetime) -> bool:
        """Return whether the rule affects this hour."""
        return self.hours is None or self.hours[0] <= hour <= self.hours[1]

    def extra_lines(self, hour: datetime) -> list[bytes]:
        """Return the lines that the fault adds to the hour, in file order, without newlines.

        Stray members contain only these lines. Empty for faults that add none.
        """
        if self.kind in LINE_KINDS | STRAY_MEMBER_KINDS:
            return lines_of(self.kind, hour, self.size_bytes)
        return []


class FaultRules:
    """The active rules. Thread-safe."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._lock = threading.Lock()
        self._faults = [(fault, fault.times) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Add a rule."""
        with self._lock:
            self._faults.append((fault, fault.times))

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._faults = []

    def take(self, hours: Sequence[datetime]) -> list[Fault]:
        """Return the faults of a request for these hours, and count each as applied once."""
        with self._lock:
            matching = [
                at
                for at, (fault, left) in enumerate(self._faults)
                if left != 0 and any(fault.applies_to(hour) for hour in hours)
            ]
            whole = [at for at in matching if self._faults[at][0].kind in WHOLE_RESPONSE_KINDS]
            taken = whole[:1] or matching
            for at in taken:
                fault, left = self._faults[at]
                self._faults[at] = (fault, None if left is None else left - 1)
            return [self._faults[at][0] for at in taken]
