"""The Export API's client: asks for ranges of hours and brings each zip to disk, whole.

What is asked and answered stands at https://amplitude.com/docs/apis/analytics/export.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import requests
import urllib3.exceptions
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from amplitude_assets.export.answers import (
    RetryableError,
    beginning,
    connection_error,
    judge,
    readable,
)
from amplitude_assets.export.errors import ExportError, UnavailableError
from amplitude_assets.export.fetching import Fetching
from amplitude_assets.export.files import PartFile
from amplitude_assets.export.receiving import Arrivals, Receiver, Timeouts
from amplitude_assets.export.stopping import Stop
from amplitude_assets.hours import Clock, HourRange, api_parameter, format_hour, utc_now


@dataclass(frozen=True)
class RetryLimits:
    """How often and how slowly a request is repeated. Times are in seconds.

    The wait before each repeat is drawn from zero to `base_seconds` doubled each time, at most
    `cap_seconds`. A server's Retry-After is waited out, up to `retry_after_cap_seconds`.
    """

    attempts: int = 5
    base_seconds: float = 0.5
    cap_seconds: float = 30.0
    retry_after_cap_seconds: float = 300.0


@dataclass(frozen=True)
class Delivery:
    """What the server answered for a range of hours.

    `path` is the zip, or None when the server holds no data for the range (404). An hour that is
    not ready gives the same 404: `fetched_at`, when the answered request was sent (UTC), is what
    tells the two apart. `attempts` counts the requests that it took.
    """

    hours: HourRange
    path: Path | None
    bytes: int
    crc32: str | None
    fetched_at: datetime
    attempts: int


class ExportClient:
    """Asks one Export API with one project's keys. Safe to use from many threads."""

    def __init__(  # noqa: PLR0913 - each is a fact of one server, or a stand-in for time
        self,
        origin: str,
        api_key: str,
        secret_key: str,
        *,
        project_id: int,
        max_concurrent: int = 4,
        retry: RetryLimits | None = None,
        timeout: Timeouts | None = None,
        clock: Clock = utc_now,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        """Prepare for `origin`, such as https://amplitude.com; nothing is sent yet.

        `max_concurrent` bounds the requests under way at any time, across all threads. `clock`
        tells the time (UTC), and `pause` lets seconds pass unless the event comes first.
        """
        self._origin = origin
        self._auth = (api_key, secret_key)
        self._project_id = project_id
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
        """Show where it asks, and never the keys."""
        return f"ExportClient({self._origin!r}, project_id={self._project_id})"

    def check_keys(self, hours: HourRange) -> None:
        """Ask once, and look at the status alone: nothing is received.

        Raises CredentialsError when the keys are refused, and ExportError for any other answer
        than the Export API's own 200 or 404.
        """
        try:
            with self._under_way, self._get(hours, Stop()) as response:
                self._judge(hours, response)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise connection_error(hours, self._origin, error) from error
        except RetryableError as failure:
            raise failure.error from failure

    def fetch(self, hours: HourRange, folder: Path) -> Delivery:
        """Ask for one range, with retries, and bring its zip to `folder`.

        Raises ExportError of the kind that says what failed, and DiskError.
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
        """Ask for all ranges, a few at a time, halving those that are too large or keep failing.

        `on_delivery` is called in the caller's thread, as each delivery arrives, and `on_received`
        before that and every second, with the bytes that are here by then. The errors that come
        back name exactly the hours that were not delivered. Raises DiskError, and whatever the two
        raise; deliveries so far stay.
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
        """Send one request and take its answer. Raises RetryableError when another may help."""
        with self._under_way:
            if stop.is_set():
                raise UnavailableError(hours, "was not asked for, because the run is stopping")
            sent_at = self._clock()
            try:
                with self._get(hours, stop) as response:
                    self._judge(hours, response)
                    if response.status_code == 404:
                        return Delivery(hours, None, 0, None, sent_at, attempt)
                    with PartFile(folder) as part, arrivals.counting(part):
                        self._receiver.receive(hours, response, part, stop)
                        path = _published(part, hours)
                        return Delivery(hours, path, part.bytes, part.crc32, sent_at, attempt)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                raise RetryableError(connection_error(hours, self._origin, error)) from error

    def _get(self, hours: HourRange, stop: Stop) -> requests.Response:
        return stop.session().get(
            f"{self._origin}/api/2/export",
            params={"start": api_parameter(hours.first), "end": api_parameter(hours.last)},
            auth=self._auth,
            # The body is a zip already; encoded again, its length could not be checked.
            headers={"Accept-Encoding": "identity"},
            timeout=(self._timeout.connect, self._timeout.read),
            allow_redirects=False,
            stream=True,
        )

    def _judge(self, hours: HourRange, response: requests.Response) -> None:
        said = "" if response.status_code == 200 else beginning(response, self._auth)
        judge(hours, response, said, self._clock())


def _published(part: PartFile, hours: HourRange) -> Path:
    """Give a zip its name, which says what it holds."""
    name = f"{format_hour(hours.first)}--{format_hour(hours.last)}--{part.crc32}.zip"
    return part.publish(name, durable=True)
