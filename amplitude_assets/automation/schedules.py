"""The schedules: the nightly re-check of hours, maintenance, and the hourly watch."""

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

from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.automation.jobs import hours_job, watch_job
from amplitude_assets.automation.maintenance import maintenance_job
from amplitude_assets.automation.requests import Reason, hours_request
from amplitude_assets.automation.runs import hours_listed_for_recheck
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
    """Return the schedule that requests recent hours and empty hours again.

    An unchanged hour keeps its manifest, rows and ledger row. A changed hour is replaced, and
    `s3_event_objects` reports how many events were added and removed.
    """

    @schedule(
        name="nightly_recheck",
        job=hours_job,
        cron_schedule="40 3 * * *",
        execution_timezone="UTC",
        default_status=schedule_status(settings),
        description=(
            f"Requests the newest {settings.recheck_hours} hours again, and empty hours of the "
            f"last {settings.lookback_days} days; older empty hours at growing intervals, and "
            "hours in question until they are settled. Changed hours are replaced."
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
        description="Runs maintenance_job: retention, verification of the lake, data tests, docs.",
    )


def watch_schedule(settings: Settings) -> ScheduleDefinition:
    """Return the schedule of `watch_job`, whose checks fail when no run loads anything."""
    return ScheduleDefinition(
        name="hourly_watch",
        job=watch_job,
        cron_schedule="50 * * * *",
        execution_timezone="UTC",
        default_status=schedule_status(settings),
        description=(
            "Checks for missing hours every hour, also when no hours are being loaded. It reads "
            "Dagster's records and opens no warehouse."
        ),
    )


def schedule_status(settings: Settings) -> DefaultScheduleStatus:
    """Return whether schedules run by default, which `AUTOMATION_ENABLED` decides."""
    running = settings.automation_enabled
    return DefaultScheduleStatus.RUNNING if running else DefaultScheduleStatus.STOPPED


def hours_to_recheck(
    instance: DagsterInstance, settings: Settings, now: datetime
) -> list[datetime]:
    """Return loaded hours among the newest `RECHECK_HOURS`, and empty hours of the look-back.

    The check `no_hour_is_in_question` adds hours in question and older empty hours that are due.
    Hours that are not in bronze are left to the sensor `new_hours`.
    """
    newest = last_exportable_hour(now, settings.amplitude_export_delay_hours)
    recent = newest - settings.recheck_hours * HOUR
    oldest = min(recent, newest - timedelta(days=settings.lookback_days))
    window = HourRange(max(oldest + HOUR, settings.amplitude_start_hour), newest)
    status = _newest_status(instance, window)
    chosen = {hour for hour in status if hour > recent or status[hour] == "empty"}
    return sorted(chosen | hours_listed_for_recheck(instance))


def _newest_status(instance: DagsterInstance, window: HourRange) -> dict[datetime, str]:
    """Return each hour's status in its newest materialization of bronze."""
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
    """Yield the materializations of bronze for these hours, newest first."""
    filters = AssetRecordsFilter(
        asset_key=RAW_EVENTS, asset_partitions=[partition_of_hour(hour) for hour in window]
    )
    page = None
    while page is None or page.has_more:
        cursor = page.cursor if page else None
        page = instance.fetch_materializations(filters, limit=_PAGE, cursor=cursor)
        yield from page.records
