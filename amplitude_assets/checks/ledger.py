"""The hours that the checks judge: those of the ledger, or of Dagster's records."""

from datetime import datetime

from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.config import Settings
from amplitude_assets.hours import (
    HOUR,
    Clock,
    HourRange,
    hour_of_partition,
    last_exportable_hour,
)
from amplitude_assets.instance.steps import step_context
from amplitude_assets.warehouse.base import LedgerRow, Warehouse

# The tag of runs whose checks read Dagster's records.
FROM_RECORDS = "amplitude/from_records"


def newest_exportable(settings: Settings, clock: Clock) -> datetime:
    """Return the newest exportable hour."""
    return last_exportable_hour(clock(), settings.amplitude_export_delay_hours)


def ledger_ever(
    settings: Settings, warehouse: Warehouse, clock: Clock
) -> dict[datetime, LedgerRow]:
    """Return all rows of the project's ledger, by hour."""
    newest = newest_exportable(settings, clock)
    first = min(settings.amplitude_start_hour, newest)
    return warehouse.ledger(settings.project_id, HourRange(first, newest))


def loaded_ever(settings: Settings, warehouse: Warehouse, clock: Clock) -> set[datetime]:
    """Return all exportable hours in bronze: by the ledger, or in `watch_job` by Dagster's records.

    `watch_job` must not open the warehouse, since each start of a Snowflake warehouse is billed.
    """
    context = step_context()
    if context is None or FROM_RECORDS not in context.run.tags:
        return set(ledger_ever(settings, warehouse, clock))
    newest = newest_exportable(settings, clock)
    hours = map(hour_of_partition, context.instance.get_materialized_partitions(RAW_EVENTS))
    return {hour for hour in hours if hour <= newest}


def lookback(settings: Settings, newest: datetime) -> HourRange:
    """Return the hours in which `new_hours` requests missing hours."""
    return HourRange(newest - (24 * settings.lookback_days - 1) * HOUR, newest)
