"""Publishing an hour: its objects are sent, those that are not there yet, and then its manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amplitude_assets.lake.changes import EventChanges, event_changes
from amplitude_assets.lake.layout import events_prefix, rejected_prefix
from amplitude_assets.lake.manifest import LakeObject, Manifest, objects_of
from amplitude_assets.lake.store import Lake


@dataclass(frozen=True)
class Published:
    """What publishing an hour did.

    `changed` says whether the manifest is a new one, `replaced` whether there was another before
    it, `events` what it has more and less than that.
    """

    manifest: Manifest
    changed: bool
    replaced: bool
    events: EventChanges
    objects_sent: int
    bytes_sent: int


def publish_hour(
    lake: Lake, manifest: Manifest, files: Sequence[tuple[LakeObject, Path]]
) -> Published:
    """Send an hour's files and commit it with its manifest, which is written last.

    `files` are the manifest's objects, the rejected lines among them, each with its file. An
    hour whose digest has not changed keeps the manifest it has. Raises LakeError; then the hour
    is as it was before, and nothing of what was sent is named by a manifest.
    """
    sent = [lake.put_object(item, path) for item, path in files]
    before = lake.read_manifest(manifest.project_id, manifest.export_hour)
    same = before is not None and (before.status, before.digest) == (
        manifest.status,
        manifest.digest,
    )
    events = EventChanges(0, 0)
    if not same:
        events = event_changes(lake, before, manifest)
        lake.write_manifest(manifest)
    return Published(
        manifest=before if before is not None and same else manifest,
        changed=not same,
        replaced=before is not None and not same,
        events=events,
        objects_sent=sum(sent),
        bytes_sent=sum(item.bytes for (item, _), is_new in zip(files, sent, strict=True) if is_new),
    )


def remove_superseded(lake: Lake, manifest: Manifest) -> int:
    """Remove the objects of an hour that its manifest does not name; return how many.

    They are of deliveries before the one that counts. Without privacy settings they stay.
    """
    named = {item.key for item in objects_of(manifest)}
    removed = 0
    for prefix in (events_prefix, rejected_prefix):
        for key in list(lake.list_keys(prefix(manifest.project_id, manifest.export_hour))):
            if key not in named:
                lake.delete(key)
                removed += 1
    return removed
