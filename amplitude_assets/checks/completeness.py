"""Whether hours are missing: in between, and at the end.

These two fail by the passing of time alone, so `hourly_watch` runs them besides every load.
"""

from collections.abc import Sequence

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetKey,
    MetadataValue,
    ResourceParam,
    asset_check,
)

from amplitude_assets.checks.ledger import ledger_ever, lookback, newest_exportable
from amplitude_assets.checks.lost import lost
from amplitude_assets.checks.words import counted, named
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, Clock, HourRange, format_hour
from amplitude_assets.instance import WAREHOUSE_POOL
from amplitude_assets.warehouse.base import Warehouse

# The sensor asks within a minute, a load takes minutes: three hours behind is no hiccup, and a
# day behind is an outage that somebody has to look at.
WARN_BEHIND = 3
FAIL_BEHIND = 24

_BRONZE = AssetKey(["bronze", "raw_events"])


@asset_check(asset=_BRONZE, name="no_hour_is_missing", pool=WAREHOUSE_POOL)
def no_hour_is_missing(
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> AssetCheckResult:
    """Every hour between the first and the newest of the ledger is in it.

    A hole in the look-back is a warning, because `new_hours` is still asking for it. An older one
    is an error: nothing fills it but a person's backfill.
    """
    ledger = ledger_ever(settings, warehouse, clock)
    if not ledger:
        return AssetCheckResult(
            passed=True, description="No hour has been loaded yet.", metadata={"missing_hours": 0}
        )
    missing = [hour for hour in HourRange(min(ledger), max(ledger)) if hour not in ledger]
    healing = lookback(settings, newest_exportable(settings, clock))
    old = [hour for hour in missing if hour not in healing]
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
        "Backfill the old ones: they are not asked for by themselves any more."
        if old
        else "The sensor new_hours asks for them, if it is on."
    )
    return AssetCheckResult(
        passed=False,
        severity=AssetCheckSeverity.ERROR if old else AssetCheckSeverity.WARN,
        description=f"{counted(len(missing), 'hour')} missing: {named(missing)}. {remedy}",
        metadata={
            **metadata,
            "missing": MetadataValue.text(named(missing)),
            **lost(hour for hour in missing if hour in healing),
        },
    )


@asset_check(asset=_BRONZE, name="newest_hour_is_recent", pool=WAREHOUSE_POOL)
def newest_hour_is_recent(
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> AssetCheckResult:
    """The newest hour of the ledger is at most a few hours behind what Amplitude can export.

    It looks at the hour itself, and not at when something was last loaded: an old hour that is
    backfilled does not make the tables look current.
    """
    newest = newest_exportable(settings, clock)
    ledger = ledger_ever(settings, warehouse, clock)
    if not ledger:
        return AssetCheckResult(
            passed=False,
            severity=AssetCheckSeverity.WARN,
            description="No hour has been loaded yet.",
        )
    behind = (newest - max(ledger)) // HOUR
    said = (
        f"The newest hour in bronze is {format_hour(max(ledger))}, "
        f"{counted(behind, 'hour')} behind the newest that Amplitude can export, "
        f"{format_hour(newest)}."
    )
    return AssetCheckResult(
        passed=behind <= WARN_BEHIND,
        severity=AssetCheckSeverity.ERROR if behind > FAIL_BEHIND else AssetCheckSeverity.WARN,
        description=said,
        metadata={
            "newest_hour": format_hour(max(ledger)),
            "newest_exportable_hour": format_hour(newest),
            "hours_behind": behind,
        },
    )


CHECKS: Sequence[AssetChecksDefinition] = (no_hour_is_missing, newest_hour_is_recent)
