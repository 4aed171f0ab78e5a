"""Check, hour by hour, that no exported line is lost or duplicated on the way to silver.

Both checks cover every hour of the ledger in every run, so they also find damage in old hours. That
costs one grouped count.
"""

from collections.abc import Mapping, Sequence

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetKey,
    MetadataValue,
    ResourceParam,
    asset_check,
)

from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.checks.hours_to_reload import lost
from amplitude_assets.checks.wording import counted
from amplitude_assets.config import Settings
from amplitude_assets.hours import Clock, HourRange, contiguous_ranges, floor_hour
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.warehouse.base import HourCounts, Warehouse

_SHOWN_RANGES = 20


@asset_check(
    asset=RAW_EVENTS,
    name="every_line_is_in_bronze",
    blocking=True,
    pool=WAREHOUSE_POOL,
)
def every_line_is_in_bronze(
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> AssetCheckResult:
    """For every hour: lines exported = rows in bronze + rejected lines."""
    counts = _all_counts(settings, warehouse, clock)
    broken = [hour for hour in counts if hour.lines != hour.bronze_rows + hour.rejected_lines]
    return _result(
        counts,
        broken,
        "lines exported = rows in bronze + rejected lines",
        "materialize bronze/raw_events for them again",
        lost(hour.export_hour for hour in broken),
    )


@asset_check(
    asset=AssetKey(["silver", "events"]),
    name="every_row_is_in_silver",
    blocking=True,
    pool=WAREHOUSE_POOL,
)
def every_row_is_in_silver(
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> AssetCheckResult:
    """For every load that dbt has consumed: rows in bronze = silver events + duplicates.

    An hour that another run loaded while dbt was running is pending and not compared: the next run
    of the models consumes it.
    """
    counts = _all_counts(settings, warehouse, clock)
    consumed = [hour for hour in counts if hour.silver_events is not None]
    return _result(
        consumed,
        [hour for hour in consumed if hour.bronze_rows != _silver_rows(hour)],
        "rows in bronze = silver events + recorded duplicates",
        "run dbt with --full-refresh",
        pending=len(counts) - len(consumed),
    )


CHECKS: Sequence[AssetChecksDefinition] = (every_line_is_in_bronze, every_row_is_in_silver)


def _all_counts(settings: Settings, warehouse: Warehouse, clock: Clock) -> list[HourCounts]:
    ever = HourRange(settings.amplitude_start_hour, floor_hour(clock()))
    return warehouse.counts(settings.project_id, ever)


def _silver_rows(hour: HourCounts) -> int:
    return (hour.silver_events or 0) + (hour.duplicates or 0)


def _result(
    counts: Sequence[HourCounts],
    broken: Sequence[HourCounts],
    rule: str,
    remedy: str,
    more_metadata: Mapping[str, MetadataValue] | None = None,
    pending: int = 0,
) -> AssetCheckResult:
    """Return the check result; `pending` is the number of hours that wait for the models."""
    metadata = {
        "hours": len(counts),
        "hours_that_do_not_add_up": len(broken),
        "hours_pending": pending,
        "lines": sum(hour.lines for hour in counts),
        "bronze_rows": sum(hour.bronze_rows for hour in counts),
        "rejected_lines": sum(hour.rejected_lines for hour in counts),
    }
    if not broken:
        waiting = f" {counted(pending, 'hour')} pending until the models run." if pending else ""
        return AssetCheckResult(
            passed=True,
            description=f"In all {len(counts):,} hours, {rule}.{waiting}",
            metadata=metadata,
        )
    ranges = contiguous_ranges(hour.export_hour for hour in broken)
    named = ", ".join(str(part) for part in ranges[:_SHOWN_RANGES])
    more = f" and {len(ranges) - _SHOWN_RANGES} more ranges" if len(ranges) > _SHOWN_RANGES else ""
    return AssetCheckResult(
        passed=False,
        description=f"{rule} does not hold for {named}{more}; {remedy}.",
        metadata={**metadata, **(more_metadata or {})},
    )
