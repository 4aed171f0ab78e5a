"""Pass hours from checks to automation, in the checks' metadata: lost hours, hours to re-check.

The sensor `new_hours` requests lost hours, and the nightly re-check requests hours that may have
changed. Dagster treats a materialized hour as loaded; the checks read the tables.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from dagster import AssetCheckKey, JsonMetadataValue, MetadataValue

from amplitude_assets.assets.keys import RAW_EVENTS, S3_EVENT_OBJECTS
from amplitude_assets.hours import HourRange, contiguous_ranges, format_hour, parse_hour

# Evaluated by the nightly maintenance for its share of the lake.
LAKE_IS_WHOLE = AssetCheckKey(S3_EVENT_OBJECTS, "lake_is_whole")
LOST_HOURS_CHECKS = (
    AssetCheckKey(RAW_EVENTS, "no_hour_is_missing"),
    AssetCheckKey(RAW_EVENTS, "every_line_is_in_bronze"),
    LAKE_IS_WHOLE,
)

IN_QUESTION = AssetCheckKey(RAW_EVENTS, "no_hour_is_in_question")

_LOST = "to_load_again"
_TO_RECHECK = "to_ask_again"
# The sensor is not meant to reload a whole history.
_MOST_RANGES = 100


def lost(hours: Iterable[datetime]) -> dict[str, JsonMetadataValue]:
    """Return the metadata that lists lost hours, at most the newest hundred ranges."""
    return _written(_LOST, hours)


def to_recheck(hours: Iterable[datetime]) -> dict[str, JsonMetadataValue]:
    """Return the metadata that lists hours to re-check, at most the newest hundred ranges."""
    return _written(_TO_RECHECK, hours)


def lost_in(metadata: Mapping[str, Any]) -> set[datetime]:
    """Return the lost hours in a check's metadata."""
    return _read(_LOST, metadata)


def to_recheck_in(metadata: Mapping[str, Any]) -> set[datetime]:
    """Return the hours to re-check in a check's metadata."""
    return _read(_TO_RECHECK, metadata)


def _written(name: str, hours: Iterable[datetime]) -> dict[str, JsonMetadataValue]:
    ranges = contiguous_ranges(hours)[-_MOST_RANGES:]
    listed = [[format_hour(part.first), format_hour(part.last)] for part in ranges]
    return {name: MetadataValue.json(listed)}


def _read(name: str, metadata: Mapping[str, Any]) -> set[datetime]:
    named = metadata.get(name)
    return {
        hour
        for first, last in (named.value if named is not None else [])
        for hour in HourRange(parse_hour(first), parse_hour(last))
    }
