"""The protocol of a source of export hours: the Export API's client, and Amplitude's S3 export."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from amplitude_assets.export.errors import ExportError
from amplitude_assets.hours import HourRange


@dataclass(frozen=True)
class Probe:
    """The result of a request that the source accepted.

    `has_data` is true when the requested hours have events, and these belong to the project.
    `clock_ahead` is how far this machine's clock is ahead of the server's (negative: behind), or
    None when the source does not report its time.
    """

    has_data: bool
    clock_ahead: timedelta | None


@dataclass(frozen=True)
class Delivery:
    """A source's response for a range of hours.

    `path` is the zip, or None when the source has no data for the range. The Export API then
    responds 404, as it does for an hour that is not ready; `fetched_at`, when the last request was
    sent (UTC), distinguishes the two. `attempts` counts the requests.
    """

    hours: HourRange
    path: Path | None
    bytes: int
    crc32: str | None
    fetched_at: datetime
    attempts: int


class HourSource(Protocol):
    """Delivers the events of export hours as zips in the format of the Export API."""

    def probe(self, hours: HourRange) -> Probe:
        """Check access and project with one request for `hours`.

        Raises ExportError, or LakeError when the source is a bucket that cannot be listed.
        """
        ...

    def fetch_all(
        self,
        ranges: Iterable[HourRange],
        folder: Path,
        *,
        on_delivery: Callable[[Delivery], None],
        on_received: Callable[[int], None] = lambda _: None,
    ) -> list[ExportError]:
        """Download all ranges to `folder`; return an error for each hour that failed.

        `on_delivery` is called with each delivery in the caller's thread, `on_received` with the
        number of bytes received so far. Raises DiskError, and what the callbacks raise; earlier
        deliveries stay.
        """
        ...
