"""Verify the lake's objects against their manifests: sizes and SHA-256 digests, hour by hour."""

import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime

from amplitude_assets.hours import format_hour
from amplitude_assets.lake.layout import (
    events_prefix,
    hour_of_key,
    manifest_key,
    manifests_prefix,
    rejected_prefix,
)
from amplitude_assets.lake.manifest import LakeObject, Manifest, objects_of
from amplitude_assets.lake.store import DamagedError, Lake, LakeError

_HOURS_AT_ONCE = 8


@dataclass(frozen=True)
class VerifiedHour:
    """The objects and bytes read of an hour, and its `problems`; none when it is intact."""

    hour: datetime
    objects: int
    bytes: int
    problems: tuple[str, ...]


def hours_in(lake: Lake, project_id: int) -> set[datetime]:
    """Return the hours of a project that have a manifest, damaged or not. Raises LakeError."""
    found = (hour_of_key(key) for key in lake.list_keys(manifests_prefix(project_id)))
    return {hour for hour in found if hour is not None}


def share_of_night(hours: Iterable[datetime], night: date, nights: int) -> list[datetime]:
    """Return the hours to verify in one night, so that each is verified every `nights` nights."""
    turn = night.toordinal() % nights
    return [h for h in hours if zlib.crc32(format_hour(h).encode()) % nights == turn]


def verify_hours(
    lake: Lake, project_id: int, hours: Iterable[datetime], expected: Collection[datetime]
) -> Iterator[VerifiedHour]:
    """Read and verify every object of these hours, and yield the result of each hour, in order.

    An hour without a manifest is damaged if it is `expected` (the ledger has it) or has objects.
    Raises LakeError when the lake cannot be reached.
    """

    def verify(hour: datetime) -> VerifiedHour:
        return _verify(lake, project_id, hour, expected=hour in expected)

    with ThreadPoolExecutor(_HOURS_AT_ONCE, thread_name_prefix="lake-verifier") as pool:
        yield from pool.map(verify, hours)


def _verify(lake: Lake, project_id: int, hour: datetime, *, expected: bool) -> VerifiedHour:
    try:
        manifest = lake.read_manifest(project_id, hour)
    except DamagedError as error:
        return VerifiedHour(hour, 0, 0, (error.seen,))
    if manifest is None:
        is_missing = expected or any(
            True
            for prefix in (events_prefix, rejected_prefix)
            for _ in lake.list_keys(prefix(project_id, hour))
        )
        problem = f"{lake.uri(manifest_key(project_id, hour))} is missing"
        return VerifiedHour(hour, 0, 0, (problem,) if is_missing else ())
    uri = lake.uri(manifest_key(project_id, hour))
    problems = [f"{uri} {problem}" for problem in _contradictions(manifest)]
    read = 0
    for item in objects_of(manifest):
        size, problem = _compare(lake, item)
        read += size
        problems += [f"{lake.uri(item.key)} {problem}"] if problem else []
    return VerifiedHour(hour, len(objects_of(manifest)), read, tuple(problems))


def _compare(lake: Lake, item: LakeObject) -> tuple[int, str]:
    """Read an object; return its size in bytes and what is wrong with it, empty when intact."""
    digest, size = hashlib.sha256(), 0
    try:
        for piece in lake.get_object(item.key):
            digest.update(piece)
            size += len(piece)
    except DamagedError:
        return 0, "is missing"
    except LakeError as error:
        return size, f"cannot be read: {error}"
    if size != item.bytes:
        return size, f"has {size:,} bytes, its manifest says {item.bytes:,}"
    return size, "" if digest.hexdigest() == item.sha256 else "is damaged: its SHA-256 differs"


def _contradictions(manifest: Manifest) -> Iterator[str]:
    """Yield the contradictions within a manifest."""
    if manifest.lines != sum(item.lines for item in objects_of(manifest)):
        yield "is damaged: its lines are not those of its objects"
    if any(hour_of_key(item.key) != manifest.export_hour for item in objects_of(manifest)):
        yield "is damaged: it names objects of another hour"
    if any(item.sha256 not in item.key for item in objects_of(manifest)):
        yield "is damaged: it names objects by another digest than theirs"
    if manifest.rejected is None:
        parts = "\n".join(sorted(item.sha256 for item in manifest.objects))
        if manifest.digest != hashlib.sha256(parts.encode()).hexdigest():
            yield "is damaged: its digest is not that of its objects"
