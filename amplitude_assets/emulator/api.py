"""What the Export API answers to a request, apart from how that travels over HTTP.

The rules are those of Amplitude's Export API page: both hours of a range inclusive and in UTC, an
hour exportable only some hours after its end, at most 365 days and 4 GB a request.
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
from amplitude_assets.emulator.fault_members import with_faults
from amplitude_assets.emulator.faults import Fault
from amplitude_assets.emulator.world import Member, World

API_KEY = "emulator"
SECRET_KEY = "emulator-secret"  # noqa: S105 - it opens nothing
MAX_RESPONSE_BYTES = 4 * 1024**3
NOT_FOUND = "Raw data files were not found."

HOUR = timedelta(hours=1)
_MAX_RANGE = timedelta(days=365)
_HOUR_FORMAT = re.compile(r"\d{8}T\d{2}")
_SPOOLED_BYTES = 16 * 1024**2
_CACHED_BYTES = 48 * 1024**2


@dataclass(frozen=True)
class Limits:
    """When the API refuses: ranges of more than `max_range_hours` time out (504)."""

    delay_hours: int = 2
    max_response_bytes: int = MAX_RESPONSE_BYTES
    max_range_hours: int | None = None


@dataclass(frozen=True)
class Answer:
    """A response: its body is a file at its beginning, of `size` bytes."""

    status: int
    content_type: str
    body: IO[bytes]
    size: int


class RefusedError(Exception):
    """The request gets no data: the status and the text of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def text_answer(
    status: int, message: str, content_type: str = "text/plain; charset=utf-8"
) -> Answer:
    """An answer that is only a message."""
    body = message.encode()
    return Answer(status, content_type, BytesIO(body), len(body))


class ExportApi:
    """One project's Export API. Safe to use from several threads."""

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
        self._clock = clock
        self._limits = limits
        self._cache = _HourCache(_CACHED_BYTES)

    def check_credentials(self, authorization: str | None) -> None:
        """Raise Refused unless the Authorization header names this project's keys (HTTP Basic)."""
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            raise RefusedError(401, "Authentication required")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            raise RefusedError(401, "Authentication required") from None
        if given != self._credentials:
            raise RefusedError(403, "Invalid API Key")

    def check_range(self, start: str | None, end: str | None) -> list[datetime]:
        """The hours asked for, both ends included, or raise RefusedError."""
        first, last = _hour("start", start), _hour("end", end)
        if last < first:
            raise RefusedError(400, "end must not be before start")
        if last + HOUR - first > _MAX_RANGE:
            raise RefusedError(400, "The time range must not be longer than 365 days")
        hours = [first + HOUR * n for n in range((last - first) // HOUR + 1)]
        if self._limits.max_range_hours is not None and len(hours) > self._limits.max_range_hours:
            raise RefusedError(504, "The amount of data is large causing a timeout")
        return hours

    def export(self, hours: Sequence[datetime], faults: Sequence[Fault] = ()) -> Answer:
        """The zip of these hours, or raise RefusedError; hours that are not ready are absent.

        `faults` are about members and lines; each changes the hours that it concerns.
        """
        file = tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES)  # noqa: SIM115 - the answer's body
        try:
            count = write_zip(self._entries(hours, faults), file, self._limits.max_response_bytes)
        except TooLargeError:
            raise RefusedError(
                400, "The file size of the exported data is too large. Shorten the time range."
            ) from None
        if not count:
            raise RefusedError(404, NOT_FOUND)
        size = file.tell()
        file.seek(0)
        return Answer(200, "application/zip", file, size)

    def is_ready(self, hour: datetime) -> bool:
        """Whether an hour has been over for the delay's full hours."""
        return self._clock() >= hour + HOUR * (1 + self._limits.delay_hours)

    def _entries(self, hours: Sequence[datetime], faults: Sequence[Fault]) -> Iterator[Entry]:
        for hour in filter(self.is_ready, hours):
            here = [fault for fault in faults if fault.concerns(hour)]
            members = self._members(hour)
            if not here:
                yield from (Entry(member.name, [member.data]) for member in members)
            elif whole_hour := list(members):
                yield from with_faults(whole_hour, here, hour, hours[-1])

    def _members(self, hour: datetime) -> Iterator[Member]:
        kept = self._cache.get(hour)
        if kept is not None:
            yield from kept
            return
        made: list[Member] = []
        size = 0
        for member in self._world.members(hour):
            size += len(member.data)
            if size <= _CACHED_BYTES // 4:
                made.append(member)
            yield member
        if size <= _CACHED_BYTES // 4:
            self._cache.put(hour, made)


def _hour(name: str, text: str | None) -> datetime:
    if not text:
        raise RefusedError(400, f"Missing required parameter: {name}")
    try:
        if not _HOUR_FORMAT.fullmatch(text):
            raise ValueError
        return datetime.strptime(text, "%Y%m%dT%H").replace(tzinfo=UTC)
    except ValueError:
        raise RefusedError(
            400, f"Invalid {name}: {text!r} is not of the form YYYYMMDDTHH"
        ) from None


class _HourCache:
    """The hours last served, up to a number of bytes."""

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
