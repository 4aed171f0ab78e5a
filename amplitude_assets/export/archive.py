"""The archive: which members of a zip of the Export API are an hour's, and what is in a member.

A member is a gzip file of JSON lines, named `{app}/{app}_{yyyy-MM-dd}_{H}#{part}.json.gz`
(https://amplitude.com/docs/destination-catalog/amazon-s3 writes the pattern; real hours are not
padded). A member whose name fits no hour that was asked for makes the zip refused as a whole, since
nothing tells what else is wrong with it; damage inside a member fails its hour alone.
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

from amplitude_assets.export.errors import ArchiveError, DiskError, ProjectError
from amplitude_assets.gzip_stream import GzipError, gunzip, read_pieces
from amplitude_assets.hours import HourRange, format_hour
from amplitude_assets.json_lines import LongLineError, whole_lines

_DIRECTORY_ENTRY = b"PK\x01\x02"  # what each member's entry in a zip's directory begins with
_MEMBER = re.compile(
    r"(?P<folder>[0-9]{1,20})/(?P<app>[0-9]{1,20})"
    r"_(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})_(?P<hour>[0-9]{1,2})#(?P<part>[0-9]{1,20})\.json\.gz"
)

# What zipfile and the inflaters raise over broken input, each as its code happens to meet it.
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
    """How large a member may get before it is taken for an attack or a mistake.

    Past `ratio_from_bytes` unpacked bytes, a member may be at most `max_ratio` times the bytes
    that it takes in the zip. gzip's own bound is about 1,030, events come at about 10.
    """

    max_ratio: int = 1000
    ratio_from_bytes: int = 100 * 1024**2
    max_member_bytes: int = 64 * 1024**3
    max_line_bytes: int = 32 * 1024**2

    def allow(self, unpacked: int, packed: int) -> bool:
        """Say whether a member of `packed` bytes in the zip may have `unpacked` bytes."""
        if unpacked > self.max_member_bytes:
            return False
        return unpacked <= self.ratio_from_bytes or unpacked <= self.max_ratio * packed


@dataclass(frozen=True)
class Member:
    """One member of a zip: its name there, its part number, and the bytes it takes there."""

    name: str
    part: int
    zip_bytes: int


def hours_in(zip_path: Path, project_id: int, asked: HourRange) -> dict[datetime, list[Member]]:
    """List the members of each hour that was asked for; an hour without members has none.

    Raises ProjectError when all members are another project's, and ArchiveError when the file is
    no zip or a member's name fits no hour that was asked for.
    """
    hours: dict[datetime, list[Member]] = {hour: [] for hour in asked}
    with opened(zip_path, asked) as archive:
        zip_bytes = zip_path.stat().st_size
        infos = [info for info in archive.infolist() if not _is_folder(info, project_id)]
    if any(_DIRECTORY_ENTRY in info.comment for info in infos):
        # One wrong length is enough for an entry to take in the next, which zipfile lets pass.
        raise ArchiveError(asked, f"{zip_path.name} is damaged: members of it are out of reach")
    names = [_MEMBER.fullmatch(info.orig_filename) for info in infos]
    others = {name["app"] for name in names if name is not None and name["app"] == name["folder"]}
    if len(others) == 1 and all(names) and str(project_id) not in others:
        raise ProjectError(
            asked,
            f"the keys belong to project {others.pop()}, but AMPLITUDE_PROJECT_ID is {project_id}",
        )
    for info, name in zip(infos, names, strict=True):
        hour = _hour_of(name, project_id)
        if hour is None or hour not in hours:
            raise ArchiveError(
                asked, f"the zip holds {info.orig_filename[:200]!r}, which was not asked for"
            )
        assert name is not None
        # What a zip says of its members' sizes may be a lie, and the limits build on it.
        packed = min(info.compress_size, zip_bytes)
        hours[hour].append(Member(info.filename, int(name["part"]), packed))
    return hours


def check_parts(hour: datetime, members: Iterable[Member]) -> None:
    """Raise ArchiveError when two members are the same part: which one is right, none can say."""
    parts = [member.part for member in members]
    if len(set(parts)) < len(parts):
        raise ArchiveError(
            HourRange(hour, hour),
            f"the zip holds two members for the same part; {_again(hour)}",
        )


def blocks(
    packed: IO[bytes],
    member: Member,
    limits: ArchiveLimits,
    copy: Callable[[bytes], object] | None = None,
) -> Iterator[bytes]:
    """Yield a member's content in blocks of whole lines, handing its bytes as they are to `copy`.

    Both layers can be a bomb, the zip's deflate and the gzip inside it: both are held to the
    limits.
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
    # By the name as it stands in the zip: zipfile's own ends at a NUL, and so may hide a member.
    return info.orig_filename == f"{project_id}/" and info.file_size == 0


def _hour_of(name: re.Match[str] | None, project_id: int) -> datetime | None:
    if name is None or not name["folder"] == name["app"] == str(project_id):
        return None
    try:
        day = datetime.strptime(name["day"], "%Y-%m-%d").replace(tzinfo=UTC)
        return day.replace(hour=int(name["hour"]))
    except ValueError:
        return None


def _again(hour: datetime) -> str:
    return f"materialise raw_export_zip for {format_hour(hour)} again"


class _OverLimitError(Exception):
    """A member unpacks to more than the limits allow."""


def opened(zip_path: Path, hours: HourRange) -> zipfile.ZipFile:
    """Open a zip that holds these hours, and read its directory. Raises ArchiveError."""
    try:
        return zipfile.ZipFile(zip_path)
    except _BROKEN as error:
        raise ArchiveError(hours, f"{zip_path.name} is not a whole zip: {error}") from error


@contextmanager
def damage_told(hour: datetime, member: Member) -> Iterator[None]:
    """Turn everything that a damaged member makes the libraries raise into ArchiveError."""
    try:
        yield
    except (ArchiveError, DiskError):
        raise
    except (_OverLimitError, LongLineError) as error:
        raise ArchiveError(HourRange(hour, hour), f"{member.name}: {error}") from error
    except _BROKEN as error:
        raise ArchiveError(
            HourRange(hour, hour), f"{member.name} is damaged: {error}; {_again(hour)}"
        ) from error
