"""An hour as files: those that its lines are in, put together from what its members hold."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import orjson

from amplitude_assets.export.files import HashedPartFile
from amplitude_assets.gzip_stream import EMPTY_GZIP, gunzip, read_pieces
from amplitude_assets.json_lines import split_lines, whole_lines

_CHUNK_BYTES = 1024 * 1024


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


@dataclass(frozen=True)
class UnpackedMember:
    """A member's lines: those kept in `file`, those not in `rejected`; either may be absent.

    `rejected_digest` depends on the rejected lines alone, and not on the member's name.
    """

    file: HourFile | None
    rejected: HourFile | None
    rejected_digest: str
    forgotten_lines: int = 0


def read_rejected(folder: Path, files: HourFiles) -> Iterator[RejectedLine]:
    """Yield the rejected lines of an hour whose files are in `folder`."""
    if files.rejected_file is not None:
        for line in _lines_of(folder / files.rejected_file.name):
            yield RejectedLine(**orjson.loads(line))


def assembled(
    unpacked: list[UnpackedMember],
    folder: Path,
    *,
    project_id: int,
    hour: datetime,
    fetched_at: datetime,
) -> HourFiles:
    """Put an hour's members, in `folder`, together: distinct files, rejected lines, the digest.

    Raises DiskError.
    """
    files = _distinct(folder, [member.file for member in unpacked if member.file])
    bad = [member.rejected for member in unpacked if member.rejected]
    rejected = _joined(folder, bad) if bad else None
    rejected_lines = rejected.lines if rejected else 0
    parts = [file.sha256 for file in files] + [u.rejected_digest for u in unpacked if u.rejected]
    kept = files + ([rejected] if rejected else [])
    return HourFiles(
        project_id=project_id,
        hour=hour,
        status="loaded" if kept else "empty",
        files=tuple(files),
        rejected_file=rejected,
        bytes=sum(file.bytes for file in files),
        lines=sum(file.lines for file in kept),
        rejected_lines=rejected_lines,
        digest=hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest(),
        fetched_at=fetched_at,
        forgotten_lines=sum(member.forgotten_lines for member in unpacked),
    )


def _distinct(folder: Path, files: list[HourFile]) -> list[HourFile]:
    """Sort files by digest, and make files with the same bytes differ by an empty gzip member.

    Two parts with the same bytes are twice the lines, and each must be an object of its own.
    """
    distinct: dict[str, HourFile] = {}
    for original in sorted(files, key=lambda file: (file.sha256, file.member)):
        file = original
        while file.sha256 in distinct:
            file = _with_empty_member(folder, file)
        distinct[file.sha256] = file
    return list(distinct.values())


def _with_empty_member(folder: Path, file: HourFile) -> HourFile:
    with HashedPartFile(folder) as part, (folder / file.name).open("rb") as original:
        while data := original.read(_CHUNK_BYTES):
            part.write(data)
        part.write(EMPTY_GZIP)
        return _renamed(part, file.member, file.lines)


def _joined(folder: Path, files: list[HourFile]) -> HourFile:
    """Put the members' rejected lines in one file: gzip files after each other are one."""
    with HashedPartFile(folder) as part:
        for file in sorted(files, key=lambda file: file.sha256):
            with (folder / file.name).open("rb") as source:
                while data := source.read(_CHUNK_BYTES):
                    part.write(data)
        return _renamed(part, "", sum(file.lines for file in files))


def publish_part(part: HashedPartFile, member: str, lines: int) -> HourFile | None:
    """Give a file its name, or return None when it has no lines and is not worth one."""
    return _renamed(part, member, lines) if lines else None


def _renamed(part: HashedPartFile, member: str, lines: int) -> HourFile:
    name = f"{part.sha256}.json.gz"
    part.publish(name)
    return HourFile(name, member, part.bytes, lines, part.sha256)


def _lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for block in whole_lines(gunzip(read_pieces(file))):
            yield from split_lines(block)
