"""Whether the properties that events carry have changed: new ones, gone ones, other types."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetKey,
    MetadataValue,
    ResourceParam,
    asset_check,
)

from amplitude_assets.checks.sql import script
from amplitude_assets.config import Settings
from amplitude_assets.instance import WAREHOUSE_POOL
from amplitude_assets.warehouse.base import Warehouse

# What happened in the newest day is news; a property that was common is gone after a week.
NEW_WITHIN = timedelta(hours=24)
GONE_AFTER = timedelta(days=7)
# A rare property may well be absent for a week.
COMMON_FROM = 0.05
_SHOWN = 20


@dataclass(frozen=True)
class Property:
    """One property of one event type with one JSON type, as `silver.property_catalog` has it."""

    scope: str
    event_type: str | None
    key: str
    json_type: str
    first_hour: datetime
    last_hour: datetime
    fill_rate: float
    has_type_conflict: bool

    def __str__(self) -> str:
        """Write it as people know it."""
        where = self.event_type if self.scope == "event" else self.scope
        return f"{where}.{self.key} ({self.json_type})"


@dataclass(frozen=True)
class Drift:
    """The properties that changed."""

    new: list[Property]
    gone: list[Property]
    new_conflicts: list[Property]


def find_drift(properties: Sequence[Property]) -> Drift:
    """Compare properties with the newest hour that any was seen in.

    In the first week of a project everything is new, and nothing is said.
    """
    if not properties:
        return Drift([], [], [])
    newest = max(item.last_hour for item in properties)
    oldest = min(item.first_hour for item in properties)
    if newest - oldest < GONE_AFTER:
        return Drift([], [], [])
    recent = [item for item in properties if newest - item.first_hour < NEW_WITHIN]
    return Drift(
        new=[item for item in recent if not item.has_type_conflict],
        gone=[
            item
            for item in properties
            # The day after it is gone, and then no more.
            if GONE_AFTER <= newest - item.last_hour < GONE_AFTER + NEW_WITHIN
            and item.fill_rate >= COMMON_FROM
        ],
        new_conflicts=[item for item in recent if item.has_type_conflict],
    )


@asset_check(
    asset=AssetKey(["silver", "property_catalog"]),
    name="properties_are_as_before",
    pool=WAREHOUSE_POOL,
)
def properties_are_as_before(
    settings: ResourceParam[Settings], warehouse: ResourceParam[Warehouse]
) -> AssetCheckResult:
    """No property came, went or changed its type in the newest day.

    Always a warning, for a day: no table breaks, but what was computed from the property may.
    """
    properties = [
        Property(*row[1:])
        for row in warehouse.query(script("properties"))
        if row[0] == settings.project_id
    ]
    drift = find_drift(properties)
    metadata: dict[str, MetadataValue | int] = {
        "properties": len(properties),
        "new": len(drift.new),
        "gone": len(drift.gone),
        "new_type_conflicts": len(drift.new_conflicts),
    }
    said = [
        f"{label}: {_listed(items)}"
        for label, items in (
            ("of two types now", drift.new_conflicts),
            ("new", drift.new),
            ("gone for a week", drift.gone),
        )
        if items
    ]
    if said:
        return AssetCheckResult(
            passed=False,
            severity=AssetCheckSeverity.WARN,
            description="Properties changed. " + "; ".join(said) + ".",
            metadata={**metadata, "changes": MetadataValue.md("\n".join(f"- {s}" for s in said))},
        )
    return AssetCheckResult(
        passed=True,
        description=f"{len(properties):,} properties are as before.",
        metadata=metadata,
    )


def _listed(items: Sequence[Property]) -> str:
    shown = ", ".join(str(item) for item in items[:_SHOWN])
    return f"{shown} and {len(items) - _SHOWN} more" if len(items) > _SHOWN else shown


CHECKS: Sequence[AssetChecksDefinition] = (properties_are_as_before,)
