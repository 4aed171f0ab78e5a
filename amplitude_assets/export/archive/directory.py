"""List the members of an Export API zip by hour, and read a member's content safely.

A member is a gzip file of JSON lines, named `{app}/{app}_{yyyy-MM-dd}_{H}#{part}.json.gz` (the
pattern is documented at https://amplitude.com/docs/destination-catalog/amazon-s3; actual hours are
not zero-padded). A member with any other name, or of an hour that was not requested, invalidates
the whole zip; a damaged member fails only its hour.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from amplitude_assets.export.errors import ArchiveError, ProjectError
from amplitude_assets.hours import HourRange, format_hour
from amplitude_assets.streams.gzip_stream import GzipError, gunzip, read_pieces
from amplitude_assets.streams.json_lines import LongLineError, whole_lines
from amplitude_assets.streams.part_files import DiskError

_MEMBER_HEADER = b"PK\x03\x04"
_DIRECTORY_ENTRY = b"PK\x01\x02"  # the signature of an entry in a zip's central directory
_MEMBER = re.compile(
    r"(?P<folder>[0-9]{1,20})/(?P<app>[0-9]{1,20})"
    r"_(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})_(?P<hour>[0-9]{1,2})#(?P<part>[0-9]{1,20})\.json\.gz"
)

# What zipfile and the decompressors raise on corrupt input.
_BROKEN = (
    GzipError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
    RuntimeError,  # an encrypted member, or a compression or version that zipfile does not know
)


@dataclass(frozen=True)
class ArchiveLimits:
    """Size limits of a member, against decompression bombs.

    Above `ratio_from_bytes` decompressed bytes, the compression ratio may be at most `max_ratio`.
    gzip's maximum is about 1,030; events have about 10.
    """

    max_ratio: int = 1000
    ratio_from_bytes: int = 100 * 1024**2
    max_member_bytes: int = 64 * 1024**3
    max_line_bytes: int = 32 * 1024**2

    def allow(self, unpacked: int, packed: int) -> bool:
        """Return whether a member of `packed` bytes in the zip may have `unpacked` bytes."""
        if unpacked > self.max_member_bytes:
            return False
        return unpacked <= self.ratio_from_bytes or unpacked <= self.max_ratio * packed


@dataclass(frozen=True)
class Member:
    """One member of a zip: its name, its part number, and its compressed size in bytes."""

    name: str
    part: int
    zip_bytes: int


def hours_in(zip_path: Path, project_id: int, asked: HourRange) -> dict[datetime, list[Member]]:
    """List the members of each requested hour; the list of an hour may be empty.

    Raises ProjectError when all members belong to another project, and ArchiveError when the file
    is not a zip or has a member of an hour that was not requested.
    """
    hours: dict[datetime, list[Member]] = {hour: [] for hour in asked}
    with open_zip(zip_path, asked) as archive:
        zip_bytes = zip_path.stat().st_size
        infos = [info for info in archive.infolist() if not _is_folder(info, project_id)]
    if any(_DIRECTORY_ENTRY in info.comment for info in infos):
        # With a wrong length, an entry can include the next one, and zipfile does not notice.
        raise ArchiveError(asked, f"{zip_path.name} is damaged: its directory hides members")
    names = [_MEMBER.fullmatch(info.orig_filename) for info in infos]
    others = {name["app"] for name in names if name is not None and name["app"] == name["folder"]}
    if len(others) == 1 and all(names) and str(project_id) not in others:
        raise _of_another_project(asked, others.pop(), project_id)
    for info, name in zip(infos, names, strict=True):
        hour = _hour_of(name, project_id)
        if hour is None or hour not in hours:
            raise ArchiveError(
                asked, f"the zip holds {info.orig_filename[:200]!r}, which was not requested"
            )
        assert name is not None
        # The limits rely on the compressed size, which a forged directory may overstate.
        packed = min(info.compress_size, zip_bytes)
        hours[hour].append(Member(info.filename, int(name["part"]), packed))
    return hours


def check_project(start: bytes, project_id: int, asked: HourRange) -> None:
    """Raise ProjectError when the first member of a zip belongs to another project.

    `start` is the first bytes of the zip. They are the header of the first member, with the
    length of its name at 26 and the name at 30 (APPNOTE.TXT, 4.3.7). The name's first folder is
    the project's id.
    """
    if start.startswith(_MEMBER_HEADER) and len(start) > 30:
        (length,) = struct.unpack_from("<H", start, 26)
        project = start[30 : 30 + length].partition(b"/")[0].decode(errors="replace")
        if project.isdecimal() and int(project) != project_id:
            raise _of_another_project(asked, project, project_id)


def _of_another_project(asked: HourRange, found: str, project_id: int) -> ProjectError:
    return ProjectError(
        asked, f"the keys belong to project {found}, but AMPLITUDE_PROJECT_ID is {project_id}"
    )


def check_parts(hour: datetime, members: Iterable[Member]) -> None:
    """Raise ArchiveError when two members have the same part number, since either may be right."""
    parts = [member.part for member in members]
    if len(set(parts)) < len(parts):
        raise ArchiveError(
            HourRange(hour, hour),
            f"the zip holds two members for the same part; {_refetch(hour)}",
        )


def blocks(
    packed: IO[bytes],
    member: Member,
    limits: ArchiveLimits,
    copy: Callable[[bytes], object] | None = None,
) -> Iterator[bytes]:
    """Yield a member's content in blocks of whole lines, and call `copy` with its gzip bytes.

    The limits apply to both layers of compression, the zip's deflate and the gzip inside it.
    """
    read = unpacked = 0

    def arriving() -> Iterator[bytes]:
        nonlocal read
        for data in read_pieces(packed):
            read += len(data)
            if copy is not None:
                copy(data)
            yield data

    def pieces() -> Iterator[bytes]:
        nonlocal unpacked
        for piece in gunzip(arriving()):
            unpacked += len(piece)
            if not limits.allow(max(unpacked, read), member.zip_bytes):
                raise _OverLimitError(f"{member.zip_bytes} bytes unpack to more than the limit")
            yield piece

    return whole_lines(pieces(), limits.max_line_bytes)


def _is_folder(info: zipfile.ZipInfo, project_id: int) -> bool:
    # `filename` ends at a NUL and could hide a member; `orig_filename` is the complete name.
    return info.orig_filename == f"{project_id}/" and info.file_size == 0


def _hour_of(name: re.Match[str] | None, project_id: int) -> datetime | None:
    if name is None or not name["folder"] == name["app"] == str(project_id):
        return None
    try:
        day = datetime.strptime(name["day"], "%Y-%m-%d").replace(tzinfo=UTC)
        return day.replace(hour=int(name["hour"]))
    except ValueError:
        return None


def _refetch(hour: datetime) -> str:
    return f"materialise raw_export_zip for {format_hour(hour)} again"


class _OverLimitError(Exception):
    """A member unpacks to more than the limits allow."""


def open_zip(zip_path: Path, hours: HourRange) -> zipfile.ZipFile:
    """Open a zip that holds these hours, and read its directory. Raises ArchiveError."""
    try:
        return zipfile.ZipFile(zip_path)
    except _BROKEN as error:
        raise ArchiveError(hours, f"{zip_path.name} is not a whole zip: {error}") from error


@contextmanager
def damage_as_archive_error(hour: datetime, member: Member) -> Iterator[None]:
    """Convert whatever the libraries raise for a damaged member into ArchiveError."""
    try:
        yield
    except (ArchiveError, DiskError):
        raise
    except (_OverLimitError, LongLineError) as error:
        raise ArchiveError(HourRange(hour, hour), f"{member.name}: {error}") from error
    except _BROKEN as error:
        raise ArchiveError(
            HourRange(hour, hour), f"{member.name} is damaged: {error}; {_refetch(hour)}"
        ) from error
