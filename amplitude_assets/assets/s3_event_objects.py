"""The asset `s3_event_objects`: each hour's files as immutable objects, and its manifest."""

from collections.abc import Callable

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from amplitude_assets.assets.about import description, link
from amplitude_assets.assets.hourly import (
    HourlyOutcome,
    HourlyRules,
    Metadata,
    ended_where_no_retry_helps,
    hours_of,
    step_progress,
)
from amplitude_assets.config import Settings
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.privacy import Forgotten
from amplitude_assets.hours import format_hour
from amplitude_assets.lake.layout import manifest_key
from amplitude_assets.lake.publish import Published
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.progress import ProgressSink
from amplitude_assets.publishing import publish_all
from amplitude_assets.resources import read_privacy


def s3_event_objects_asset(rules: HourlyRules) -> AssetsDefinition:
    """Return the asset under the rules that all hourly assets share."""

    @asset(
        deps=["hourly_json_files"],
        group_name="lake",
        kinds={"s3", "json"},
        description=description(
            "The hour's files as immutable objects named by their digest, and a manifest that "
            "commits them. A partition is one upload hour.",
            "Materialising it again sends only what is not there yet, and leaves an hour that has "
            "not changed alone. With privacy settings, older deliveries are removed.",
            "They land under `LAKE_URL`, a folder or an S3 bucket: the truth that bronze is loaded "
            "from.",
        ),
        code_version="1",
        **rules.arguments(),
    )
    @ended_where_no_retry_helps
    def s3_event_objects(
        context: AssetExecutionContext,
        settings: ResourceParam[Settings],
        landing: ResourceParam[Landing],
        lake: ResourceParam[Lake],
        copy_merges: ResourceParam[Callable[[Lake, Forgotten], int]],
        progress: ResourceParam[ProgressSink],
    ) -> MaterializeResult[None]:
        outcome = HourlyOutcome(context)
        hours = hours_of(context)
        told = step_progress(context, progress, len(hours), units="bytes sent")
        privacy = read_privacy(settings, lake)
        for hour, published in publish_all(landing, lake, hours, keep_superseded=not privacy):
            if isinstance(published, Published):
                outcome.done[hour] = _metadata(lake, published)
                told.add(1, published.bytes_sent)
                if published.replaced:
                    context.log.info(_in_words(published))
            else:
                outcome.fail([hour], published.reason, retryable=published.retryable)
                told.add(1)
        try:
            copy_merges(lake, privacy.forgotten)
        except LakeError as error:
            context.log.error(f"merge files are not copied: {error}")  # the hours are done
        return outcome.result()

    return s3_event_objects


def _in_words(published: Published) -> str:
    hour, events = format_hour(published.manifest.export_hour), published.events
    return f"{hour} was delivered anew: {events.added:,} events came, {events.removed:,} went"


def _metadata(lake: Lake, published: Published) -> Metadata:
    manifest = published.manifest
    key = manifest_key(manifest.project_id, manifest.export_hour)
    return {
        "dagster/uri": MetadataValue.text(lake.uri(key)),
        **link("object", lake.page(key)),
        "status": manifest.status,
        "objects": len(manifest.objects),
        "objects_sent": published.objects_sent,
        "bytes": manifest.bytes,
        "bytes_sent": published.bytes_sent,
        "lines": manifest.lines,
        "forgotten_lines": manifest.forgotten_lines,
        "changed": published.changed,
        "events_added": published.events.added,
        "events_removed": published.events.removed,
    }
