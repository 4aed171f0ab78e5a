"""The asset `hourly_json_files`: each hour's files out of the zips, verified line by line."""

import os

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from amplitude_assets.assets.about import description
from amplitude_assets.assets.hourly import (
    HourlyOutcome,
    HourlyRules,
    Metadata,
    ended_where_no_retry_helps,
    hours_of,
    step_progress,
)
from amplitude_assets.config import Settings
from amplitude_assets.export.archive import ArchiveLimits
from amplitude_assets.export.hour_files import HourFiles
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.preview import preview_of
from amplitude_assets.export.privacy import Privacy
from amplitude_assets.lake.store import Lake
from amplitude_assets.progress import ProgressSink
from amplitude_assets.resources import read_privacy


def hourly_json_files_asset(rules: HourlyRules) -> AssetsDefinition:
    """Return the asset under the rules that all hourly assets share."""

    @asset(
        deps=["raw_export_zip"],
        group_name="export",
        kinds={"python", "json"},
        description=description(
            "The hour's gzip files of JSON lines, as Amplitude sent them, each line checked, "
            "without what is masked. A partition is one upload hour.",
            "Materialising it again unpacks the same zip again. A bad line is set aside with its "
            "file, number and reason; a damaged file fails its hour alone.",
            "They land in `DATA_DIR/landing`, a working area: the lake is what is kept.",
        ),
        code_version="1",
        **rules.arguments(),
    )
    @ended_where_no_retry_helps
    def hourly_json_files(
        context: AssetExecutionContext,
        settings: ResourceParam[Settings],
        landing: ResourceParam[Landing],
        lake: ResourceParam[Lake],
        progress: ResourceParam[ProgressSink],
    ) -> MaterializeResult[None]:
        outcome = HourlyOutcome(context)
        hours = hours_of(context)
        told = step_progress(context, progress, len(hours), units="lines")
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
                told.add(1, unpacked.lines)
            else:
                outcome.fail([hour], unpacked.message)
                told.add(1)
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
    """Return the masked fields, where there are any."""
    fields = {"dropped": privacy.masks.dropped, "hashed": privacy.masks.hashed}
    return {
        name: ", ".join(map(str, sorted(which, key=str))) for name, which in fields.items() if which
    }
