"""Errors of downloading and unpacking Amplitude's exports. Each message says what to do."""

from amplitude_assets.hours import HourRange


class ExportError(Exception):
    """The export of `hours` failed. `retryable` is false when a retry cannot succeed."""

    retryable = True

    def __init__(self, hours: HourRange, message: str) -> None:
        super().__init__(f"{hours}: {message}")
        self.hours = hours
        self.message = message

    def __reduce__(self) -> tuple[type["ExportError"], tuple[HourRange, str]]:
        # Errors come back from worker processes, so they are pickled.
        return type(self), (self.hours, self.message)


class CredentialsError(ExportError):
    """Amplitude rejected the keys (401 or 403). Not retryable."""

    retryable = False


class ProjectError(ExportError):
    """The keys belong to another project than `AMPLITUDE_PROJECT_ID`. Not retryable."""

    retryable = False


class BucketError(ExportError):
    """The S3 export's bucket or its access is misconfigured. Not retryable."""

    retryable = False


class ClockError(ExportError):
    """This machine's clock is ahead of the server's. Not retryable until the clock is set."""

    retryable = False


class TooLargeError(ExportError):
    """The range is larger than the Export API can send (400 or 504).

    Ranges are halved; a single hour that is too large can never be exported this way.
    """


class UnavailableError(ExportError):
    """The server was down, too slow, or returned errors until the retries ran out."""


class UnreachableError(UnavailableError):
    """No connection to the server could be made, so requests for other hours would fail too."""


class RateLimitedError(UnavailableError):
    """The server limited the request rate (429) until the retries ran out."""


class ArchiveError(ExportError):
    """The downloaded archive is damaged or has other hours than requested; none of it is kept."""


class LandingError(ExportError):
    """The landing area lacks a step's input. The message names the asset to materialise first."""
