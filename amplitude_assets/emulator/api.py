"""The Export API's responses, independent of HTTP.

The rules are those of https://amplitude.com/docs/apis/analytics/export: both hours of a range are
inclusive and in UTC, an hour is exportable only some hours after its end, and a request covers at
most 365 days and 4 GB.
"""

import base64
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import IO

from amplitude_assets.emulator.archive import Entry, TooLargeError, write_zip
from amplitude_assets.emulator.faults.members import with_faults
from amplitude_assets.emulator.faults.rules import Fault
from amplitude_assets.emulator.world.world import Member, World

API_KEY = "emulator"
SECRET_KEY = "emulator-secret"  # noqa: S105 - not a real secret
MAX_RESPONSE_BYTES = 4 * 1024**3
NOT_FOUND = "Raw data files were not found."

HOUR = timedelta(hours=1)
_MAX_RANGE = timedelta(days=365)
_HOUR_FORMAT = re.compile(r"\d{8}T\d{2}")
_SPOOLED_BYTES = 16 * 1024**2
_CACHED_BYTES = 48 * 1024**2


@dataclass(frozen=True)
class Limits:
    """The API's limits.

    An hour is exportable `delay_hours` full hours after its end. A zip of more than
    `max_response_bytes` is a 400, and a range of more than `max_range_hours` a 504 (None for no
    limit).
    """

    delay_hours: int = 2
    max_response_bytes: int = MAX_RESPONSE_BYTES
    max_range_hours: int | None = None


@dataclass(frozen=True)
class Response:
    """A response. `body` is a file of `size` bytes, positioned at its start."""

    status: int
    content_type: str
    body: IO[bytes]
    size: int


class ApiError(Exception):
    """An error response: its status and its text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def text_response(
    status: int, message: str, content_type: str = "text/plain; charset=utf-8"
) -> Response:
    """Return a response with a text body."""
    body = message.encode()
    return Response(status, content_type, BytesIO(body), len(body))


class ExportApi:
    """One project's Export API. Thread-safe."""

    def __init__(
        self,
        world: World,
        api_key: str,
        secret_key: str,
        clock: Callable[[], datetime],
        limits: Limits,
    ) -> None:
        self._world = world
        self._credentials = f"{api_key}:{secret_key}"
        self.clock = clock
        self._limits = limits
        self._cache = _HourCache(_CACHED_BYTES)

    def check_credentials(self, authorization: str | None) -> None:
        """Raise ApiError unless the header has this project's keys (HTTP Basic).

        The status is 401 when the header is missing or invalid, and 403 when the keys are wrong.
        """
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            raise ApiError(401, "Authentication required")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            raise ApiError(401, "Authentication required") from None
        if given != self._credentials:
            raise ApiError(403, "Invalid API Key")

    def check_range(self, start: str | None, end: str | None) -> list[datetime]:
        """Return the requested hours, both ends inclusive (UTC).

        Raises ApiError: 400 for an invalid range, 504 for one that times out.
        """
        first, last = _hour("start", start), _hour("end", end)
        if last < first:
            raise ApiError(400, "end must not be before start")
        if last + HOUR - first > _MAX_RANGE:
            raise ApiError(400, "The time range must not be longer than 365 days")
        hours = [first + HOUR * n for n in range((last - first) // HOUR + 1)]
        if self._limits.max_range_hours is not None and len(hours) > self._limits.max_range_hours:
            raise ApiError(504, "The amount of data is large causing a timeout")
        return hours

    def export(self, hours: Sequence[datetime], faults: Sequence[Fault] = ()) -> Response:
        """Return the zip of these hours, omitting hours that are not ready.

        `faults` are faults of members and lines; each changes the hours in its range. Raises
        ApiError: 400 when the zip is too large, 404 when no hour has data.
        """
        file = tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES)  # noqa: SIM115 - the body
        try:
            count = write_zip(self._entries(hours, faults), file, self._limits.max_response_bytes)
        except TooLargeError:
            raise ApiError(
                400, "The file size of the exported data is too large. Shorten the time range."
            ) from None
        if not count:
            raise ApiError(404, NOT_FOUND)
        size = file.tell()
        file.seek(0)
        return Response(200, "application/zip", file, size)

    def is_ready(self, hour: datetime) -> bool:
        """Return whether an hour ended at least `delay_hours` full hours ago."""
        return self.clock() >= hour + HOUR * (1 + self._limits.delay_hours)

    def _entries(self, hours: Sequence[datetime], faults: Sequence[Fault]) -> Iterator[Entry]:
        for hour in filter(self.is_ready, hours):
            matching = [fault for fault in faults if fault.applies_to(hour)]
            members = self._members(hour)
            if not matching:
                yield from (Entry(member.name, [member.data]) for member in members)
            elif all_members := list(members):
                yield from with_faults(all_members, matching, hour, hours[-1])

    def _members(self, hour: datetime) -> Iterator[Member]:
        cached = self._cache.get(hour)
        if cached is not None:
            yield from cached
            return
        generated: list[Member] = []
        size = 0
        for member in self._world.members(hour):
            size += len(member.data)
            if size <= _CACHED_BYTES // 4:
                generated.append(member)
            yield member
        if size <= _CACHED_BYTES // 4:
            self._cache.put(hour, generated)


def _hour(name: str, text: str | None) -> datetime:
    if not text:
        raise ApiError(400, f"Missing required parameter: {name}")
    try:
        if not _HOUR_FORMAT.fullmatch(text):
            raise ValueError
        return datetime.strptime(text, "%Y%m%dT%H").replace(tzinfo=UTC)
    except ValueError:
        raise ApiError(400, f"Invalid {name}: {text!r} is not of the form YYYYMMDDTHH") from None


class _HourCache:
    """An LRU cache of hours, limited in bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._hours: OrderedDict[datetime, list[Member]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, hour: datetime) -> list[Member] | None:
        with self._lock:
            if hour in self._hours:
                self._hours.move_to_end(hour)
            return self._hours.get(hour)

    def put(self, hour: datetime, members: list[Member]) -> None:
        with self._lock:
            if hour in self._hours:
                return
            self._hours[hour] = members
            self._bytes += _size(members)
            while self._bytes > self._max_bytes:
                self._bytes -= _size(self._hours.popitem(last=False)[1])


def _size(members: list[Member]) -> int:
    return sum(len(member.data) for member in members)
