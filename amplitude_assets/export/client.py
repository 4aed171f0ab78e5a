"""The Export API's client: asks for ranges of hours and brings each zip to disk, whole.

What is asked and answered stands at https://amplitude.com/docs/apis/analytics/export.
"""

import base64
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from amplitude_assets.export.archive import hours_in
from amplitude_assets.export.errors import (
    ArchiveError,
    CredentialsError,
    ExportError,
    ProjectError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from amplitude_assets.export.files import PartFile
from amplitude_assets.hours import HourRange, api_parameter, format_hour

_CHUNK_BYTES = 1024 * 1024
_QUOTED_CHARACTERS = 200
_ATTEMPTS_FOR_PARTS = 2
_FAILURES_PER_WORKER = 6
_S3_EXPORT = (
    "Amplitude's S3 export has no such limit: set it up for this hour in Amplitude, "
    "https://amplitude.com/docs/data/destination-catalog/amazon-s3"
)


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
class Timeouts:
    """How long to wait for the server, in seconds.

    `read` bounds each silence, and the time a body may go on with less than
    `least_bytes_per_second`: a slow drip is given up as a silent server is.
    """

    connect: float = 10.0
    read: float = 600.0
    least_bytes_per_second: int = 1024


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
    sha256: str | None
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
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare for `origin`, such as https://amplitude.com; nothing is sent yet.

        `max_concurrent` bounds the requests under way at any time, across all threads.
        """
        self._origin = origin
        self._auth = (api_key, secret_key)
        self._project_id = project_id
        self._max_concurrent = max_concurrent
        self._retry = retry or RetryLimits()
        self._timeout = timeout or Timeouts()
        self._clock = clock
        self._sleep = sleep
        self._under_way = threading.BoundedSemaphore(max_concurrent)
        self._thread = threading.local()

    def __repr__(self) -> str:
        """Show where it asks, and never the keys."""
        return f"ExportClient({self._origin!r}, project_id={self._project_id})"

    def check_keys(self, hours: HourRange) -> None:
        """Ask once, and look at the status alone: nothing is received.

        Raises CredentialsError when the keys are refused, and ExportError for any other answer
        than the Export API's own 200 or 404.
        """
        try:
            with self._under_way, self._get(hours) as response:
                self._judge(hours, response)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _connection_error(hours, self._origin, error) from error
        except _RetryableError as failure:
            raise failure.error from failure

    def fetch(self, hours: HourRange, folder: Path) -> Delivery:
        """Ask for one range, with retries, and bring its zip to `folder`.

        Raises ExportError of the kind that says what failed, and DiskError.
        """
        return self._fetch(hours, folder, self._retry.attempts, threading.Event())

    def fetch_all(
        self,
        ranges: Iterable[HourRange],
        folder: Path,
        *,
        on_delivery: Callable[[Delivery], None],
    ) -> list[ExportError]:
        """Ask for all ranges, a few at a time, halving those that are too large or keep failing.

        `on_delivery` is called in the caller's thread, as each delivery arrives. The errors that
        come back name exactly the hours that were not delivered. Raises DiskError, and whatever
        `on_delivery` raises; deliveries so far stay.
        """
        return _Fetching(self, folder, on_delivery).run(ranges)

    def _fetch(
        self, hours: HourRange, folder: Path, attempts: int, stop: threading.Event
    ) -> Delivery:
        retrying = Retrying(
            stop=stop_after_attempt(attempts),
            retry=retry_if_exception_type(_RetryableError),
            wait=self._wait,
            sleep=self._sleep,
        )
        try:
            for attempt in retrying:
                with attempt:
                    number = attempt.retry_state.attempt_number
                    return self._ask(hours, folder, number, stop)
        except _RetryableError as failure:
            raise failure.error from failure.__cause__
        raise AssertionError("tenacity either returns or raises")

    def _wait(self, state: RetryCallState) -> float:
        limits = self._retry
        backoff = wait_random_exponential(multiplier=limits.base_seconds, max=limits.cap_seconds)
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.retry_after if isinstance(failure, _RetryableError) else 0.0
        return min(asked, limits.retry_after_cap_seconds) + backoff(state)

    def _ask(self, hours: HourRange, folder: Path, attempt: int, stop: threading.Event) -> Delivery:
        """Send one request and take its answer. Raises _RetryableError when another may help."""
        with self._under_way:
            if stop.is_set():
                raise UnavailableError(hours, "was not asked for, because the run is stopping")
            sent_at = self._clock()
            try:
                with self._get(hours) as response:
                    self._judge(hours, response)
                    if response.status_code == 404:
                        return Delivery(hours, None, 0, None, sent_at, attempt)
                    return self._take(hours, response, folder, sent_at, attempt, stop)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                raise _RetryableError(_connection_error(hours, self._origin, error)) from error

    def _get(self, hours: HourRange) -> requests.Response:
        # A session is not promised to be safe to share between threads.
        if not hasattr(self._thread, "session"):
            self._thread.session = requests.Session()
        session: requests.Session = self._thread.session
        return session.get(
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
        """Raise what the status means, unless it is 200, or 404 from the Export API itself."""
        status = response.status_code
        if status == 200:
            return
        if status in range(300, 400):
            raise ExportError(
                hours,
                f"{self._origin} redirects to {_host(response)}; the keys are not sent there. "
                "Set AMPLITUDE_BASE_URL to the origin that answers itself",
            )
        said = self._quote(response)
        if status == 404:
            if said.startswith("<"):
                raise ExportError(
                    hours,
                    f"{self._origin} answers with a web page (404), so it is not the Export API; "
                    "look at AMPLITUDE_BASE_URL",
                )
        elif status in (401, 403):
            raise CredentialsError(
                hours,
                f"the keys were refused ({status}{said and ': ' + said}); look at "
                "AMPLITUDE_API_KEY, AMPLITUDE_SECRET_KEY and AMPLITUDE_REGION",
            )
        elif status == 400:
            raise _bad_request(hours, said)
        elif status == 504:
            too_large = TooLargeError(hours, f"the server timed out over it (504). {_S3_EXPORT}")
            raise too_large if len(hours) > 1 else _RetryableError(too_large)
        elif status == 429:
            limited = RateLimitedError(hours, f"the server asked us to slow down (429): {said}")
            raise _RetryableError(limited, _retry_after(response, self._clock()))
        elif status >= 500:
            failed = UnavailableError(hours, f"the server failed ({status}): {said}")
            raise _RetryableError(failed, _retry_after(response, self._clock()))
        else:
            raise ExportError(
                hours, f"the server gave an answer of no known meaning ({status}): {said}"
            )

    def _take(
        self,
        hours: HourRange,
        response: requests.Response,
        folder: Path,
        sent_at: datetime,
        attempt: int,
        stop: threading.Event,
    ) -> Delivery:
        """Bring a body to disk, and give it its name once it is known to be whole."""
        with PartFile(folder) as part:
            self._download(hours, response, part, stop)
            part.flush()
            self._check_zip(hours, part.path)
            sha256 = part.sha256
            name = f"{format_hour(hours.first)}--{format_hour(hours.last)}--{sha256[:12]}.zip"
            path = part.publish(name, durable=True)
            return Delivery(hours, path, part.bytes, sha256, sent_at, attempt)

    def _download(
        self,
        hours: HourRange,
        response: requests.Response,
        part: PartFile,
        stop: threading.Event,
    ) -> None:
        window = self._timeout.read
        least = self._timeout.least_bytes_per_second * window
        began, before = time.monotonic(), 0
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            if part.bytes == 0 and not chunk.startswith(b"PK"[: len(chunk)]):
                begins = self._hide_keys(chunk[:_QUOTED_CHARACTERS].decode(errors="replace"))
                raise _RetryableError(
                    UnavailableError(hours, f"the body is no zip; it begins with {begins!r}")
                )
            part.write(chunk)
            if stop.is_set():
                raise UnavailableError(hours, "was not received, because the run is stopping")
            if time.monotonic() - began > window:
                if part.bytes - before < least:
                    raise _RetryableError(
                        UnavailableError(
                            hours,
                            f"the body came at less than {self._timeout.least_bytes_per_second} "
                            f"bytes a second for {window:.0f} s",
                        )
                    )
                began, before = time.monotonic(), part.bytes
        promised = response.headers.get("Content-Length", "")
        is_as_sent = "Content-Encoding" not in response.headers
        if promised.isdecimal() and is_as_sent and part.bytes != int(promised):
            raise _RetryableError(
                UnavailableError(hours, f"the body stopped at {part.bytes} of {promised} bytes")
            )

    def _check_zip(self, hours: HourRange, path: Path) -> None:
        try:
            members = hours_in(path, self._project_id, hours)
        except ArchiveError as error:
            raise _RetryableError(error) from error
        if not any(members.values()):
            raise _RetryableError(ArchiveError(hours, "the zip that arrived is empty"))

    def _quote(self, response: requests.Response) -> str:
        """Return the start of what the server said, on one line and without our keys."""
        start = response.raw.read(4 * _QUOTED_CHARACTERS, decode_content=True)
        text = self._hide_keys(start.decode(errors="replace"))
        return " ".join(text.split())[:_QUOTED_CHARACTERS]

    def _hide_keys(self, text: str) -> str:
        for secret in (*self._auth, base64.b64encode(":".join(self._auth).encode()).decode()):
            text = text.replace(secret, "***")
        return text


class _RetryableError(Exception):
    """A failure that may pass. `error` is what it becomes when it does not."""

    def __init__(self, error: ExportError, retry_after: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after


@dataclass(frozen=True)
class _Task:
    hours: HourRange
    attempts: int


class _Fetching:
    """One call of `fetch_all`: what is still to ask for, and what has failed so far."""

    def __init__(
        self, client: ExportClient, folder: Path, on_delivery: Callable[[Delivery], None]
    ) -> None:
        self._client = client
        self._folder = folder
        self._on_delivery = on_delivery
        self._waiting: deque[_Task] = deque()
        self._errors: list[ExportError] = []
        self._stop = threading.Event()
        self._reason_to_stop: ExportError | None = None
        self._failures_in_a_row = 0

    def run(self, ranges: Iterable[HourRange]) -> list[ExportError]:
        """Ask until nothing is left to ask for, or asking has lost its point."""
        workers = self._client._max_concurrent
        attempts = self._client._retry.attempts
        self._waiting.extend(_Task(hours, attempts) for hours in ranges)
        pool = ThreadPoolExecutor(workers, thread_name_prefix="export-client")
        running: dict[Future[Delivery], _Task] = {}
        try:
            while self._waiting or running:
                while self._waiting and len(running) < workers:
                    task = self._waiting.popleft()
                    future = pool.submit(
                        self._client._fetch, task.hours, self._folder, task.attempts, self._stop
                    )
                    running[future] = task
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._settle(running.pop(future), future)
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)
        return sorted(self._errors, key=lambda error: error.hours)

    def _settle(self, task: _Task, future: "Future[Delivery]") -> None:
        try:
            delivery = future.result()
        except ExportError as error:
            self._fail(task, error)
        else:
            self._failures_in_a_row = 0
            self._on_delivery(delivery)

    def _fail(self, task: _Task, error: ExportError) -> None:
        if self._reason_to_stop is not None:
            self._errors.append(_not_asked(task.hours, self._reason_to_stop))
            return
        if isinstance(error, TooLargeError):
            self._failures_in_a_row = 0  # an answer that shows the server at work
            parts = _halves(task.hours, task.attempts)
        else:
            self._failures_in_a_row += 1
            parts = _halves(task.hours, _ATTEMPTS_FOR_PARTS) if _may_help_in_parts(error) else []
        if self._is_hopeless(error):
            self._errors.append(error)
            self._give_up(error)
        elif parts:
            # To the front: a good hour beside a bad one is found soon, and shows that the
            # server is up.
            self._waiting.extendleft(reversed(parts))
        else:
            self._errors.append(error)

    def _is_hopeless(self, error: ExportError) -> bool:
        """Say whether the rest would fail as well: wrong keys, no server, or one that is down."""
        return (
            isinstance(error, CredentialsError | ProjectError | UnreachableError)
            or self._failures_in_a_row >= _FAILURES_PER_WORKER * self._client._max_concurrent
        )

    def _give_up(self, reason: ExportError) -> None:
        """Ask for nothing more: all that waits, or is under way, fails with the reason."""
        self._reason_to_stop = reason
        self._stop.set()
        self._errors.extend(_not_asked(task.hours, reason) for task in self._waiting)
        self._waiting.clear()


def _not_asked(hours: HourRange, reason: ExportError) -> ExportError:
    return type(reason)(hours, f"given up, because {reason.hours} failed: {reason.message}")


def _halves(hours: HourRange, attempts: int) -> list[_Task]:
    return [_Task(half, attempts) for half in hours.halves()] if len(hours) > 1 else []


def _may_help_in_parts(error: ExportError) -> bool:
    """Say whether one hour of the range may be what fails, rather than the server as a whole."""
    return isinstance(error, UnavailableError | ArchiveError) and not isinstance(
        error, UnreachableError | RateLimitedError
    )


def _bad_request(hours: HourRange, said: str) -> ExportError:
    """Tell a range that is too large from a request that is wrong: both are 400.

    Amplitude documents 400 for a response over 4 GB and for nothing else, in words that may
    change, so any 400 to a range is taken for that unless it speaks of the parameters.
    """
    text = said.lower()
    about_size = any(word in text for word in ("large", "size", "4gb", "4 gb", "exceed", "shorten"))
    about_parameters = any(word in text for word in ("param", "invalid", "format", "missing"))
    if about_size or not said or (len(hours) > 1 and not about_parameters):
        return TooLargeError(hours, f"over the 4 GB that the Export API sends. {_S3_EXPORT}")
    return ExportError(hours, f"the server refused the request (400): {said}")


def _connection_error(hours: HourRange, origin: str, error: Exception) -> UnavailableError:
    """Say what happened to a connection, without the library's text, which may quote proxies."""
    host = urlsplit(origin).netloc
    reason = getattr(error.args[0], "reason", None) if error.args else None
    no_connection = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.SSLError):
        return UnreachableError(hours, f"cannot reach {host}: {type(error).__name__}")
    if isinstance(reason, no_connection):
        return UnreachableError(
            hours, f"cannot connect to {host}; is it up, and is AMPLITUDE_BASE_URL right?"
        )
    if isinstance(error, requests.exceptions.Timeout):
        return UnavailableError(hours, f"{host} was silent for too long")
    return UnavailableError(hours, f"the connection to {host} broke off")


def _retry_after(response: requests.Response, now: datetime) -> float:
    """Return the seconds that a Retry-After header asks for, as a number or a date; else zero."""
    value = response.headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _host(response: requests.Response) -> str:
    return urlsplit(response.headers.get("Location", "")).netloc or "another path"
