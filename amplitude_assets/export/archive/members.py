"""Unpack an hour's members into files of lines, and validate every byte.

A member is copied unchanged, unless privacy settings remove something or a line is not a JSON
object: then it is rewritten.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from amplitude_assets.export.archive.directory import (
    ArchiveLimits,
    Member,
    blocks,
    check_parts,
    damage_as_archive_error,
    open_zip,
)
from amplitude_assets.export.archive.hour_files import (
    HourFiles,
    UnpackedMember,
    assemble_hour,
    publish_part,
)
from amplitude_assets.hours import HourRange
from amplitude_assets.privacy.rules import NO_PRIVACY_RULES, Privacy
from amplitude_assets.streams.gzip_stream import GzipWriter
from amplitude_assets.streams.json_lines import count_objects, fault_of, is_blank, split_lines
from amplitude_assets.streams.part_files import HashedPartFile

# The kept part of a rejected line. Warehouses accept texts up to 16 MB, and escapes lengthen it.
_REJECTED_BYTES = 2 * 1024**2


@dataclass(frozen=True)
class HourJob:
    """The input of `unpack_hour`: the hour's members in a zip, and the folder for its files.

    Without members the hour is empty, and `zip_path` may be None. `fetched_at` is when the hour
    was requested (UTC). `privacy` removes people and fields from the files.
    """

    project_id: int
    hour: datetime
    zip_path: Path | None
    members: tuple[Member, ...]
    folder: Path
    fetched_at: datetime
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    privacy: Privacy = NO_PRIVACY_RULES


def unpack_hour(job: HourJob) -> HourFiles:
    """Validate an hour's members, and write them to its folder as files named by their digest.

    Raises ArchiveError when a member is damaged, duplicated or over the limits, and DiskError.
    Files that a failed call leaves in the folder are ignored.
    """
    check_parts(job.hour, job.members)
    return finish_hour(job, unpack_members(job))


def finish_hour(job: HourJob, unpacked: list[UnpackedMember]) -> HourFiles:
    """Assemble the hour from all unpacked members of a job. Raises DiskError."""
    return assemble_hour(
        unpacked,
        job.folder,
        project_id=job.project_id,
        hour=job.hour,
        fetched_at=job.fetched_at,
    )


def unpack_members(job: HourJob) -> list[UnpackedMember]:
    """Unpack the members of a job, in order; a job may have only some of its hour's members.

    Raises the same errors as `unpack_hour`.
    """
    if not job.members:
        return []
    assert job.zip_path is not None
    with open_zip(job.zip_path, HourRange(job.hour, job.hour)) as archive:
        return unpack_members_of(archive, job)


def unpack_members_of(archive: zipfile.ZipFile, job: HourJob) -> list[UnpackedMember]:
    """Unpack the members of a job from its zip, which is already open. See `unpack_members`."""
    return [_unpack_member(archive, job, member) for member in job.members]


def _unpack_member(archive: zipfile.ZipFile, job: HourJob, member: Member) -> UnpackedMember:
    with damage_as_archive_error(job.hour, member):
        passed = _pass_through(archive, job, member)
        return passed or _rewrite(archive, job, member)


def _pass_through(archive: zipfile.ZipFile, job: HourJob, member: Member) -> UnpackedMember | None:
    """Copy a member unchanged, or return None when one of its lines must be removed or changed."""
    lines = 0
    with archive.open(member.name) as packed, HashedPartFile(job.folder) as part:
        for block in blocks(packed, member, job.limits, part.write):
            objects = count_objects(block)
            if objects is None or (job.privacy and job.privacy.changes(split_lines(block))):
                return None
            lines += objects
        return UnpackedMember(publish_part(part, member.name, lines), None, "")


def _rewrite(archive: zipfile.ZipFile, job: HourJob, member: Member) -> UnpackedMember:
    """Write a member's accepted lines to one file, masked, and its rejected lines to another."""
    kept = rejected = forgotten = 0
    digest = hashlib.sha256()
    with (
        archive.open(member.name) as packed,
        HashedPartFile(job.folder) as good_part,
        HashedPartFile(job.folder) as bad_part,
    ):
        good, bad = GzipWriter(good_part.write), GzipWriter(bad_part.write)
        for number, line in _numbered(blocks(packed, member, job.limits)):
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


def _numbered(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number the lines of blocks, from one."""
    return enumerate((line for block in blocks for line in split_lines(block)), start=1)
