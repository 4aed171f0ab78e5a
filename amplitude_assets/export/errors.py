"""What can go wrong on Amplitude's side, each with what to do about it."""

from amplitude_assets.hours import HourRange


class ExportError(Exception):
    """The export of some hours failed. `hours` are those it failed for."""

    def __init__(self, hours: HourRange, message: str) -> None:
        super().__init__(f"{hours}: {message}")
        self.hours = hours


class CredentialsError(ExportError):
    """The keys were refused (401 or 403). Asking again does not help."""


class TooLargeError(ExportError):
    """One hour alone is over what the Export API can send (400 or 504)."""


class UnavailableError(ExportError):
    """The server was down, slow, or answered with an error, for longer than we retry."""


class ArchiveError(ExportError):
    """What arrived is not the archive that was asked for, so nothing of it was kept."""
