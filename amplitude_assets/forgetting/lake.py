"""Remove a person's lines from the lake: from hours, superseded objects and merge files.

Every step is idempotent: after a crash, the next call continues.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import orjson

from amplitude_assets.export.archive.hour_files import (
    HourFile,
    UnpackedMember,
    assemble_hour,
    publish_part,
)
from amplitude_assets.export.to_lake import publish_files
from amplitude_assets.forgetting.person import Person
from amplitude_assets.lake.acceptance import Verdict
from amplitude_assets.lake.layout import (
    events_prefix,
    hour_of_key,
    manifests_prefix,
    merge_prefix,
    rejected_prefix,
)
from amplitude_assets.lake.manifest import LakeObject, Manifest, objects_of
from amplitude_assets.lake.merges import merge_keys, write_merges
from amplitude_assets.lake.store import DamagedError, Lake, LakeError
from amplitude_assets.streams.gzip_stream import GzipWriter, gunzip
from amplitude_assets.streams.json_lines import fault_of, split_lines, whole_lines
from amplitude_assets.streams.part_files import HashedPartFile

_READERS = 16
_WITHHELD = "withheld because it names a forgotten person"


@dataclass(frozen=True)
class LakeContents:
    """A project's manifests by hour, and the keys of objects that no manifest names (`unnamed`).

    `damaged` maps hours with an unreadable manifest to the reason. `of_damaged` are the keys of
    their objects, of which some may be current.
    """

    manifests: dict[datetime, Manifest]
    unnamed: list[str]
    damaged: dict[datetime, str]
    of_damaged: list[str]


def read_contents(lake: Lake, project_id: int) -> LakeContents:
    """Read every manifest of a project, and list its objects. Raises LakeError."""

    def read(hour: datetime) -> Manifest | str | None:
        try:
            return lake.read_manifest(project_id, hour)
        except DamagedError as error:
            return str(error)

    hours = [_hour_of(key) for key in lake.list_keys(manifests_prefix(project_id))]
    with ThreadPoolExecutor(_READERS, thread_name_prefix="lake-reader") as pool:
        found = dict(zip(hours, pool.map(read, hours), strict=True))
    manifests = {hour: one for hour, one in found.items() if isinstance(one, Manifest)}
    damaged = {hour: one for hour, one in found.items() if isinstance(one, str)}
    named = {item.key for manifest in manifests.values() for item in objects_of(manifest)}
    unnamed: list[str] = []
    of_damaged: list[str] = []
    for prefix in (events_prefix(project_id), rejected_prefix(project_id)):
        for key in lake.list_keys(prefix):
            if key not in named:
                (of_damaged if hour_of_key(key) in damaged else unnamed).append(key)
    return LakeContents(manifests, unnamed, damaged, of_damaged)


def count_lines(lake: Lake, key: str, person: Person) -> int:
    """Count the lines of an object that belong to the person or name them. Raises LakeError.

    A damaged object counts as one line, since it may contain the person.
    """
    try:
        return _count_lines(lake, key, person)
    except DamagedError:
        return 1


def _count_lines(lake: Lake, key: str, person: Person) -> int:
    if key.startswith(rejected_prefix(person.project_id)):
        mentions = person.mentions()
        return sum(bool(mentions.search(_record(line)["line"])) for line in lines_of(lake, key))
    forgotten = person.forgotten
    if key.startswith(merge_prefix(person.project_id)):
        return sum(
            fault_of(line) is None and not forgotten.keeps_merge(line)
            for line in lines_of(lake, key)
        )
    return sum(forgotten.kept(line) is not line for line in lines_of(lake, key))


def lines_of(
    lake: Lake, key: str, copy: Callable[[bytes], object] = lambda _: None
) -> Iterator[bytes]:
    """Yield the lines of an object without line ends, and call `copy` with its gzip bytes.

    Raises LakeError.
    """

    def arriving() -> Iterator[bytes]:
        for data in lake.get_object(key):
            copy(data)
            yield data

    with lake.unpacking(key):
        for block in whole_lines(gunzip(arriving())):
            yield from split_lines(block)


def rewrite_hour(lake: Lake, manifest: Manifest, person: Person, folder: Path) -> int:
    """Publish an hour without the person's lines, and return the number of removed lines.

    Objects that do not contain the person keep their bytes, and an hour without such lines is
    not changed. `folder` receives copies of the objects; the caller clears it. Raises LakeError.
    """
    project_id, hour = manifest.project_id, manifest.export_hour
    members = []
    for item in manifest.objects:
        file, removed = _rewrite_object(lake, item, folder, person.forgotten.kept)
        members.append(UnpackedMember(file, None, "", removed))
    if manifest.rejected is not None:
        withhold = partial(_withhold, person.mentions())
        file, _ = _rewrite_object(lake, manifest.rejected, folder, withhold)
        members.append(UnpackedMember(None, file, file.sha256 if file else ""))
    files = assemble_hour(
        members, folder, project_id=project_id, hour=hour, fetched_at=manifest.fetched_at
    )
    if {file.sha256 for file in files.every_file} == {item.sha256 for item in objects_of(manifest)}:
        return 0
    forgotten_lines = manifest.forgotten_lines + files.forgotten_lines
    published = publish_files(lake, replace(files, forgotten_lines=forgotten_lines), folder)
    if published.verdict is Verdict.SUPERSEDED:
        # Another run has committed a newer delivery meanwhile.
        return rewrite_hour(lake, published.manifest, person, folder)
    return files.forgotten_lines


def rewrite_merges(lake: Lake, person: Person) -> None:
    """Rewrite the merge files that contain the person, under the same keys. Raises LakeError."""
    for key in merge_keys(lake, person.project_id):
        if count_lines(lake, key, person):
            write_merges(lake, key, lake.get_object(key), person.forgotten)


def _rewrite_object(
    lake: Lake, item: LakeObject, folder: Path, keep: Callable[[bytes], bytes | None]
) -> tuple[HourFile | None, int]:
    """Write to `folder` what `keep` returns for each line of an object; None removes the line.

    Returns the file, and the number of removed lines. When `keep` changes nothing, the file has
    the same bytes as the object.
    """
    kept = removed = edited = 0
    with HashedPartFile(folder) as same, HashedPartFile(folder) as rest:
        writer = GzipWriter(rest.write)
        for line in lines_of(lake, item.key, same.write):
            new_line = keep(line)
            if new_line is None:
                removed += 1
                continue
            writer.write(new_line + b"\n")
            kept += 1
            edited += new_line is not line
        writer.finish()
        return publish_part(rest if removed or edited else same, item.member, kept), removed


def _withhold(mentions: re.Pattern[str], line: bytes) -> bytes:
    """Return the record of a rejected line, with an empty text if the line names the person."""
    record = _record(line)
    if not mentions.search(record["line"]):
        return line
    return orjson.dumps({**record, "line": "", "reason": f"{record['reason']}; {_WITHHELD}"})


def _record(line: bytes) -> dict[str, str]:
    try:
        record: dict[str, str] = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise LakeError(f"the record of a rejected line is damaged: {error}") from None
    return record


def _hour_of(key: str) -> datetime:
    hour = hour_of_key(key)
    if hour is None:
        raise LakeError(f"{key} is not the key of a manifest; move it out of the lake")
    return hour
