"""Taking a person out of the lake: hours, what older deliveries left, and merge files.

Each step can be done again: killed anywhere, the next time finds what is left.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import orjson

from amplitude_assets.export.files import HashedPartFile
from amplitude_assets.export.hour_files import (
    HourFile,
    UnpackedMember,
    assembled,
    publish_part,
)
from amplitude_assets.forgetting.person import Person
from amplitude_assets.gzip_stream import GzipWriter, gunzip
from amplitude_assets.hours import HourError, parse_hour
from amplitude_assets.json_lines import fault_of, split_lines, whole_lines
from amplitude_assets.lake.layout import (
    events_prefix,
    manifests_prefix,
    merge_prefix,
    rejected_prefix,
)
from amplitude_assets.lake.manifest import LakeObject, Manifest, objects_of
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.publishing import publish_files
from amplitude_assets.s3_export import write_merges
from amplitude_assets.warehouse.batches import merge_keys

_READERS = 16
_WITHHELD = "withheld, since somebody in it asked to be forgotten"


@dataclass(frozen=True)
class LakeContents:
    """A project's hours by their manifests, and the keys of objects that no manifest names."""

    manifests: dict[datetime, Manifest]
    unnamed: list[str]


def read_contents(lake: Lake, project_id: int) -> LakeContents:
    """Read every manifest of a project, and list its objects. Raises LakeError."""
    keys = list(lake.list_keys(manifests_prefix(project_id)))
    with ThreadPoolExecutor(_READERS, thread_name_prefix="lake-reader") as pool:
        read = pool.map(lambda key: lake.read_manifest(project_id, _hour_of(key)), keys)
        manifests = {manifest.export_hour: manifest for manifest in read if manifest is not None}
    named = {item.key for manifest in manifests.values() for item in objects_of(manifest)}
    every = [
        key
        for prefix in (events_prefix(project_id), rejected_prefix(project_id))
        for key in lake.list_keys(prefix)
    ]
    return LakeContents(manifests, [key for key in every if key not in named])


def count_lines(lake: Lake, key: str, person: Person) -> int:
    """Count the lines of an object that are theirs, or name them. Raises LakeError."""
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
    """Yield the lines of an object, without their ends, and hand its bytes to `copy`.

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
    """Publish an hour anew without the person; return how many lines went. Raises LakeError.

    Objects without them stay as they are; without any of theirs, the hour does. It works in
    `folder`, which holds copies of what was in the lake until it is cleared.
    """
    project_id, hour = manifest.project_id, manifest.export_hour
    members = []
    for item in manifest.objects:
        file, gone = _rewritten(lake, item, folder, person.forgotten.kept)
        members.append(UnpackedMember(file, None, "", gone))
    if manifest.rejected is not None:
        withhold = partial(_withheld, person.mentions())
        file, _ = _rewritten(lake, manifest.rejected, folder, withhold)
        members.append(UnpackedMember(None, file, file.sha256 if file else ""))
    files = assembled(
        members, folder, project_id=project_id, hour=hour, fetched_at=manifest.fetched_at
    )
    if {file.sha256 for file in files.every_file} == {item.sha256 for item in objects_of(manifest)}:
        return 0
    forgotten_lines = manifest.forgotten_lines + files.forgotten_lines
    publish_files(lake, replace(files, forgotten_lines=forgotten_lines), folder)
    return files.forgotten_lines


def rewrite_merges(lake: Lake, person: Person) -> None:
    """Take the person out of the merge files, in place: they are known by their keys."""
    for key in merge_keys(lake, person.project_id):
        if count_lines(lake, key, person):
            write_merges(lake, key, lake.get_object(key), person.forgotten)


def _rewritten(
    lake: Lake, item: LakeObject, folder: Path, keep: Callable[[bytes], bytes | None]
) -> tuple[HourFile | None, int]:
    """Bring an object's lines to `folder` as `keep` returns them; count those it returns none for.

    When it returns each as it is, the file has the object's own bytes.
    """
    kept = gone = edited = 0
    with HashedPartFile(folder) as same, HashedPartFile(folder) as rest:
        writer = GzipWriter(rest.write)
        for line in lines_of(lake, item.key, same.write):
            left = keep(line)
            if left is None:
                gone += 1
                continue
            writer.write(left + b"\n")
            kept += 1
            edited += left is not line
        writer.finish()
        return publish_part(rest if gone or edited else same, item.member, kept), gone


def _withheld(mentions: re.Pattern[str], line: bytes) -> bytes:
    """Return a record of a rejected line, without its text if that names the person."""
    record = _record(line)
    if not mentions.search(record["line"]):
        return line
    return orjson.dumps({**record, "line": "", "reason": f"{record['reason']}; {_WITHHELD}"})


def _record(line: bytes) -> dict[str, str]:
    try:
        record: dict[str, str] = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise LakeError(f"a record of a rejected line cannot be read: {error}") from None
    return record


def _hour_of(key: str) -> datetime:
    """Return the hour of a manifest's key, which ends with `yyyy-MM-dd/HH.json`."""
    day, _, name = key.rpartition("/")
    text = f"{day.rpartition('/')[2]}T{name.removesuffix('.json')}"
    try:
        return parse_hour(text)
    except HourError as error:
        raise LakeError(f"{key} is no key of a manifest: {error}") from None
