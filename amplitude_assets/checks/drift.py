"""Check whether the properties of events have changed: new, missing, or of another type."""

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

from amplitude_assets.assets.markdown import code_span
from amplitude_assets.checks.sql import script
from amplitude_assets.config import Settings
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.warehouse.base import Warehouse

# A change is reported for a day; a common property counts as gone after a week.
NEW_WITHIN = timedelta(hours=24)
GONE_AFTER = timedelta(days=7)
# A rarer property may be absent for a week by chance.
COMMON_FROM = 0.05
_SHOWN = 20


@dataclass(frozen=True)
class Property:
    """A row of `silver.property_catalog`: a property of an event type with one JSON type."""

    scope: str
    event_type: str | None
    key: str
    json_type: str
    first_hour: datetime
    last_hour: datetime
    fill_rate: float
    has_type_conflict: bool

    def __str__(self) -> str:
        """Return the name in Markdown, such as `Buy.colour` (string)."""
        where = self.event_type if self.scope == "event" else self.scope
        return f"{code_span(f'{where}.{self.key}')} ({self.json_type})"


@dataclass(frozen=True)
class Drift:
    """The properties that changed."""

    new: list[Property]
    gone: list[Property]
    new_conflicts: list[Property]


def find_drift(properties: Sequence[Property]) -> Drift:
    """Return the changes up to the newest hour in which any property was seen.

    In the first week of a project every property is new, so nothing is reported.
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
            # Reported for one day only.
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
    """No property was added, disappeared or changed its type in the newest day.

    Always a warning, for one day: no table breaks, but figures computed from the property may.
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
    changes = [
        f"{label}: {_listed(items)}"
        for label, items in (
            ("now of two types", drift.new_conflicts),
            ("new", drift.new),
            ("gone for a week", drift.gone),
        )
        if items
    ]
    if changes:
        return AssetCheckResult(
            passed=False,
            severity=AssetCheckSeverity.WARN,
            description="Properties changed. " + "; ".join(changes) + ".",
            metadata={
                **metadata,
                "changes": MetadataValue.md("\n".join(f"- {s}" for s in changes)),
            },
        )
    return AssetCheckResult(
        passed=True,
        description=f"{len(properties):,} properties are unchanged.",
        metadata=metadata,
    )


def _listed(items: Sequence[Property]) -> str:
    shown = ", ".join(str(item) for item in items[:_SHOWN])
    return f"{shown} and {len(items) - _SHOWN} more" if len(items) > _SHOWN else shown


CHECKS: Sequence[AssetChecksDefinition] = (properties_are_as_before,)
