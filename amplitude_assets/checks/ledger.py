"""The hours that the checks look at, from the ledger."""

from datetime import datetime

from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, Clock, HourRange, last_exportable_hour
from amplitude_assets.warehouse.base import LedgerRow, Warehouse


def newest_exportable(settings: Settings, clock: Clock) -> datetime:
    """Return the newest hour that Amplitude can export by now."""
    return last_exportable_hour(clock(), settings.amplitude_export_delay_hours)


def ledger_ever(
    settings: Settings, warehouse: Warehouse, clock: Clock
) -> dict[datetime, LedgerRow]:
    """Return every row of the project's ledger, by hour."""
    newest = newest_exportable(settings, clock)
    first = min(settings.amplitude_start_hour, newest)
    return warehouse.ledger(settings.project_id, HourRange(first, newest))


def lookback(settings: Settings, newest: datetime) -> HourRange:
    """Return the hours in which `new_hours` still asks for what is missing."""
    return HourRange(newest - (24 * settings.lookback_days - 1) * HOUR, newest)
