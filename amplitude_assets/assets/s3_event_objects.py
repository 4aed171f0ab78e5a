"""The asset `s3_event_objects`: each hour's files as immutable objects, and its manifest."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from amplitude_assets.assets.hourly import (
    HourlyOutcome,
    HourlyRules,
    Metadata,
    hours_of,
    step_progress,
)
from amplitude_assets.export.archive import HourFile, HourFiles
from amplitude_assets.export.errors import LandingError
from amplitude_assets.export.landing import Landing
from amplitude_assets.lake.layout import event_key, manifest_key, rejected_key
from amplitude_assets.lake.manifest import LakeObject, Manifest
from amplitude_assets.lake.publish import Published, publish_hour
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.progress import ProgressSink

_HOURS_AT_ONCE = 8


def s3_event_objects_asset(rules: HourlyRules) -> AssetsDefinition:
    """Return the asset under the rules that all hourly assets share."""

    @asset(
        deps=["hourly_json_files"],
        group_name="lake",
        kinds={"s3", "json"},
        code_version="1",
        **rules.arguments(),
    )
    def s3_event_objects(
        context: AssetExecutionContext,
        landing: ResourceParam[Landing],
        lake: ResourceParam[Lake],
        progress: ResourceParam[ProgressSink],
    ) -> MaterializeResult[None]:
        """The hour's files in the lake, named by their digest, and a manifest that commits them.

        A partition is one upload hour. An object that is there already is not sent again, and an
        hour that has not changed keeps its manifest.
        It lands under `LAKE_URL`, a folder or an S3 bucket: the truth that bronze is loaded from.
        """
        outcome = HourlyOutcome(context)
        hours = hours_of(context)
        told = step_progress(context, progress, len(hours), units="bytes sent")
        for hour, published in _publish_all(landing, lake, hours):
            if isinstance(published, Published):
                outcome.done[hour] = _metadata(lake, published)
                told.add(1, published.bytes_sent)
            else:
                outcome.fail([hour], published)
                told.add(1)
        return outcome.result()

    return s3_event_objects


def _publish_all(
    landing: Landing, lake: Lake, hours: list[datetime]
) -> Iterator[tuple[datetime, Published | str]]:
    """Publish hours side by side, and yield each with what was done or why it failed."""

    def publish(hour: datetime) -> Published | str:
        try:
            files = landing.files_of(hour)
            return publish_hour(lake, _manifest(files), _sources(landing, files))
        except LandingError as error:
            return error.message
        except LakeError as error:
            return str(error)

    with ThreadPoolExecutor(_HOURS_AT_ONCE, thread_name_prefix="lake-writer") as pool:
        yield from zip(hours, pool.map(publish, hours), strict=True)


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


def _sources(landing: Landing, files: HourFiles) -> list[tuple[LakeObject, Path]]:
    """Pair every object of an hour with the file that its bytes are in."""
    folder = landing.hour_folder(files.hour)
    every = [*files.files, *([files.rejected_file] if files.rejected_file else [])]
    return [(_object(files, file), folder / file.name) for file in every]


def _metadata(lake: Lake, published: Published) -> Metadata:
    manifest = published.manifest
    return {
        "dagster/uri": MetadataValue.text(
            lake.uri(manifest_key(manifest.project_id, manifest.export_hour))
        ),
        "status": manifest.status,
        "objects": len(manifest.objects),
        "objects_sent": published.objects_sent,
        "bytes": manifest.bytes,
        "bytes_sent": published.bytes_sent,
        "lines": manifest.lines,
        "changed": published.changed,
    }
