"""Check the quality of Amplitude's export: invalid lines, and late events."""

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

from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.checks.ledger import ledger_ever, lookback
from amplitude_assets.checks.sql import script
from amplitude_assets.checks.wording import counted, named
from amplitude_assets.config import Settings
from amplitude_assets.hours import Clock
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.warehouse.base import Warehouse

# Single invalid lines are a client's bug; one in a hundred is a broken export.
REJECTED_SHARE_TO_FAIL = 0.01
# Phones that were offline upload late, usually one or two percent of the events.
LATE_SHARE_TO_WARN = 0.10


@asset_check(asset=RAW_EVENTS, name="lines_are_events", pool=WAREHOUSE_POOL)
def lines_are_events(
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> AssetCheckResult:
    """In the look-back, no line was rejected because it is not a JSON object.

    Rejected lines are kept in `bronze.rejected_lines`, so a few are a warning. More than one
    percent is an error: Amplitude no longer sends its documented export format.
    """
    ledger = ledger_ever(settings, warehouse, clock)
    recent = lookback(settings, max(ledger)) if ledger else ()
    rows = [row for hour, row in ledger.items() if hour in recent]
    lines = sum(row.lines for row in rows)
    rejected = sum(row.rejected_lines for row in rows)
    share = rejected / lines if lines else 0.0
    metadata = {"lines": lines, "rejected_lines": rejected, "rejected_share": share}
    if not rejected:
        return AssetCheckResult(
            passed=True,
            description=f"All of {counted(lines, 'line')} in {counted(len(rows), 'hour')} "
            "are events.",
            metadata=metadata,
        )
    hours = [row.export_hour for row in rows if row.rejected_lines]
    return AssetCheckResult(
        passed=False,
        severity=(
            AssetCheckSeverity.ERROR if share > REJECTED_SHARE_TO_FAIL else AssetCheckSeverity.WARN
        ),
        description=f"{counted(rejected, 'line')} of {lines:,} rejected, in {named(hours)}; "
        "bronze.rejected_lines has each with its reason.",
        metadata={**metadata, "hours": MetadataValue.text(named(hours))},
    )


@asset_check(
    asset=AssetKey(["gold", "rpt_data_quality"]), name="events_are_in_time", pool=WAREHOUSE_POOL
)
def events_are_in_time(
    settings: ResourceParam[Settings], warehouse: ResourceParam[Warehouse]
) -> AssetCheckResult:
    """In the newest week, at most 10% of events were uploaded more than a day after they happened.

    Always a warning: the models rebuild the days of late events. Many late events mean that the
    figures of the last days will still grow.
    """
    rows = [
        row[1:] for row in warehouse.query(script("late_events")) if row[0] == settings.project_id
    ]
    ((events, late, slowest),) = rows or [(0, 0, None)]
    share = late / events if events else 0.0
    return AssetCheckResult(
        passed=share <= LATE_SHARE_TO_WARN,
        severity=AssetCheckSeverity.WARN,
        description=f"{share:.1%} of {counted(int(events), 'event')} of the newest week "
        f"came more than a day late; the limit is {LATE_SHARE_TO_WARN:.0%}.",
        metadata={
            "events": int(events),
            "late_events": int(late),
            "late_share": float(share),
            "slowest_hour_lag_p95_seconds": float(slowest or 0.0),
        },
    )


CHECKS: Sequence[AssetChecksDefinition] = (lines_are_events, events_are_in_time)
