"""What became of an hour between two deliveries: the events that came, and those that went."""

from contextlib import suppress
from dataclasses import dataclass

import orjson

from amplitude_assets.gzip_stream import GzipError, gunzip
from amplitude_assets.json_lines import split_lines, whole_lines
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake, LakeError


@dataclass(frozen=True)
class EventChanges:
    """How many events, told apart by their `uuid`, a delivery has that the one before had not."""

    added: int
    removed: int


def event_changes(lake: Lake, before: Manifest | None, after: Manifest) -> EventChanges:
    """Compare the events of two manifests of an hour, whose objects are all in the lake.

    Objects that both name are not read. Both counts are zero when Amplitude has only packed or
    ordered the same events differently. What cannot be read any more of the one before counts as
    if it had not been there; of the one after it raises LakeError.
    """
    old = {item.key: item for item in before.objects} if before else {}
    new = {item.key: item for item in after.objects}
    if not old:
        return EventChanges(after.lines - after.rejected_lines, 0)
    left: set[str] = set()
    for key in old.keys() - new.keys():
        with suppress(LakeError):
            left |= _uuids(lake, key)
    come = set[str]().union(*(_uuids(lake, key) for key in new.keys() - old.keys()))
    return EventChanges(len(come - left), len(left - come))


def _uuids(lake: Lake, key: str) -> set[str]:
    try:
        return {
            str(orjson.loads(line).get("uuid"))
            for block in whole_lines(gunzip(lake.get_object(key)))
            for line in split_lines(block)
        }
    except (GzipError, orjson.JSONDecodeError) as error:
        raise LakeError(f"{lake.uri(key)} is not what was sent there: {error}") from None
