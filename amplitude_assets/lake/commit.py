"""Commit an hour to the lake: upload its missing objects, then write its manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from amplitude_assets.hours import HourRange, run_command
from amplitude_assets.lake.acceptance import CONFIRM_AFTER, Verdict, next_manifest
from amplitude_assets.lake.event_changes import EventChanges, event_changes
from amplitude_assets.lake.layout import events_prefix, manifest_key, rejected_prefix
from amplitude_assets.lake.manifest import LakeObject, Manifest, objects_of
from amplitude_assets.lake.store import DamagedError, Lake, LakeError

# A rejected write means that another writer has committed the hour. A store that returns another
# version at each read, or none, would reject all of them.
_ATTEMPTS = 20


@dataclass(frozen=True)
class Published:
    """The result of publishing an hour.

    `manifest` is the hour's manifest now, and `verdict` how the delivery compared with the
    previous one. `changed` is true when the manifest now names the delivery, `replaced` when it
    named another before, and `events` counts the events added and removed.
    """

    manifest: Manifest
    verdict: Verdict
    changed: bool
    replaced: bool
    events: EventChanges
    objects_sent: int
    bytes_sent: int


def publish_hour(
    lake: Lake,
    manifest: Manifest,
    files: Sequence[tuple[LakeObject, Path]],
    *,
    confirm_after: timedelta = CONFIRM_AFTER,
) -> Published:
    """Upload an hour's files, and commit the hour by writing its manifest last.

    `files` are the manifest's objects, including the rejected lines, each with its file. The rules
    of `acceptance.py` decide whether the delivery replaces the stored one; a delivery with fewer
    events is confirmed by an equal one at least `confirm_after` after the first. A damaged
    manifest is replaced. The write is conditional: when another run has committed meanwhile, its
    manifest is read and compared again. Raises LakeError, also after `_ATTEMPTS` such commits; the
    hour is then unchanged, and no manifest names the uploaded objects.
    """
    sent = [lake.put_object(item, path) for item, path in files]
    for _ in range(_ATTEMPTS):
        before, version = lake.read_manifest_version(manifest.project_id, manifest.export_hour)
        verdict, after = next_manifest(before, manifest, confirm_after)
        changed = verdict is Verdict.REPLACES
        if before is not None and verdict is Verdict.SAME and not _is_kept(lake, before, manifest):
            # The stored manifest is valid but does not name the delivery's objects: rewrite it.
            after = _with_objects_of(after, manifest)
            changed = True
        events = event_changes(lake, before, after) if changed else EventChanges(0, 0)
        if after == before or lake.write_manifest(after, over=version):
            break
    else:
        raise LakeError(
            f"cannot write {lake.uri(manifest_key(manifest.project_id, manifest.export_hour))}: "
            f"its version changed {_ATTEMPTS} times meanwhile",
            "the store must support conditional writes (ETag, If-Match); load the hour again: "
            + run_command(HourRange(manifest.export_hour, manifest.export_hour)),
        )
    return Published(
        manifest=after,
        verdict=verdict,
        changed=changed,
        replaced=before is not None and changed,
        events=events,
        objects_sent=sum(sent),
        bytes_sent=sum(item.bytes for (item, _), is_new in zip(files, sent, strict=True) if is_new),
    )


def read_undamaged(lake: Lake, project_id: int, hour: datetime) -> Manifest | None:
    """Return an hour's manifest; None when it is missing or damaged. Raises LakeError."""
    try:
        return lake.read_manifest(project_id, hour)
    except DamagedError:
        return None


def _is_kept(lake: Lake, before: Manifest, manifest: Manifest) -> bool:
    """Return whether the stored manifest already names the delivery's objects, all intact.

    The object of the rejected lines may differ, because its bytes contain the names of
    Amplitude's files.
    """
    if _named(before) != _named(manifest):
        return False
    rejected = before.rejected
    return rejected is None or rejected == manifest.rejected or lake.is_intact(rejected)


def _with_objects_of(manifest: Manifest, delivery: Manifest) -> Manifest:
    """Return a manifest with the objects and counts of an equal delivery."""
    names = ("objects", "rejected", "bytes", "lines", "rejected_lines", "forgotten_lines")
    return manifest.model_copy(update={name: getattr(delivery, name) for name in names})


def _named(manifest: Manifest) -> tuple[object, ...]:
    objects = {(item.key, item.bytes, item.lines, item.sha256) for item in manifest.objects}
    counts = (manifest.lines, manifest.rejected_lines, manifest.rejected is None)
    return (manifest.status, manifest.digest, objects, counts)


def remove_superseded(lake: Lake, manifest: Manifest) -> int:
    """Delete the objects of an hour's superseded deliveries, and return their number.

    Objects of the manifest and of its `pending` delivery are kept. Only used with privacy
    settings; otherwise superseded objects stay in the lake.
    """
    deliveries = [manifest, *([manifest.pending] if manifest.pending else [])]
    named = {item.key for delivery in deliveries for item in objects_of(delivery)}
    removed = 0
    for prefix in (events_prefix, rejected_prefix):
        for key in list(lake.list_keys(prefix(manifest.project_id, manifest.export_hour))):
            if key not in named:
                lake.delete(key)
                removed += 1
    return removed
