"""The asset `hourly_json_files`: each hour's files from the zips, validated line by line."""

import os

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from amplitude_assets.assets.descriptions import description
from amplitude_assets.assets.hourly import (
    HourlyOutcome,
    HourlyRules,
    Metadata,
    hours_of,
    no_retry_on_permanent_errors,
    step_progress,
)
from amplitude_assets.assets.keys import HOURLY_JSON_FILES, RAW_EXPORT_ZIP
from amplitude_assets.assets.preview import preview_of
from amplitude_assets.config import Settings
from amplitude_assets.connections.lake import read_privacy
from amplitude_assets.export.archive.directory import ArchiveLimits
from amplitude_assets.export.archive.hour_files import HourFiles
from amplitude_assets.export.landing import Landing
from amplitude_assets.lake.store import Lake
from amplitude_assets.privacy.rules import Privacy
from amplitude_assets.progress import ProgressSink


def hourly_json_files_asset(rules: HourlyRules) -> AssetsDefinition:
    """Return the asset with the rules that all hourly assets share."""

    @asset(
        key=HOURLY_JSON_FILES,
        deps=[RAW_EXPORT_ZIP],
        group_name="export",
        kinds={"python", "json"},
        description=description(
            "The hour's gzip files of JSON lines as Amplitude sent them, with each line validated "
            "and masked fields removed. A partition is one upload hour.",
            "Materializing again unpacks the same zip again. An invalid line is rejected with its "
            "file, number and reason; a damaged file fails only its hour.",
            "They land in `DATA_DIR/landing`, a working area; the lake keeps the data.",
        ),
        code_version="1",
        **rules.arguments(),
    )
    @no_retry_on_permanent_errors
    def hourly_json_files(
        context: AssetExecutionContext,
        settings: ResourceParam[Settings],
        landing: ResourceParam[Landing],
        lake: ResourceParam[Lake],
        progress: ResourceParam[ProgressSink],
    ) -> MaterializeResult[None]:
        outcome = HourlyOutcome(context)
        hours = hours_of(context)
        counter = step_progress(context, progress, len(hours))
        limits = ArchiveLimits(
            max_ratio=settings.archive_max_ratio, max_member_bytes=settings.archive_max_file_bytes
        )
        privacy = read_privacy(settings, lake)
        unpacking = landing.unpack(
            hours, workers=os.cpu_count() or 1, limits=limits, privacy=privacy
        )
        for hour, unpacked in unpacking:
            if isinstance(unpacked, HourFiles):
                outcome.done[hour] = {**_metadata(landing, unpacked), **_masks(privacy)}
            else:
                outcome.fail([hour], unpacked.message)
            counter.add(1)
        return outcome.result()

    return hourly_json_files


def _metadata(landing: Landing, files: HourFiles) -> Metadata:
    folder = landing.hour_folder(files.hour)
    return {
        "dagster/partition_row_count": files.lines,
        "status": files.status,
        "files": len(files.files),
        "bytes": files.bytes,
        "rejected_lines": files.rejected_lines,
        "forgotten_lines": files.forgotten_lines,
        "first_events": MetadataValue.md(preview_of([folder / file.name for file in files.files])),
    }


def _masks(privacy: Privacy) -> Metadata:
    """Return the masked fields, if any."""
    fields = {"dropped": privacy.masks.dropped, "hashed": privacy.masks.hashed}
    return {
        name: ", ".join(map(str, sorted(which, key=str))) for name, which in fields.items() if which
    }
