"""The body of an answer comes to disk: a whole zip of the hours asked for, and in no slow drip."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from amplitude_assets.export.answers import RetryableError
from amplitude_assets.export.archive import hours_in
from amplitude_assets.export.errors import ArchiveError, UnavailableError
from amplitude_assets.export.files import PartFile
from amplitude_assets.export.stopping import Stop
from amplitude_assets.hours import HourRange

_CHUNK_BYTES = 1024 * 1024
_ZIP_MAGIC = b"PK"


@dataclass(frozen=True)
class Timeouts:
    """How long to wait for the server, in seconds.

    `read` bounds each silence, and the time a body may go on with less than
    `least_bytes_per_second`: a slow drip is given up as a silent server is.
    """

    connect: float = 10.0
    read: float = 600.0
    least_bytes_per_second: int = 1024


class Arrivals:
    """Counts the bytes of many bodies as they come, in any thread.

    Those of a body that failed count no more.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._changing = threading.Lock()
        self._whole = 0
        self._under_way: set[PartFile] = set()

    @property
    def bytes(self) -> int:
        """Return how many bytes are here by now."""
        with self._changing:
            return self._whole + sum(part.bytes for part in self._under_way)

    @contextmanager
    def counting(self, part: PartFile) -> Iterator[None]:
        """Count what a part file holds in this block, and for good when it ends well."""
        with self._changing:
            self._under_way.add(part)
        try:
            yield
        except BaseException:
            with self._changing:
                self._under_way.remove(part)
            raise
        with self._changing:
            self._under_way.remove(part)
            self._whole += part.bytes


class Receiver:
    """Brings the bodies of one project's answers to disk."""

    def __init__(
        self, project_id: int, timeout: Timeouts, readable: Callable[[bytes], str]
    ) -> None:
        """Be ready; `readable` writes the beginning of a body for people, without our keys."""
        self._project_id = project_id
        self._timeout = timeout
        self._readable = readable

    def receive(
        self, hours: HourRange, response: requests.Response, part: PartFile, stop: Stop
    ) -> None:
        """Bring a body to the part file. Raises RetryableError when it is no zip, or too slow.

        Raises ProjectError when the zip is another project's, UnavailableError when the run stops,
        and DiskError. A body that is shorter than the server said is urllib3's to tell.
        """
        pace = _Pace(self._timeout)
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            if part.bytes == 0 and not chunk.startswith(_ZIP_MAGIC[: len(chunk)]):
                raise self._no_zip(hours, chunk)
            part.write(chunk)
            if stop.is_set():
                raise UnavailableError(hours, "was not received, because the run is stopping")
            if pace.is_too_slow(part.bytes):
                raise RetryableError(UnavailableError(hours, f"the body came {pace}"))
        part.flush()
        self._check_zip(hours, part.path)

    def _no_zip(self, hours: HourRange, chunk: bytes) -> RetryableError:
        begins = self._readable(chunk)[:80]
        return RetryableError(
            UnavailableError(hours, f"the body is no zip; it begins with {begins!r}")
        )

    def _check_zip(self, hours: HourRange, path: Path) -> None:
        try:
            members = hours_in(path, self._project_id, hours)
        except ArchiveError as error:
            raise RetryableError(error) from error
        if not any(members.values()):
            raise RetryableError(ArchiveError(hours, "the zip that arrived is empty"))


class _Pace:
    """Watches that a body comes at the least speed, over each stretch of the read timeout."""

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
