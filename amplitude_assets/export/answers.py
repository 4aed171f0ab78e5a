"""What each answer of the Export API means, and what each failure of a connection does.

The statuses stand at https://amplitude.com/docs/apis/analytics/export, but for 401, 403 and 429,
which all of Amplitude's APIs share.
"""

import base64
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from amplitude_assets.export.errors import (
    CredentialsError,
    ExportError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from amplitude_assets.hours import HourRange

_QUOTED_CHARACTERS = 200
_QUOTED_BYTES = 800
_NO_DATA = "Raw data files were not found"
_S3_EXPORT = (
    "Amplitude's S3 export has no such limit: set it up for this hour in Amplitude, "
    "https://amplitude.com/docs/data/destination-catalog/amazon-s3"
)


class RetryableError(Exception):
    """A failure that may pass. `error` is what it becomes when it does not.

    `retry_after` is how many seconds the server asks to be left alone.
    """

    def __init__(self, error: ExportError, retry_after: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after


def judge(hours: HourRange, response: requests.Response, said: str, now: datetime) -> None:
    """Raise what a status means, unless it is 200, or 404 from the Export API itself.

    `said` is the beginning of the body of any status but 200. Raises ExportError of the kind that
    says what is wrong, or RetryableError when asking again may help.
    """
    status, quoted = response.status_code, _quoted(said)
    if status == 404 and said.startswith("<") and _NO_DATA not in said:
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(response.url))
        raise ExportError(
            hours,
            f"{origin} answers with a web page (404), so it is not the Export API; "
            "look at AMPLITUDE_BASE_URL",
        )
    if status in (200, 404):
        return
    if status == 400:
        raise _bad_request(hours, said)
    if status in (401, 403):
        raise CredentialsError(
            hours,
            f"the keys were refused ({status}{quoted}); look at AMPLITUDE_API_KEY, "
            "AMPLITUDE_SECRET_KEY and AMPLITUDE_REGION",
        )
    if status == 429:
        limited = RateLimitedError(hours, f"the server asked us to slow down (429{quoted})")
        raise RetryableError(limited, _retry_after(response, now))
    if status == 504:
        too_large = TooLargeError(hours, f"the server timed out over it (504). {_S3_EXPORT}")
        raise too_large if len(hours) > 1 else RetryableError(too_large)
    if status >= 500:
        failed = UnavailableError(hours, f"the server failed ({status}{quoted})")
        raise RetryableError(failed, _retry_after(response, now))
    if status in range(300, 400):
        raise ExportError(
            hours,
            f"the server redirects to {_target(response)}, where the keys are not sent; "
            "set AMPLITUDE_BASE_URL to the origin that answers itself",
        )
    raise ExportError(
        hours, f"the server gave an answer that means nothing here ({status}{quoted})"
    )


def beginning(response: requests.Response, keys: tuple[str, str]) -> str:
    """Return the start of what the server said, on one line and without our keys."""
    start = response.raw.read(_QUOTED_BYTES, decode_content=True)
    return " ".join(readable(start, keys).split())


def readable(body: bytes, keys: tuple[str, str]) -> str:
    """Return the start of a body without our keys, also without one that its end cuts off."""
    start = body[:_QUOTED_BYTES]
    text = start.decode(errors="replace")
    for secret in (*keys, base64.b64encode(":".join(keys).encode()).decode()):
        text = text.replace(secret, "***") if secret else text
        if len(start) == _QUOTED_BYTES:
            cut = (n for n in range(len(secret) - 1, 0, -1) if text.endswith(secret[:n]))
            text = text[: len(text) - next(cut, 0)]
    return text


def connection_error(hours: HourRange, origin: str, error: Exception) -> UnavailableError:
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
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return UnavailableError(hours, f"{host} was silent for too long")
    return UnavailableError(hours, f"the connection to {host} broke off")


def _bad_request(hours: HourRange, said: str) -> ExportError:
    """Tell a range that is too large from a request that is wrong: both are 400.

    Amplitude documents 400 for a response over 4 GB and for nothing else, in words that may
    change, so any 400 to a range is taken for that unless it speaks of the parameters.
    """
    text = said.lower()
    about_size = any(word in text for word in ("large", "size", "4gb", "4 gb", "exceed", "shorten"))
    about_parameters = any(word in text for word in ("param", "invalid", "format", "missing"))
    if about_size or not said or (len(hours) > 1 and not about_parameters):
        return TooLargeError(hours, f"over the 4 GB that the Export API sends (400). {_S3_EXPORT}")
    return ExportError(hours, f"the server refused the request (400{_quoted(said)})")


def _quoted(said: str) -> str:
    return f": {said[:_QUOTED_CHARACTERS]}" if said else ""


def _retry_after(response: requests.Response, now: datetime) -> float:
    """Return the seconds that a Retry-After header asks for, as a number or a date; else zero."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _target(response: requests.Response) -> str:
    # Without a user name and password, which a server may have put there from our request.
    place = urlsplit(response.headers.get("Location", "")).netloc
    return place.rpartition("@")[2] or "another path"
