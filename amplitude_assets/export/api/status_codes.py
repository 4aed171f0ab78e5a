"""Turn the Export API's status codes and connection failures into errors.

The statuses are documented at https://amplitude.com/docs/apis/analytics/export, except for 401,
403 and 429, which all of Amplitude's APIs share.
"""

import base64
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from amplitude_assets.export.errors import (
    ClockError,
    CredentialsError,
    ExportError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from amplitude_assets.hours import HourRange, exportable_at, format_hour, is_exportable

_QUOTED_CHARACTERS = 200
_QUOTED_BYTES = 800
# Clocks synchronised over the network differ by less; up to this much, the client waits.
CLOCK_TOLERANCE = timedelta(seconds=60)
_NO_DATA = "Raw data files were not found"
_S3_EXPORT = (
    "Amplitude's S3 export has no such limit: set it up for this hour in Amplitude, "
    "https://amplitude.com/docs/data/destination-catalog/amazon-s3"
)


class RetryableError(Exception):
    """A failure that a retry may resolve. `error` is raised when the retries run out.

    `retry_after` is the server's Retry-After, in seconds.
    """

    def __init__(self, error: ExportError, retry_after: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after


def check_status(
    hours: HourRange, response: requests.Response, body_start: str, now: datetime
) -> None:
    """Raise the error of a status other than 200, or 404 from the Export API itself.

    `body_start` is the start of the body of any status but 200, `now` the time (UTC) that a
    Retry-After date is relative to. Raises the subclass of ExportError that fits the failure, or
    RetryableError when a retry may succeed.
    """
    status, quoted = response.status_code, _quoted(body_start)
    if status == 404 and body_start.startswith("<") and _NO_DATA not in body_start:
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(response.url))
        raise ExportError(
            hours,
            f"{origin} returned a web page (404), so it is not the Export API; "
            "check AMPLITUDE_BASE_URL",
        )
    if status in (200, 404):
        return
    if status == 400:
        raise _bad_request(hours, body_start)
    if status in (401, 403):
        raise CredentialsError(
            hours,
            f"Amplitude rejected the keys ({status}{quoted}); check AMPLITUDE_API_KEY, "
            "AMPLITUDE_SECRET_KEY and AMPLITUDE_REGION",
        )
    if status == 429:
        limited = RateLimitedError(hours, f"the server limits the request rate (429{quoted})")
        raise RetryableError(limited, _retry_after(response, now))
    if status == 504:
        too_large = TooLargeError(hours, f"the server timed out (504). {_S3_EXPORT}")
        raise too_large if len(hours) > 1 else RetryableError(too_large)
    if status >= 500:
        failed = UnavailableError(hours, f"server error ({status}{quoted})")
        raise RetryableError(failed, _retry_after(response, now))
    if status in range(300, 400):
        raise ExportError(
            hours,
            f"the server redirects to {_target(response)}, and the keys are not sent to another "
            "address; set AMPLITUDE_BASE_URL to the final origin",
        )
    raise ExportError(hours, f"the server returned an unexpected status ({status}{quoted})")


def check_clock(
    hours: HourRange, response: requests.Response, sent_at: datetime, delay_hours: int
) -> None:
    """Reject a response for hours that are exportable by our clock but not by the server's.

    The server omits hours that are not ready, just like hours without events, so a local clock
    that is ahead makes them look empty. `sent_at` is the local time of the request (UTC). The
    server's time is in the `Date` header (RFC 9110, 6.6.1); without one, nothing is checked.
    Raises ClockError, or RetryableError when the clocks differ by at most `CLOCK_TOLERANCE`.
    """
    server_time = time_of(response)
    if (
        server_time is None
        or is_exportable(hours.last, server_time, delay_hours)
        or not is_exportable(hours.last, sent_at, delay_hours)
    ):
        return
    ready_at = exportable_at(hours.last, delay_hours)
    ahead = sent_at - server_time
    error = ClockError(
        hours,
        f"the clock of this machine is {format_span(ahead)} ahead of "
        f"{urlsplit(response.url).netloc} "
        f"({sent_at:%Y-%m-%d %H:%M:%S} here, {server_time:%Y-%m-%d %H:%M:%S} there, UTC), where "
        f"{format_hour(hours.last)} is not exportable before {ready_at:%H:%M}; set the clock and "
        "run again",
    )
    if ahead > CLOCK_TOLERANCE:
        raise error
    raise RetryableError(error, (ready_at - server_time).total_seconds())


def time_of(response: requests.Response) -> datetime | None:
    """Return the time (UTC) in a response's `Date` header, or None without a valid one."""
    try:
        moment = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def format_span(span: timedelta) -> str:
    """Format the absolute value of a time span, such as `2 h 5 min` or `12 s`."""
    seconds = round(abs(span).total_seconds())
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def read_start(response: requests.Response, keys: tuple[str, str]) -> str:
    """Read the start of a response body, as one line with the keys redacted."""
    start = response.raw.read(_QUOTED_BYTES, decode_content=True)
    return " ".join(readable(start, keys).split())


def readable(body: bytes, keys: tuple[str, str]) -> str:
    """Decode the start of a body with the keys redacted, also a key truncated at its end."""
    start = body[:_QUOTED_BYTES]
    text = start.decode(errors="replace")
    for secret in (*keys, base64.b64encode(":".join(keys).encode()).decode()):
        text = text.replace(secret, "***") if secret else text
        if len(start) == _QUOTED_BYTES:
            cut = (n for n in range(len(secret) - 1, 0, -1) if text.endswith(secret[:n]))
            text = text[: len(text) - next(cut, 0)]
    return text


def connection_error(hours: HourRange, origin: str, error: Exception) -> UnavailableError:
    """Return the error of a failed connection, without urllib3's text, which may quote a proxy."""
    host = urlsplit(origin).netloc
    reason = getattr(error.args[0], "reason", None) if error.args else None
    no_connection = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    if isinstance(error, requests.exceptions.ProxyError | requests.exceptions.SSLError):
        return UnreachableError(hours, f"cannot reach {host}: {type(error).__name__}")
    if isinstance(reason, no_connection):
        return UnreachableError(
            hours, f"cannot connect to {host}; is it up, and is AMPLITUDE_BASE_URL right?"
        )
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return UnavailableError(hours, f"{host} timed out")
    return UnavailableError(hours, f"the connection to {host} was lost")


def _bad_request(hours: HourRange, body_start: str) -> ExportError:
    """Distinguish a range that is too large from a malformed request; both are 400.

    Amplitude documents 400 only for a response over 4 GB, and its wording may change. So any 400
    for more than one hour counts as too large, unless its text mentions the parameters.
    """
    text = body_start.lower()
    about_size = any(word in text for word in ("large", "size", "4gb", "4 gb", "exceed", "shorten"))
    about_parameters = any(word in text for word in ("param", "invalid", "format", "missing"))
    if about_size or not body_start or (len(hours) > 1 and not about_parameters):
        return TooLargeError(hours, f"over the Export API's limit of 4 GB (400). {_S3_EXPORT}")
    return ExportError(hours, f"the server rejected the request (400{_quoted(body_start)})")


def _quoted(body_start: str) -> str:
    return f": {body_start[:_QUOTED_CHARACTERS]}" if body_start else ""


def _retry_after(response: requests.Response, now: datetime) -> float:
    """Return the seconds of a Retry-After header, a number or a date; zero without one."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _target(response: requests.Response) -> str:
    # Drop a user name and password: a server may echo those of the request.
    place = urlsplit(response.headers.get("Location", "")).netloc
    return place.rpartition("@")[2] or "another path"
