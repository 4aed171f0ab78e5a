"""The asset `s3_event_objects`: each hour's files as immutable objects, and a manifest."""

from collections.abc import Callable

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from amplitude_assets.assets.descriptions import description, link
from amplitude_assets.assets.hourly import (
    SUPERSEDED,
    HourlyOutcome,
    HourlyRules,
    Metadata,
    confirm_after,
    hours_of,
    no_retry_on_permanent_errors,
    step_progress,
)
from amplitude_assets.assets.keys import HOURLY_JSON_FILES, S3_EVENT_OBJECTS
from amplitude_assets.config import Settings
from amplitude_assets.connections.lake import read_privacy
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.to_lake import publish_all
from amplitude_assets.hours import format_hour
from amplitude_assets.lake.acceptance import Verdict
from amplitude_assets.lake.commit import Published
from amplitude_assets.lake.layout import manifest_key
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.privacy.rules import Forgotten
from amplitude_assets.progress import ProgressSink


def s3_event_objects_asset(rules: HourlyRules) -> AssetsDefinition:
    """Return the asset with the rules that all hourly assets share."""

    @asset(
        key=S3_EVENT_OBJECTS,
        deps=[HOURLY_JSON_FILES],
        group_name="lake",
        kinds={"s3", "json"},
        description=description(
            "The hour's files as immutable objects named by their digest, and a manifest that "
            "commits them. A partition is one upload hour.",
            "Materializing again uploads only missing objects. An answer with fewer events "
            "replaces the hour once it is confirmed. With privacy settings, older deliveries are "
            "deleted.",
            "They land under `LAKE_URL`, a folder or S3 bucket, from which bronze is loaded.",
        ),
        code_version="1",
        **rules.arguments(),
    )
    @no_retry_on_permanent_errors
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
        counter = step_progress(context, progress, len(hours), units="bytes sent")
        privacy = read_privacy(settings, lake)
        published_hours = publish_all(
            landing,
            lake,
            hours,
            keep_superseded=not privacy,
            confirm_after=confirm_after(context, settings),
        )
        for hour, published in published_hours:
            if isinstance(published, Published):
                outcome.done[hour] = _metadata(lake, published)
                counter.add(1, published.bytes_sent)
                if published.verdict is Verdict.FEWER:
                    context.log.warning(_in_words(published))
                elif published.replaced or published.verdict is Verdict.SUPERSEDED:
                    context.log.info(_in_words(published))
            else:
                outcome.fail([hour], published.reason, retryable=published.retryable)
                counter.add(1)
        try:
            copy_merges(lake, privacy.forgotten)
        except LakeError as error:
            context.log.error(f"merge files were not copied: {error}")  # the hours are done
        return outcome.result()

    return s3_event_objects


def _in_words(published: Published) -> str:
    hour, events = format_hour(published.manifest.export_hour), published.events
    if published.verdict is Verdict.FEWER:
        return (
            f"{hour}: Amplitude answered with {published.manifest.events_in_question:,} events "
            "fewer than the lake has; the hour stays unchanged until that is confirmed"
        )
    if published.verdict is Verdict.SUPERSEDED:
        return f"{hour}: the lake already has a newer delivery and keeps it"
    return f"{hour} re-delivered: {events.added:,} events added, {events.removed:,} removed"


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
        "events_in_question": manifest.events_in_question,
        SUPERSEDED: published.verdict is Verdict.SUPERSEDED,
    }
