"""Check that no hour is missing between loaded hours, and that the newest is recent.

Both can fail without any run, so the schedule `hourly_watch` evaluates them besides each load.
"""

from collections.abc import Sequence

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    MetadataValue,
    ResourceParam,
    asset_check,
)

from amplitude_assets.assets.gold_state import gold_state
from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.checks.hours_to_reload import lost
from amplitude_assets.checks.ledger import loaded_ever, lookback, newest_exportable
from amplitude_assets.checks.wording import counted, named
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, Clock, HourRange, format_hour
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.instance.steps import step_context
from amplitude_assets.warehouse.base import Warehouse

# The sensor requests an hour within a minute and a load takes minutes: three hours behind is more
# than a delay, and a day behind is an outage.
WARN_BEHIND = 3
FAIL_BEHIND = 24


@asset_check(asset=RAW_EVENTS, name="no_hour_is_missing", pool=WAREHOUSE_POOL)
def no_hour_is_missing(
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> AssetCheckResult:
    """Every hour between the first and the newest of the ledger is in the ledger.

    A missing hour of the look-back is a warning, because `new_hours` still requests it. An older
    one is an error: only a manual backfill loads it.
    """
    ledger = loaded_ever(settings, warehouse, clock)
    if not ledger:
        return AssetCheckResult(
            passed=True, description="No hour has been loaded yet.", metadata={"missing_hours": 0}
        )
    missing = [hour for hour in HourRange(min(ledger), max(ledger)) if hour not in ledger]
    requested = lookback(settings, newest_exportable(settings, clock))
    old = [hour for hour in missing if hour not in requested]
    metadata = {
        "hours": len(ledger),
        "missing_hours": len(missing),
        "missing_before_the_look_back": len(old),
    }
    if not missing:
        return AssetCheckResult(
            passed=True,
            description=f"None of {counted(len(ledger), 'hour')} from {format_hour(min(ledger))} "
            f"to {format_hour(max(ledger))} is missing.",
            metadata=metadata,
        )
    remedy = (
        "Backfill the older ones; automation no longer requests them."
        if old
        else "The sensor new_hours requests them, if it is on."
    )
    return AssetCheckResult(
        passed=False,
        severity=AssetCheckSeverity.ERROR if old else AssetCheckSeverity.WARN,
        description=f"{counted(len(missing), 'hour')} missing: {named(missing)}. {remedy}",
        metadata={
            **metadata,
            "missing": MetadataValue.text(named(missing)),
            **lost(hour for hour in missing if hour in requested),
        },
    )


@asset_check(asset=RAW_EVENTS, name="newest_hour_is_recent", pool=WAREHOUSE_POOL)
def newest_hour_is_recent(
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> AssetCheckResult:
    """The newest hour of the ledger is at most three hours behind the newest exportable one.

    The description also says up to which upload gold is built, which MODELS_EVERY_HOURS delays.
    It compares hours and not load times, so a backfill of an old hour does not make the tables
    look current.
    """
    newest = newest_exportable(settings, clock)
    ledger = loaded_ever(settings, warehouse, clock)
    if not ledger:
        return AssetCheckResult(
            passed=False,
            severity=AssetCheckSeverity.WARN,
            description="No hour has been loaded yet.",
        )
    behind = (newest - max(ledger)) // HOUR
    description = (
        f"The newest hour in bronze is {format_hour(max(ledger))}, "
        f"{counted(behind, 'hour')} behind the newest that Amplitude can export, "
        f"{format_hour(newest)}."
    )
    context = step_context()
    if context is not None:
        description = " ".join([description, *gold_state(context.instance)])
    return AssetCheckResult(
        passed=behind <= WARN_BEHIND,
        severity=AssetCheckSeverity.ERROR if behind > FAIL_BEHIND else AssetCheckSeverity.WARN,
        description=description,
        metadata={
            "newest_hour": format_hour(max(ledger)),
            "newest_exportable_hour": format_hour(newest),
            "hours_behind": behind,
        },
    )


CHECKS: Sequence[AssetChecksDefinition] = (no_hour_is_missing, newest_hour_is_recent)
