"""The hours that a check finds lost, in its metadata: the sensor `new_hours` asks for them again.

Dagster believes that an hour is there once it was materialised. The checks look at the tables.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from dagster import AssetCheckKey, AssetKey, JsonMetadataValue, MetadataValue

from amplitude_assets.hours import HourRange, contiguous_ranges, format_hour, parse_hour

_BRONZE = AssetKey(["bronze", "raw_events"])
CHECKS_THAT_TELL = (
    AssetCheckKey(_BRONZE, "no_hour_is_missing"),
    AssetCheckKey(_BRONZE, "every_line_is_in_bronze"),
)

_LOST = "to_load_again"
# A sensor is no place to put thousands of holes right.
_MOST_RANGES = 100


def lost(hours: Iterable[datetime]) -> dict[str, JsonMetadataValue]:
    """Return the metadata that names hours to be loaded again, the newest hundred ranges."""
    ranges = contiguous_ranges(hours)[-_MOST_RANGES:]
    named = [[format_hour(part.first), format_hour(part.last)] for part in ranges]
    return {_LOST: MetadataValue.json(named)}


def lost_in(metadata: Mapping[str, Any]) -> set[datetime]:
    """Return the hours that a check's metadata names to be loaded again."""
    named = metadata.get(_LOST)
    return {
        hour
        for first, last in (named.value if named is not None else [])
        for hour in HourRange(parse_hour(first), parse_hour(last))
    }
