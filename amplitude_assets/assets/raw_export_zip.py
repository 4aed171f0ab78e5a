"""The asset `raw_export_zip`: Amplitude's answer for each hour, on this machine's disk."""

from datetime import datetime

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
    attempt_of,
    hours_of,
    no_retry_on_permanent_errors,
    step_progress,
)
from amplitude_assets.assets.keys import RAW_EXPORT_ZIP
from amplitude_assets.config import Settings
from amplitude_assets.export.landing import DeliveryRecord, Landing
from amplitude_assets.export.source import Delivery, HourSource
from amplitude_assets.hours import Clock, contiguous_ranges, is_exportable
from amplitude_assets.instance.pools import AMPLITUDE_POOL
from amplitude_assets.progress import ProgressSink


def raw_export_zip_asset(rules: HourlyRules, settings: Settings) -> AssetsDefinition:
    """Return the asset with the rules that all hourly assets share."""

    @asset(
        key=RAW_EXPORT_ZIP,
        group_name="export",
        kinds={"python", "file"},
        description=description(
            "The zip from Amplitude's Export API, one per request of up to a day. A partition is "
            "the UTC hour in which Amplitude received the events.",
            "Materializing again requests the hour again; one without events is recorded as empty.",
            "It lands in `DATA_DIR/landing`, a working area; the lake keeps the data.",
        ),
        metadata=_links(settings),
        pool=AMPLITUDE_POOL,
        code_version="1",
        **rules.arguments(),
    )
    @no_retry_on_permanent_errors
    def raw_export_zip(
        context: AssetExecutionContext,
        settings: ResourceParam[Settings],
        export_client: ResourceParam[HourSource],
        landing: ResourceParam[Landing],
        clock: ResourceParam[Clock],
        progress: ResourceParam[ProgressSink],
    ) -> MaterializeResult[None]:
        hours = hours_of(context)
        outcome = HourlyOutcome(context)
        _fail_unready(outcome, hours, settings, clock())
        attempt = attempt_of(context)
        ready = [hour for hour in hours if hour not in outcome.failed]
        wanted = [hour for hour in ready if not landing.has_delivery(hour, attempt)]
        counter = step_progress(context, progress, len(wanted), units="bytes")

        def record(delivery: Delivery) -> None:
            landing.record(delivery, attempt)
            counter.add(len(delivery.hours))

        with landing.locked():
            errors = export_client.fetch_all(
                contiguous_ranges(wanted, longest=settings.amplitude_request_hours),
                landing.zips,
                on_delivery=record,
                on_received=counter.reach,
            )
        for error in errors:
            outcome.fail(error.hours, error.message, retryable=error.retryable)
        for hour in hours:
            if hour not in outcome.failed:
                outcome.done[hour] = _metadata(landing.delivery_of(hour))
        return outcome.result()

    return raw_export_zip


def _fail_unready(
    outcome: HourlyOutcome, hours: list[datetime], settings: Settings, now: datetime
) -> None:
    """Fail hours that are not exportable yet, which Amplitude would answer as empty."""
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
