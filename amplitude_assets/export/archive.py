"""The archive reader: from a zip of the Export API to verified files of lines for each hour.

A member is a gzip file of JSON lines, named `{app}/{app}_{yyyy-MM-dd}_{H}#{part}.json.gz`
(https://amplitude.com/docs/destination-catalog/amazon-s3 writes the pattern; real hours are not
padded). Members are checked to the last byte and passed through as they came, unless privacy
settings keep something back or a line is bad: then the member is rewritten. A member whose
name fits no hour that was asked for makes the zip refused as a whole, since nothing tells what
else is wrong with it; damage inside a member fails its hour alone.
"""

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

import orjson

from amplitude_assets.export.errors import ArchiveError, DiskError, ProjectError
from amplitude_assets.export.files import PartFile
from amplitude_assets.export.privacy import NOTHING_KEPT_BACK, Privacy
from amplitude_assets.gzip_stream import EMPTY_GZIP, GzipError, GzipWriter, gunzip, read_pieces
from amplitude_assets.hours import HourRange, format_hour
from amplitude_assets.json_lines import (
    LongLineError,
    count_objects,
    fault_of,
    is_blank,
    split_lines,
    whole_lines,
)

_CHUNK_BYTES = 1024 * 1024
_DIRECTORY_ENTRY = b"PK\x01\x02"  # what each member's entry in a zip's directory begins with
# What is kept of a bad line. Warehouses take a text of 16 MB, and escapes make it longer.
_REJECTED_BYTES = 2 * 1024**2
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


@dataclass(frozen=True)
class HourJob:
    """What `unpack_hour` needs: the hour's members in a zip, and the folder for its files.

    Without members the hour is empty, and `zip_path` may be None. `fetched_at` is when the
    server was asked (UTC). `privacy` is what the files must not hold.
    """

    project_id: int
    hour: datetime
    zip_path: Path | None
    members: tuple[Member, ...]
    folder: Path
    fetched_at: datetime
    limits: ArchiveLimits = ArchiveLimits()
    privacy: Privacy = NOTHING_KEPT_BACK


@dataclass(frozen=True)
class HourFile:
    """One gzip file of an hour. `name` is its name in the hour's folder, `member` Amplitude's."""

    name: str
    member: str
    bytes: int
    lines: int
    sha256: str


@dataclass(frozen=True)
class RejectedLine:
    """A line that is no JSON object. `line_number` counts from one in the member as it came.

    Bytes of `line` that are not UTF-8 are written as backslash escapes. Of a line over 2 MB only
    the start is here, and the reason says so; with privacy settings, nothing of it.
    """

    member: str
    line_number: int
    reason: str
    line: str


@dataclass(frozen=True)
class HourFiles:
    """An hour as files: every line of it is in one of `files`, or in `rejected_file`.

    `lines` counts both, but not `forgotten_lines`: those are of people to be forgotten, and in no
    file. `rejected_file` holds `RejectedLine`s as JSON lines. `digest` is the same whenever the
    hour's bytes are the same, whatever Amplitude called its files and in whatever order they came.
    Times are UTC.
    """

    project_id: int
    hour: datetime
    status: Literal["loaded", "empty"]
    files: tuple[HourFile, ...]
    rejected_file: HourFile | None
    bytes: int
    lines: int
    rejected_lines: int
    digest: str
    fetched_at: datetime
    forgotten_lines: int = 0

    @property
    def every_file(self) -> list[HourFile]:
        """Return the files that the lines are in, that of the rejected lines last."""
        return [*self.files, *([self.rejected_file] if self.rejected_file else [])]


def hours_in(zip_path: Path, project_id: int, asked: HourRange) -> dict[datetime, list[Member]]:
    """List the members of each hour that was asked for; an hour without members has none.

    Raises ProjectError when all members are another project's, and ArchiveError when the file is
    no zip or a member's name fits no hour that was asked for.
    """
    hours: dict[datetime, list[Member]] = {hour: [] for hour in asked}
    with _opened(zip_path, asked) as archive:
        zip_bytes = zip_path.stat().st_size
        infos = [info for info in archive.infolist() if info.filename != f"{project_id}/"]
    if any(_DIRECTORY_ENTRY in info.comment for info in infos):
        # One wrong length is enough for an entry to take in the next, which zipfile lets pass.
        raise ArchiveError(asked, f"{zip_path.name} is damaged: members of it are out of reach")
    names = [_MEMBER.fullmatch(info.filename) for info in infos]
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
                asked, f"the zip holds {info.filename[:200]!r}, which was not asked for"
            )
        assert name is not None
        # What a zip says of its members' sizes may be a lie, and the limits build on it.
        packed = min(info.compress_size, zip_bytes)
        hours[hour].append(Member(info.filename, int(name["part"]), packed))
    return hours


def unpack_hour(job: HourJob) -> HourFiles:
    """Bring an hour's members into its folder as files named by their digest, each line checked.

    Raises ArchiveError when a member is damaged, doubled or over the limits, and DiskError. What
    is in the folder then is of no use, and harms nothing.
    """
    check_parts(job)
    return assembled(job, unpack_members(job))


def check_parts(job: HourJob) -> None:
    """Raise ArchiveError when two members are the same part: which one is right, none can say."""
    if len({member.part for member in job.members}) < len(job.members):
        raise ArchiveError(
            HourRange(job.hour, job.hour),
            f"the zip holds two members for the same part; {_again(job.hour)}",
        )


def read_rejected(folder: Path, files: HourFiles) -> Iterator[RejectedLine]:
    """Yield the rejected lines of an hour whose files are in `folder`."""
    if files.rejected_file is not None:
        for line in _lines_of(folder / files.rejected_file.name):
            yield RejectedLine(**orjson.loads(line))


@dataclass(frozen=True)
class UnpackedMember:
    """A member's lines: those kept in `file`, those not in `rejected`; either may be absent.

    `rejected_digest` depends on the rejected lines alone, and not on the member's name.
    """

    file: HourFile | None
    rejected: HourFile | None
    rejected_digest: str
    forgotten_lines: int = 0


def unpack_members(job: HourJob) -> list[UnpackedMember]:
    """Unpack the members of a job, some of an hour's or all, in their order.

    Raises as `unpack_hour` does.
    """
    if not job.members:
        return []
    assert job.zip_path is not None
    with _opened(job.zip_path, HourRange(job.hour, job.hour)) as archive:
        return [_unpack_member(archive, job, member) for member in job.members]


def _unpack_member(archive: zipfile.ZipFile, job: HourJob, member: Member) -> UnpackedMember:
    with _damage(job.hour, member):
        passed = _pass_through(archive, job, member)
        return passed or _rewrite(archive, job, member)


def _pass_through(archive: zipfile.ZipFile, job: HourJob, member: Member) -> UnpackedMember | None:
    """Copy a member as it is, or return None when it has a line that must not be in the copy."""
    lines = 0
    with archive.open(member.name) as packed, PartFile(job.folder) as part:
        for block in _blocks(packed, member, job.limits, part.write):
            objects = count_objects(block)
            if objects is None or (job.privacy and job.privacy.changes(split_lines(block))):
                return None
            lines += objects
        return UnpackedMember(publish_part(part, member.name, lines), None, "")


def _rewrite(archive: zipfile.ZipFile, job: HourJob, member: Member) -> UnpackedMember:
    """Copy what is kept of a member's good lines to one file, and the bad ones to another."""
    kept = rejected = forgotten = 0
    digest = hashlib.sha256()
    with (
        archive.open(member.name) as packed,
        PartFile(job.folder) as good_part,
        PartFile(job.folder) as bad_part,
    ):
        good, bad = GzipWriter(good_part.write), GzipWriter(bad_part.write)
        for number, line in _numbered(_blocks(packed, member, job.limits)):
            if is_blank(line):
                continue
            if (fault := fault_of(line)) is not None:
                text = fault.encode() if job.privacy else line
                bad.write(_rejected_record(member, number, fault, line, withheld=bool(job.privacy)))
                digest.update(b"%d:%d:" % (number, len(line)) + text)
                rejected += 1
            elif (rest := job.privacy.kept(line)) is not None:
                good.write(rest + b"\n")
                kept += 1
            else:
                forgotten += 1
        good.finish()
        bad.finish()
        return UnpackedMember(
            publish_part(good_part, member.name, kept),
            publish_part(bad_part, member.name, rejected),
            digest.hexdigest() if rejected else "",
            forgotten,
        )


def _lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for _, line in _numbered(whole_lines(gunzip(read_pieces(file)))):
            yield line


def _numbered(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number the lines of blocks, from one."""
    return enumerate((line for block in blocks for line in split_lines(block)), start=1)


def _blocks(
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


def assembled(job: HourJob, unpacked: list[UnpackedMember]) -> HourFiles:
    """Put an hour's members together: distinct files, one file of rejected lines, the digest."""
    files = _distinct(job, [member.file for member in unpacked if member.file])
    bad = [member.rejected for member in unpacked if member.rejected]
    rejected = _joined(job, bad) if bad else None
    rejected_lines = rejected.lines if rejected else 0
    parts = [file.sha256 for file in files] + [u.rejected_digest for u in unpacked if u.rejected]
    kept = files + ([rejected] if rejected else [])
    return HourFiles(
        project_id=job.project_id,
        hour=job.hour,
        status="loaded" if kept else "empty",
        files=tuple(files),
        rejected_file=rejected,
        bytes=sum(file.bytes for file in files),
        lines=sum(file.lines for file in kept),
        rejected_lines=rejected_lines,
        digest=hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest(),
        fetched_at=job.fetched_at,
        forgotten_lines=sum(member.forgotten_lines for member in unpacked),
    )


def _distinct(job: HourJob, files: list[HourFile]) -> list[HourFile]:
    """Sort files by digest, and make files with the same bytes differ by an empty gzip member.

    Two parts with the same bytes are twice the lines, and each must be an object of its own.
    """
    distinct: dict[str, HourFile] = {}
    for original in sorted(files, key=lambda file: (file.sha256, file.member)):
        file = original
        while file.sha256 in distinct:
            file = _with_empty_member(job, file)
        distinct[file.sha256] = file
    return list(distinct.values())


def _with_empty_member(job: HourJob, file: HourFile) -> HourFile:
    with PartFile(job.folder) as part, (job.folder / file.name).open("rb") as original:
        while data := original.read(_CHUNK_BYTES):
            part.write(data)
        part.write(EMPTY_GZIP)
        return _renamed(part, file.member, file.lines)


def _joined(job: HourJob, files: list[HourFile]) -> HourFile:
    """Put the members' rejected lines in one file: gzip files after each other are one."""
    with PartFile(job.folder) as part:
        for file in sorted(files, key=lambda file: file.sha256):
            with (job.folder / file.name).open("rb") as source:
                while data := source.read(_CHUNK_BYTES):
                    part.write(data)
        return _renamed(part, "", sum(file.lines for file in files))


def publish_part(part: PartFile, member: str, lines: int) -> HourFile | None:
    """Give a file its name, or return None when it has no lines and is not worth one."""
    return _renamed(part, member, lines) if lines else None


def _renamed(part: PartFile, member: str, lines: int) -> HourFile:
    name = f"{part.sha256}.json.gz"
    part.publish(name)
    return HourFile(name, member, part.bytes, lines, part.sha256)


def _rejected_record(
    member: Member, number: int, reason: str, line: bytes, *, withheld: bool
) -> bytes:
    text = "" if withheld else line[:_REJECTED_BYTES].decode("utf-8", "backslashreplace")
    if withheld:
        reason += f"; {len(line)} bytes, withheld by the privacy settings"
    elif len(line) > _REJECTED_BYTES:
        reason += f"; this is the start of {len(line)} bytes"
    record = {"member": member.name, "line_number": number, "reason": reason, "line": text}
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


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


@contextmanager
def _opened(zip_path: Path, hours: HourRange) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(zip_path)
    except _BROKEN as error:
        raise ArchiveError(hours, f"{zip_path.name} is not a whole zip: {error}") from error
    with archive:
        yield archive


@contextmanager
def _damage(hour: datetime, member: Member) -> Iterator[None]:
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
