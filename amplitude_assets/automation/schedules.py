"""The schedules: a nightly second look at what Amplitude has, and maintenance."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dagster import (
    AssetRecordsFilter,
    DagsterInstance,
    DefaultScheduleStatus,
    EventLogRecord,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from amplitude_assets.automation.jobs import hours_job, watch_job
from amplitude_assets.automation.maintenance import maintenance_job
from amplitude_assets.automation.requests import Reason, hours_request
from amplitude_assets.automation.runs import RAW_EVENTS
from amplitude_assets.config import Settings
from amplitude_assets.hours import (
    HOUR,
    HourRange,
    contiguous_ranges,
    hour_of_partition,
    last_exportable_hour,
    partition_of_hour,
)

_PAGE = 500


def nightly_recheck_schedule(settings: Settings) -> ScheduleDefinition:
    """Return the schedule that asks Amplitude again for recent hours and for empty ones.

    An hour that has not changed keeps its manifest, its rows and its place in the ledger. One
    that has is replaced, and `s3_event_objects` says how many events came and went.
    """

    @schedule(
        name="nightly_recheck",
        job=hours_job,
        cron_schedule="40 3 * * *",
        execution_timezone="UTC",
        default_status=schedule_status(settings),
        description=(
            f"Asks Amplitude again for the newest {settings.recheck_hours} hours, and for hours of "
            f"the last {settings.lookback_days} days that it had nothing for. What has changed is "
            "replaced."
        ),
    )
    def nightly_recheck(context: ScheduleEvaluationContext) -> list[RunRequest] | SkipReason:
        now = context.scheduled_execution_time.astimezone(UTC)
        hours = hours_to_recheck(context.instance, settings, now)
        return [
            hours_request(
                part, Reason.RECHECK, run_key=f"{now:%Y-%m-%d}:{partition_of_hour(part.first)}"
            )
            for part in contiguous_ranges(hours, settings.run_hours)
        ] or SkipReason("Nothing in bronze is recent or empty.")

    return nightly_recheck


def maintenance_schedule(settings: Settings) -> ScheduleDefinition:
    """Return the schedule of `maintenance_job`."""
    return ScheduleDefinition(
        name="nightly_maintenance",
        job=maintenance_job,
        cron_schedule="20 4 * * *",
        execution_timezone="UTC",
        default_status=schedule_status(settings),
        description="Clears what is no longer needed, and writes the models' documentation anew.",
    )


def watch_schedule(settings: Settings) -> ScheduleDefinition:
    """Return the schedule of the checks that fail when nothing happens."""
    return ScheduleDefinition(
        name="hourly_watch",
        job=watch_job,
        cron_schedule="50 * * * *",
        execution_timezone="UTC",
        default_status=schedule_status(settings),
        description="Looks for hours that are missing, also when no run does because none runs.",
    )


def schedule_status(settings: Settings) -> DefaultScheduleStatus:
    """Return whether schedules run without being switched on: by `AUTOMATION_ENABLED`."""
    running = settings.automation_enabled
    return DefaultScheduleStatus.RUNNING if running else DefaultScheduleStatus.STOPPED


def hours_to_recheck(
    instance: DagsterInstance, settings: Settings, now: datetime
) -> list[datetime]:
    """Return the hours of bronze that are among the newest `RECHECK_HOURS`, or empty and recent.

    An hour that is not in bronze is none of them: `new_hours` asks for it.
    """
    newest = last_exportable_hour(now, settings.amplitude_export_delay_hours)
    recent = newest - settings.recheck_hours * HOUR
    oldest = min(recent, newest - timedelta(days=settings.lookback_days))
    window = HourRange(max(oldest + HOUR, settings.amplitude_start_hour), newest)
    status = _newest_status(instance, window)
    return [hour for hour in sorted(status) if hour > recent or status[hour] == "empty"]


def _newest_status(instance: DagsterInstance, window: HourRange) -> dict[datetime, str]:
    """Return the status that each hour of bronze was last materialised with."""
    status: dict[datetime, str] = {}
    for record in _materialisations(instance, window):
        materialisation = record.asset_materialization
        if materialisation is None or record.partition_key is None:
            continue
        stated = materialisation.metadata.get("status")
        hour = hour_of_partition(record.partition_key)
        status.setdefault(hour, str(stated.value) if stated else "")
    return status


def _materialisations(instance: DagsterInstance, window: HourRange) -> Iterator[EventLogRecord]:
    """Yield the materialisations of bronze for these hours, newest first."""
    filters = AssetRecordsFilter(
        asset_key=RAW_EVENTS, asset_partitions=[partition_of_hour(hour) for hour in window]
    )
    page = None
    while page is None or page.has_more:
        cursor = page.cursor if page else None
        page = instance.fetch_materializations(filters, limit=_PAGE, cursor=cursor)
        yield from page.records
