"""What can go wrong on Amplitude's side, each with what to do about it."""

from pathlib import Path

from amplitude_assets.hours import HourRange


class ExportError(Exception):
    """The export of some hours failed. `hours` are those it failed for."""

    retryable = True

    def __init__(self, hours: HourRange, message: str) -> None:
        super().__init__(f"{hours}: {message}")
        self.hours = hours
        self.message = message

    def __reduce__(self) -> tuple[type["ExportError"], tuple[HourRange, str]]:
        # Errors come back from worker processes, so they are pickled.
        return type(self), (self.hours, self.message)


class CredentialsError(ExportError):
    """The keys were refused (401 or 403). Asking again does not help."""

    retryable = False


class ProjectError(ExportError):
    """The keys belong to another project than the one that is set. Asking again does not help."""

    retryable = False


class BucketError(ExportError):
    """The bucket of the S3 export, or who asks it, has to be mended. Asking again does not help."""

    retryable = False


class TooLargeError(ExportError):
    """The range is over what the Export API can send (400 or 504); a single hour stays so."""


class UnavailableError(ExportError):
    """The server was down, slow, or answered with an error, for longer than we retry."""


class UnreachableError(UnavailableError):
    """No connection to the server could be made, so it matters not which hours are asked for."""


class RateLimitedError(UnavailableError):
    """The server asked us to slow down (429) for longer than we retry."""


class ArchiveError(ExportError):
    """What arrived is not the archive that was asked for, so nothing of it was kept."""


class LandingError(ExportError):
    """The landing area does not hold what a step needs. The message says what makes it."""


class DiskError(Exception):
    """A folder cannot be written: the disk is full, or permission is missing."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"cannot write in {folder}: {reason}; make room or make it writable, "
            "or set DATA_DIR to another folder"
        )
        self.folder = folder
        self.reason = reason

    def __reduce__(self) -> tuple[type["DiskError"], tuple[Path, str]]:
        return type(self), (self.folder, self.reason)
