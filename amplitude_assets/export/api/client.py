"""Request ranges of hours from the Export API, and download each complete zip to disk.

The API is documented at https://amplitude.com/docs/apis/analytics/export.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3.exceptions
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from amplitude_assets.export.api.cancellation import Stop
from amplitude_assets.export.api.download import Arrivals, Receiver, Timeouts
from amplitude_assets.export.api.fetching import Fetching
from amplitude_assets.export.api.status_codes import (
    RetryableError,
    check_clock,
    check_status,
    connection_error,
    read_start,
    readable,
    time_of,
)
from amplitude_assets.export.archive.directory import check_project
from amplitude_assets.export.errors import ExportError, UnavailableError
from amplitude_assets.export.source import Delivery, Probe
from amplitude_assets.hours import Clock, HourRange, api_parameter, format_hour, utc_now
from amplitude_assets.streams.part_files import PartFile

_BYTES_OF_A_HEADER = 512  # of a zip's first member

_PROBE_SECONDS = 15.0


@dataclass(frozen=True)
class RetryLimits:
    """Retry policy of one request. Times are in seconds.

    The delay before each retry is random, between zero and `base_seconds` doubled each time, at
    most `cap_seconds`. A server's Retry-After is added, up to `retry_after_cap_seconds`.
    """

    attempts: int = 5
    base_seconds: float = 0.5
    cap_seconds: float = 30.0
    retry_after_cap_seconds: float = 300.0


class ExportClient:
    """The `HourSource` over one Export API. Safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - each describes the server or replaces the clock in tests
        self,
        origin: str,
        api_key: str,
        secret_key: str,
        *,
        project_id: int,
        delay_hours: int = 2,
        max_concurrent: int = 4,
        retry: RetryLimits | None = None,
        timeout: Timeouts | None = None,
        clock: Clock = utc_now,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        """Create a client of `origin`, such as https://amplitude.com, without connecting.

        An hour is exportable `delay_hours` full hours after its end. `max_concurrent` limits the
        concurrent requests of all threads. `clock` returns the time (UTC). `pause` waits for an
        event to be set, at most the given number of seconds.
        """
        self._origin = origin
        self._auth = (api_key, secret_key)
        self._project_id = project_id
        self._delay_hours = delay_hours
        self._max_concurrent = max_concurrent
        self._retry = retry or RetryLimits()
        self._timeout = timeout or Timeouts()
        self._receiver = Receiver(
            project_id, self._timeout, lambda start: readable(start, self._auth)
        )
        self._clock = clock
        self._pause = pause
        self._under_way = threading.BoundedSemaphore(max_concurrent)

    def __repr__(self) -> str:
        """Return the origin and the project, without the keys."""
        return f"ExportClient({self._origin!r}, project_id={self._project_id})"

    def probe(self, hours: HourRange) -> Probe:
        """Send one request, and read only the status and the first bytes of the zip.

        The read timeout is 15 seconds. Raises CredentialsError when the server rejects the keys,
        ProjectError when they belong to another project, and ExportError for any other response
        than the Export API's own 200 or 404.
        """
        try:
            with self._under_way, self._get(hours, Stop(), _PROBE_SECONDS) as response:
                self._check_status(hours, response)
                has_data = response.status_code == 200
                if has_data:
                    start = response.raw.read(_BYTES_OF_A_HEADER, decode_content=True)
                    check_project(start, self._project_id, hours)
                server_time = time_of(response)
                ahead = None if server_time is None else self._clock() - server_time
                return Probe(has_data, ahead)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise connection_error(hours, self._origin, error) from error
        except RetryableError as failure:
            raise failure.error from failure

    def fetch(self, hours: HourRange, folder: Path) -> Delivery:
        """Download the zip of one range to `folder`, with retries.

        Raises the subclass of ExportError that fits the failure, and DiskError.
        """
        return self._fetch(hours, folder, self._retry.attempts, Stop(), Arrivals())

    def fetch_all(
        self,
        ranges: Iterable[HourRange],
        folder: Path,
        *,
        on_delivery: Callable[[Delivery], None],
        on_received: Callable[[int], None] = lambda _: None,
    ) -> list[ExportError]:
        """Download all ranges, a few at a time, halving those that are too large or keep failing.

        Both callbacks run in the caller's thread: `on_delivery` after each delivery, `on_received`
        before it and every second, with the bytes received so far. Returns errors that name
        exactly the hours that were not delivered. Raises DiskError, and what the callbacks raise;
        finished deliveries stay on disk.
        """
        arrivals = Arrivals()

        def ask(hours: HourRange, attempts: int, stop: Stop) -> Delivery:
            return self._fetch(hours, folder, attempts, stop, arrivals)

        fetching = Fetching(
            ask,
            on_delivery,
            lambda: on_received(arrivals.bytes),
            workers=self._max_concurrent,
            attempts=self._retry.attempts,
        )
        return fetching.run(ranges)

    def _fetch(
        self, hours: HourRange, folder: Path, attempts: int, stop: Stop, arrivals: Arrivals
    ) -> Delivery:
        def sleep(seconds: float) -> None:
            self._pause(stop, seconds)

        retrying = Retrying(
            stop=stop_after_attempt(attempts),
            retry=retry_if_exception_type(RetryableError),
            wait=self._wait,
            sleep=sleep,
            reraise=True,
        )
        try:
            for attempt in retrying:
                with attempt:
                    number = attempt.retry_state.attempt_number
                    return self._ask(hours, folder, number, stop, arrivals)
        except RetryableError as failure:
            raise failure.error from failure.__cause__
        raise AssertionError("tenacity either returns or raises")

    def _wait(self, state: RetryCallState) -> float:
        limits = self._retry
        backoff = wait_random_exponential(multiplier=limits.base_seconds, max=limits.cap_seconds)
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.retry_after if isinstance(failure, RetryableError) else 0.0
        return min(asked, limits.retry_after_cap_seconds) + backoff(state)

    def _ask(
        self, hours: HourRange, folder: Path, attempt: int, stop: Stop, arrivals: Arrivals
    ) -> Delivery:
        """Send one request and store its body. Raises RetryableError when a retry may succeed."""
        with self._under_way:
            if stop.is_set():
                raise UnavailableError(hours, "was not asked for, because the run is stopping")
            sent_at = self._clock()
            try:
                with self._get(hours, stop) as response:
                    self._check_status(hours, response)
                    check_clock(hours, response, sent_at, self._delay_hours)
                    if response.status_code == 404:
                        return Delivery(hours, None, 0, None, sent_at, attempt)
                    with PartFile(folder) as part, arrivals.counting(part):
                        self._receiver.receive(hours, response, part, stop)
                        path = _published(part, hours)
                        return Delivery(hours, path, part.bytes, part.crc32, sent_at, attempt)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                raise RetryableError(connection_error(hours, self._origin, error)) from error

    def _get(
        self, hours: HourRange, stop: Stop, read_seconds: float | None = None
    ) -> requests.Response:
        return stop.session().get(
            f"{self._origin}/api/2/export",
            params={"start": api_parameter(hours.first), "end": api_parameter(hours.last)},
            auth=self._auth,
            # With a content encoding, urllib3 could not check the body's length.
            headers={"Accept-Encoding": "identity"},
            timeout=(self._timeout.connect, read_seconds or self._timeout.read),
            allow_redirects=False,
            stream=True,
        )

    def _check_status(self, hours: HourRange, response: requests.Response) -> None:
        body_start = "" if response.status_code == 200 else read_start(response, self._auth)
        check_status(hours, response, body_start, self._clock())


def _published(part: PartFile, hours: HourRange) -> Path:
    """Rename a complete zip to its hours and checksum."""
    name = f"{format_hour(hours.first)}--{format_hour(hours.last)}--{part.crc32}.zip"
    return part.publish(name, durable=True)
