"""Publishing: objects first, the manifest last, and existing objects are not sent again."""

from pathlib import Path
from unittest.mock import patch

import pytest

from amplitude_assets.hours import parse_hour
from amplitude_assets.lake.acceptance import ACCEPT_AT_ONCE
from amplitude_assets.lake.commit import Published, publish_hour
from amplitude_assets.lake.event_changes import EventChanges
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake, LakeError
from tests.support.lake import PROJECT, manifest_of

HOUR_5 = parse_hour("2026-09-01T05")


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest, _ = manifest_of(HOUR_5, [[b"{}"], [b'{"a": 1}']], tmp_path)
    assert Manifest.model_validate_json(manifest.to_json()) == manifest


def test_publishing_twice_changes_nothing(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    manifest, files = manifest_of(HOUR_5, [[b"{}"], [b'{"a": 1}']], tmp_path / "files")
    first = publish_hour(lake, manifest, files)
    second = publish_hour(lake, manifest, files)
    assert (first.changed, first.objects_sent, first.bytes_sent) == (True, 2, manifest.bytes)
    assert (second.changed, second.objects_sent, second.bytes_sent) == (False, 0, 0)
    assert second.manifest == first.manifest == lake.read_manifest(PROJECT, HOUR_5)


def test_an_hour_that_shrank_keeps_no_object_in_its_manifest(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    publish_hour(lake, *manifest_of(HOUR_5, [[b"{}"], [b'{"a": 1}']], tmp_path / "files"))
    smaller, files = manifest_of(HOUR_5, [[b"{}"]], tmp_path / "files")
    assert publish_hour(lake, smaller, files, confirm_after=ACCEPT_AT_ONCE).changed
    held = lake.read_manifest(PROJECT, HOUR_5)
    assert held is not None
    assert [item.lines for item in held.objects] == [1]


def test_an_hour_with_a_failed_upload_is_not_committed(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    manifest, files = manifest_of(HOUR_5, [[b"{}"], [b'{"a": 1}']], tmp_path / "files")
    files[1][1].unlink()
    with pytest.raises((LakeError, FileNotFoundError)):
        publish_hour(lake, manifest, files)
    assert lake.read_manifest(PROJECT, HOUR_5) is None


@pytest.mark.timeout(30)
def test_a_store_that_rejects_every_conditional_write_is_an_error(tmp_path: Path) -> None:
    """As on a file system, or behind a gateway, that reports another version at each read."""
    lake = Lake((tmp_path / "lake").as_uri())
    publish_hour(lake, *manifest_of(HOUR_5, [[b"{}"]], tmp_path / "files"))
    held = lake.read_manifest(PROJECT, HOUR_5)
    larger, files = manifest_of(HOUR_5, [[b"{}", b"{}"]], tmp_path / "files")
    with (
        patch.object(Lake, "write_manifest", return_value=False) as writes,
        pytest.raises(LakeError, match=r"2026.*conditional writes.*--from 2026-09-01T05"),
    ):
        publish_hour(lake, larger, files)
    assert writes.call_count > 10, "as many writers may compete for an hour"
    assert lake.read_manifest(PROJECT, HOUR_5) == held


def test_added_and_removed_events_are_counted_by_uuid(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    a, b, c, d = (b'{"uuid": "%c"}' % letter for letter in b"abcd")

    def deliver(*files: list[bytes]) -> Published:
        manifest, sources = manifest_of(HOUR_5, files, tmp_path / "files")
        return publish_hour(lake, manifest, sources, confirm_after=ACCEPT_AT_ONCE)

    assert deliver([a], [b, c]).events == EventChanges(3, 0)
    assert deliver([a], [c, b]).events == EventChanges(0, 0), "the same events in another order"
    assert deliver([a], [b, d]).events == EventChanges(1, 1)
    assert deliver([a], [b, d]).changed is False
    assert deliver().events == EventChanges(0, 3)
    assert deliver([a]).events == EventChanges(1, 0)


def test_a_missing_old_object_does_not_stop_a_new_delivery(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    manifest, files = manifest_of(HOUR_5, [[b'{"uuid": "a"}']], tmp_path / "files")
    publish_hour(lake, manifest, files)
    lake.delete(manifest.objects[0].key)
    after = publish_hour(lake, *manifest_of(HOUR_5, [[b'{"uuid": "b"}']], tmp_path / "files"))
    assert (after.replaced, after.events) == (True, EventChanges(1, 0))
