"""Count the events added and removed between two deliveries of an hour."""

from contextlib import suppress
from dataclasses import dataclass

import orjson

from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.streams.gzip_stream import GzipError, gunzip
from amplitude_assets.streams.json_lines import split_lines, whole_lines


@dataclass(frozen=True)
class EventChanges:
    """How many events, by `uuid`, a delivery adds to and removes from the previous one."""

    added: int
    removed: int


def event_changes(lake: Lake, before: Manifest | None, after: Manifest) -> EventChanges:
    """Compare the events of two manifests of an hour, whose objects must be in the lake.

    Objects that both name are not read. Both counts are zero when Amplitude has only packed or
    ordered the same events differently. Unreadable objects of `before` count as absent;
    unreadable objects of `after` raise LakeError.
    """
    old = {item.key: item for item in before.objects} if before else {}
    new = {item.key: item for item in after.objects}
    if not old:
        return EventChanges(after.lines - after.rejected_lines, 0)
    old_uuids: set[str] = set()
    for key in old.keys() - new.keys():
        with suppress(LakeError):
            old_uuids |= _uuids(lake, key)
    new_uuids = set[str]().union(*(_uuids(lake, key) for key in new.keys() - old.keys()))
    return EventChanges(len(new_uuids - old_uuids), len(old_uuids - new_uuids))


def _uuids(lake: Lake, key: str) -> set[str]:
    try:
        return {
            str(orjson.loads(line).get("uuid"))
            for block in whole_lines(gunzip(lake.get_object(key)))
            for line in split_lines(block)
        }
    except (GzipError, orjson.JSONDecodeError, AttributeError) as error:  # a line may be no object
        raise lake.damaged(key, f"is not the object that was written: {error}") from None
