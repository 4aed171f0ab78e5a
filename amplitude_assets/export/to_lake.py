"""Publish unpacked hours from the landing area to the lake, several at a time.

It does not depend on Dagster, so scripts can use it as the asset does.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from amplitude_assets.export.archive.hour_files import HourFile, HourFiles
from amplitude_assets.export.errors import LandingError
from amplitude_assets.export.landing import Landing
from amplitude_assets.lake.acceptance import CONFIRM_AFTER
from amplitude_assets.lake.commit import Published, publish_hour, remove_superseded
from amplitude_assets.lake.layout import event_key, rejected_key
from amplitude_assets.lake.manifest import LakeObject, Manifest
from amplitude_assets.lake.store import Lake, LakeError

_HOURS_AT_ONCE = 8


@dataclass(frozen=True)
class Unpublished:
    """Why publishing an hour failed, and whether a retry may succeed."""

    reason: str
    retryable: bool = True


def publish_all(
    landing: Landing,
    lake: Lake,
    hours: Sequence[datetime],
    *,
    keep_superseded: bool = True,
    confirm_after: timedelta = CONFIRM_AFTER,
) -> Iterator[tuple[datetime, Published | Unpublished]]:
    """Publish unpacked hours, and yield each with its result, in the order of `hours`.

    Without `keep_superseded`, the objects of an hour's older deliveries are deleted: they may
    contain data that today's privacy settings remove. `confirm_after` is as in `publish_hour`.
    """

    def publish(hour: datetime) -> Published | Unpublished:
        try:
            files = landing.files_of(hour)
            published = publish_files(
                lake, files, landing.hour_folder(hour), confirm_after=confirm_after
            )
            if not keep_superseded:
                remove_superseded(lake, published.manifest)
            return published
        except LandingError as error:
            return Unpublished(error.message)
        except LakeError as error:
            return Unpublished(str(error), retryable=error.retryable)

    with ThreadPoolExecutor(_HOURS_AT_ONCE, thread_name_prefix="lake-writer") as pool:
        yield from zip(hours, pool.map(publish, hours), strict=True)


def publish_files(
    lake: Lake, files: HourFiles, folder: Path, *, confirm_after: timedelta = CONFIRM_AFTER
) -> Published:
    """Publish an hour whose files are in `folder`. Raises LakeError."""
    sources = [(_object(files, file), folder / file.name) for file in files.every_file]
    return publish_hour(lake, _manifest(files), sources, confirm_after=confirm_after)


def _manifest(files: HourFiles) -> Manifest:
    return Manifest(
        project_id=files.project_id,
        export_hour=files.hour,
        status=files.status,
        objects=tuple(_object(files, file) for file in files.files),
        rejected=_object(files, files.rejected_file) if files.rejected_file else None,
        bytes=files.bytes,
        lines=files.lines,
        rejected_lines=files.rejected_lines,
        forgotten_lines=files.forgotten_lines,
        digest=files.digest,
        fetched_at=files.fetched_at,
    )


def _object(files: HourFiles, file: HourFile) -> LakeObject:
    key = rejected_key if file == files.rejected_file else event_key
    return LakeObject(
        key=key(files.project_id, files.hour, file.sha256),
        member=file.member,
        bytes=file.bytes,
        lines=file.lines,
        sha256=file.sha256,
    )
