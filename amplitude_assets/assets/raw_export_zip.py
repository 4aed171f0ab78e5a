"""The asset `raw_export_zip`: what Amplitude answered for each hour, on this machine's disk."""

from datetime import datetime

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
    attempt_of,
    ended_where_no_retry_helps,
    hours_of,
    step_progress,
)
from amplitude_assets.config import Settings
from amplitude_assets.export.client import Delivery, ExportClient
from amplitude_assets.export.landing import DeliveryRecord, Landing
from amplitude_assets.hours import Clock, contiguous_ranges, is_exportable
from amplitude_assets.instance import AMPLITUDE_POOL
from amplitude_assets.progress import ProgressSink


def raw_export_zip_asset(rules: HourlyRules, settings: Settings) -> AssetsDefinition:
    """Return the asset under the rules that all hourly assets share."""

    @asset(
        group_name="export",
        kinds={"python", "file"},
        description=description(
            "The zip that Amplitude's Export API answered with, one a request of up to a day. A "
            "partition is the UTC hour in which Amplitude received the events.",
            "Materialising it again asks Amplitude again; an hour without events is noted empty.",
            "It lands in `DATA_DIR/landing`, a working area: the lake is what is kept.",
        ),
        metadata=_links(settings),
        pool=AMPLITUDE_POOL,
        code_version="1",
        **rules.arguments(),
    )
    @ended_where_no_retry_helps
    def raw_export_zip(
        context: AssetExecutionContext,
        settings: ResourceParam[Settings],
        export_client: ResourceParam[ExportClient],
        landing: ResourceParam[Landing],
        clock: ResourceParam[Clock],
        progress: ResourceParam[ProgressSink],
    ) -> MaterializeResult[None]:
        hours = hours_of(context)
        outcome = HourlyOutcome(context)
        _leave_out_unready(outcome, hours, settings, clock())
        attempt = attempt_of(context)
        ready = [hour for hour in hours if hour not in outcome.failed]
        wanted = [hour for hour in ready if not landing.has_delivery(hour, attempt)]
        told = step_progress(context, progress, len(wanted), units="bytes")

        def record(delivery: Delivery) -> None:
            landing.record(delivery, attempt)
            told.add(len(delivery.hours))

        with landing.alone():
            errors = export_client.fetch_all(
                contiguous_ranges(wanted, longest=settings.amplitude_request_hours),
                landing.zips,
                on_delivery=record,
                on_received=told.reach,
            )
        for error in errors:
            outcome.fail(error.hours, error.message, retryable=error.retryable)
        for hour in hours:
            if hour not in outcome.failed:
                outcome.done[hour] = _metadata(landing.delivery_of(hour))
        return outcome.result()

    return raw_export_zip


def _leave_out_unready(
    outcome: HourlyOutcome, hours: list[datetime], settings: Settings, now: datetime
) -> None:
    """Fail hours that are not exportable yet: asked for now, they would look empty for ever."""
    delay = settings.amplitude_export_delay_hours
    unready = [hour for hour in hours if not is_exportable(hour, now, delay)]
    outcome.fail(unready, f"not exportable before it has been over for {delay} full hours")


def _links(settings: Settings) -> dict[str, MetadataValue]:
    links = {"documentation": "https://amplitude.com/docs/apis/analytics/export"}
    if not settings.uses_emulator:
        links["amplitude"] = settings.app_origin
    return {name: MetadataValue.url(url) for name, url in links.items()}


def _metadata(delivery: DeliveryRecord) -> Metadata:
    return {
        "requested_hours": str(delivery.hours),
        "zip_bytes": delivery.bytes,
        "zip": delivery.zip or "none: Amplitude holds no data for these hours",
    }
