"""Publishing: objects first, the manifest last, and nothing sent that is there already."""

from pathlib import Path

import pytest

from amplitude_assets.hours import parse_hour
from amplitude_assets.lake.changes import EventChanges
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.publish import Published, publish_hour
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
    later = manifest.model_copy(update={"fetched_at": parse_hour("2026-10-01T00")})
    second = publish_hour(lake, later, files)
    assert (first.changed, first.objects_sent, first.bytes_sent) == (True, 2, manifest.bytes)
    assert (second.changed, second.objects_sent, second.bytes_sent) == (False, 0, 0)
    assert second.manifest == manifest == lake.read_manifest(PROJECT, HOUR_5)


def test_an_hour_that_shrank_keeps_no_object_in_its_manifest(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    publish_hour(lake, *manifest_of(HOUR_5, [[b"{}"], [b'{"a": 1}']], tmp_path / "files"))
    smaller, files = manifest_of(HOUR_5, [[b"{}"]], tmp_path / "files")
    assert publish_hour(lake, smaller, files).changed
    held = lake.read_manifest(PROJECT, HOUR_5)
    assert held is not None
    assert [item.lines for item in held.objects] == [1]


def test_an_hour_whose_file_cannot_be_sent_is_not_committed(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    manifest, files = manifest_of(HOUR_5, [[b"{}"], [b'{"a": 1}']], tmp_path / "files")
    files[1][1].unlink()
    with pytest.raises((LakeError, FileNotFoundError)):
        publish_hour(lake, manifest, files)
    assert lake.read_manifest(PROJECT, HOUR_5) is None


def test_what_came_and_went_with_another_delivery_is_told_by_uuid(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    a, b, c, d = (b'{"uuid": "%c"}' % letter for letter in b"abcd")

    def deliver(*files: list[bytes]) -> Published:
        return publish_hour(lake, *manifest_of(HOUR_5, files, tmp_path / "files"))

    assert deliver([a], [b, c]).events == EventChanges(3, 0)
    assert deliver([a], [c, b]).events == EventChanges(0, 0), "the same events in another order"
    assert deliver([a], [b, d]).events == EventChanges(1, 1)
    assert deliver([a], [b, d]).changed is False
    assert deliver().events == EventChanges(0, 3)
    assert deliver([a]).events == EventChanges(1, 0)


def test_an_old_object_that_is_gone_does_not_stop_a_new_delivery(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    manifest, files = manifest_of(HOUR_5, [[b'{"uuid": "a"}']], tmp_path / "files")
    publish_hour(lake, manifest, files)
    lake.delete(manifest.objects[0].key)
    after = publish_hour(lake, *manifest_of(HOUR_5, [[b'{"uuid": "b"}']], tmp_path / "files"))
    assert (after.replaced, after.events) == (True, EventChanges(1, 0))
