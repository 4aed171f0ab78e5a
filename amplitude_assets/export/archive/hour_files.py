"""Assemble the files of an hour from its unpacked members."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import orjson

from amplitude_assets.streams.gzip_stream import EMPTY_GZIP, gunzip, read_pieces
from amplitude_assets.streams.json_lines import split_lines, whole_lines
from amplitude_assets.streams.part_files import HashedPartFile

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class HourFile:
    """One gzip file of an hour. `name` is its name in the hour's folder, `member` in the zip."""

    name: str
    member: str
    bytes: int
    lines: int
    sha256: str


@dataclass(frozen=True)
class RejectedLine:
    """A line that is not a JSON object. `line_number` counts from one in the original member.

    Bytes of `line` that are not UTF-8 are backslash escapes. A line over 2 MB is truncated, and
    `reason` says so. With privacy settings, `line` is empty.
    """

    member: str
    line_number: int
    reason: str
    line: str


@dataclass(frozen=True)
class HourFiles:
    """The files of an hour: each line is in one of `files`, or in `rejected_file`.

    `lines` counts both. `forgotten_lines` counts lines of forgotten people, which are in no file.
    `rejected_file` holds `RejectedLine`s as JSON lines. `digest` depends only on the hour's bytes,
    not on the names and the order of Amplitude's files. Times are UTC.
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
        """All files of the hour, the one of rejected lines last."""
        return [*self.files, *([self.rejected_file] if self.rejected_file else [])]


@dataclass(frozen=True)
class UnpackedMember:
    """A member's accepted lines in `file`, and its rejected lines; None where it has none.

    `rejected_digest` depends only on the rejected lines, not on the member's name.
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


def assemble_hour(
    unpacked: list[UnpackedMember],
    folder: Path,
    *,
    project_id: int,
    hour: datetime,
    fetched_at: datetime,
) -> HourFiles:
    """Combine an hour's unpacked members in `folder` into distinct files, and compute the digest.

    `fetched_at` is when the hour was requested (UTC). Raises DiskError.
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
    """Sort files by digest, and make identical files differ by an empty gzip member.

    Objects are named by their digest. Two parts with the same bytes have twice the lines, so each
    needs an object of its own.
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
    """Concatenate the members' rejected lines; concatenated gzip files are a valid gzip file."""
    with HashedPartFile(folder) as part:
        for file in sorted(files, key=lambda file: file.sha256):
            with (folder / file.name).open("rb") as source:
                while data := source.read(_CHUNK_BYTES):
                    part.write(data)
        return _renamed(part, "", sum(file.lines for file in files))


def publish_part(part: HashedPartFile, member: str, lines: int) -> HourFile | None:
    """Rename a finished file to its digest; return None, without a file, when it has no lines."""
    return _renamed(part, member, lines) if lines else None


def _renamed(part: HashedPartFile, member: str, lines: int) -> HourFile:
    name = f"{part.sha256}.json.gz"
    part.publish(name, durable=True)
    return HourFile(name, member, part.bytes, lines, part.sha256)


def _lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for block in whole_lines(gunzip(read_pieces(file))):
            yield from split_lines(block)
