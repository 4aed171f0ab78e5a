"""Download a response body to disk, and check that it is a complete zip of the right hours."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from amplitude_assets.export.api.cancellation import Stop
from amplitude_assets.export.api.status_codes import RetryableError
from amplitude_assets.export.archive.directory import hours_in
from amplitude_assets.export.errors import ArchiveError, UnavailableError
from amplitude_assets.hours import HourRange
from amplitude_assets.streams.part_files import PartFile

_CHUNK_BYTES = 1024 * 1024
_ZIP_MAGIC = b"PK"


@dataclass(frozen=True)
class Timeouts:
    """Timeouts of a request, in seconds.

    `read` limits the time without any byte, and the time for which a body may arrive more slowly
    than `least_bytes_per_second`.
    """

    connect: float = 10.0
    read: float = 600.0
    least_bytes_per_second: int = 1024


class Arrivals:
    """Counts the bytes received by all threads, without those of failed downloads."""

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._whole = 0
        self._under_way: set[PartFile] = set()

    @property
    def bytes(self) -> int:
        """Return the number of bytes received so far."""
        with self._lock:
            return self._whole + sum(part.bytes for part in self._under_way)

    @contextmanager
    def counting(self, part: PartFile) -> Iterator[None]:
        """Count a part file's bytes; stop counting them if the block raises."""
        with self._lock:
            self._under_way.add(part)
        try:
            yield
        except BaseException:
            with self._lock:
                self._under_way.remove(part)
            raise
        with self._lock:
            self._under_way.remove(part)
            self._whole += part.bytes


class Receiver:
    """Downloads the response bodies of one project to disk."""

    def __init__(
        self, project_id: int, timeout: Timeouts, readable: Callable[[bytes], str]
    ) -> None:
        """Create a receiver; `readable` decodes the start of a body, with the keys redacted."""
        self._project_id = project_id
        self._timeout = timeout
        self._readable = readable

    def receive(
        self, hours: HourRange, response: requests.Response, part: PartFile, stop: Stop
    ) -> None:
        """Write a body to the part file. Raises RetryableError when it is not a zip, or too slow.

        Raises ProjectError when the zip belongs to another project, UnavailableError when the run
        stops, and DiskError. urllib3 raises when the body is shorter than its Content-Length.
        """
        pace = _Pace(self._timeout)
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            if part.bytes == 0 and not chunk.startswith(_ZIP_MAGIC[: len(chunk)]):
                raise self._not_a_zip(hours, chunk)
            part.write(chunk)
            if stop.is_set():
                raise UnavailableError(hours, "download cancelled because the run is stopping")
            if pace.is_too_slow(part.bytes):
                raise RetryableError(UnavailableError(hours, f"the body arrived {pace}"))
        part.flush()
        self._check_zip(hours, part.path)

    def _not_a_zip(self, hours: HourRange, chunk: bytes) -> RetryableError:
        begins = self._readable(chunk)[:80]
        return RetryableError(
            UnavailableError(hours, f"the body is not a zip; it begins with {begins!r}")
        )

    def _check_zip(self, hours: HourRange, path: Path) -> None:
        try:
            members = hours_in(path, self._project_id, hours)
        except ArchiveError as error:
            raise RetryableError(error) from error
        if not any(members.values()):
            raise RetryableError(ArchiveError(hours, "the downloaded zip is empty"))


class _Pace:
    """Measures a body's rate over each interval of the read timeout."""

    def __init__(self, timeout: Timeouts) -> None:
        self._timeout = timeout
        self._began = time.monotonic()
        self._bytes = 0

    def __str__(self) -> str:
        least = self._timeout.least_bytes_per_second
        return f"at less than {least} bytes a second for {self._timeout.read:g} s"

    def is_too_slow(self, received: int) -> bool:
        now = time.monotonic()
        if now - self._began < self._timeout.read:
            return False
        least = self._timeout.least_bytes_per_second * (now - self._began)
        is_slow = received - self._bytes < least
        self._began, self._bytes = now, received
        return is_slow
