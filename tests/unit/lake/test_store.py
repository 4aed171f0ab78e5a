"""The store behaves the same on a folder and on S3 (moto's server, over HTTP)."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from amplitude_assets.config import Settings
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.hours import HOUR, parse_hour
from amplitude_assets.lake.layout import event_key, manifest_key, rejected_key
from amplitude_assets.lake.manifest import LakeObject
from amplitude_assets.lake.store import DamagedError, Lake, LakeError
from tests.support.lake import PROJECT, manifest_of, publish
from tests.support.s3 import BUCKET, recorded_requests, s3_server

pytestmark = pytest.mark.integration

HOUR_5 = parse_hour("2026-09-01T05")


@pytest.fixture(params=["file", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "file":
        yield Lake((tmp_path / "a lake").as_uri())
        return
    with s3_server() as server:
        settings = Settings(lake_url=f"s3://{BUCKET}/some/prefix")
        yield open_lake(settings, server.resource)


def test_an_hour_is_read_as_it_was_published(lake: Lake, tmp_path: Path) -> None:
    lines = [b'{"a": 1}', '{"b": "\u2028"}'.encode()]
    manifest = publish(lake, HOUR_5, [lines, [b"{}"]], tmp_path / "files")
    assert lake.read_manifest(PROJECT, HOUR_5) == manifest
    data = {item.key: b"".join(lake.get_object(item.key)) for item in manifest.objects}
    assert {key: len(value) for key, value in data.items()} == {
        item.key: item.bytes for item in manifest.objects
    }
    assert set(lake.list_keys(f"events/{PROJECT}/")) == set(data)


def test_an_hour_that_was_never_published_has_no_manifest(lake: Lake) -> None:
    assert lake.read_manifest(PROJECT, HOUR_5 + HOUR) is None


def test_an_existing_object_is_not_sent_again(lake: Lake, tmp_path: Path) -> None:
    _, [(item, path)] = manifest_of(HOUR_5, [[b"{}"]], tmp_path / "files")
    assert lake.put_object(item, path) is True
    assert lake.put_object(item, path) is False


def test_a_truncated_object_is_sent_again(lake: Lake, tmp_path: Path) -> None:
    _, [(item, path)] = manifest_of(HOUR_5, [[b'{"a": 1}']], tmp_path / "files")
    whole = path.read_bytes()
    lake.write(item.key, whole[:10])
    assert lake.put_object(item, path) is True
    assert b"".join(lake.get_object(item.key)) == whole


@pytest.mark.parametrize("large", [False, True])
def test_an_object_with_other_bytes_of_the_same_size_is_replaced(
    lake: Lake, tmp_path: Path, large: bool
) -> None:
    """A large file is uploaded to S3 in parts."""
    _, [(item, path)] = manifest_of(HOUR_5, [[b'{"a": 1}']], tmp_path / "files")
    if large:
        whole = os.urandom(11 * 1024**2)
        path.write_bytes(whole)
        sha256 = hashlib.sha256(whole).hexdigest()
        item = item.model_copy(update={"bytes": len(whole), "sha256": sha256})
    whole = path.read_bytes()
    lake.write(item.key, whole[:-1] + bytes([whole[-1] ^ 1]))
    assert lake.put_object(item, path) is True
    assert b"".join(lake.get_object(item.key)) == whole
    assert lake.put_object(item, path) is False


def test_an_existing_object_in_s3_is_not_downloaded(tmp_path: Path) -> None:
    whole = os.urandom(11 * 1024**2)
    with s3_server() as server:
        lake = open_lake(Settings(lake_url=f"s3://{BUCKET}"), server.resource)
        for size in (100, len(whole)):
            path = tmp_path / str(size)
            path.write_bytes(whole[:size])
            sha256 = hashlib.sha256(whole[:size]).hexdigest()
            key = event_key(PROJECT, HOUR_5, sha256)
            item = LakeObject(key=key, member="", bytes=size, lines=1, sha256=sha256)
            assert lake.put_object(item, path) is True
            with recorded_requests() as recorded:
                assert lake.put_object(item, path) is False
            assert [request.method for request in recorded] == ["HEAD"]


def test_a_damaged_file_does_not_replace_a_damaged_object(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    _, [(item, path)] = manifest_of(HOUR_5, [[b'{"a": 1}']], tmp_path / "files")
    lake.put_object(item, path)
    with path.open("r+b") as file:  # the object is a hard link to it
        file.write(b"?")
    with pytest.raises(LakeError, match=r"is damaged, and so is .* run --from 2026-09-01T05"):
        lake.put_object(item, path)


def test_an_object_survives_the_deletion_of_its_file(lake: Lake, tmp_path: Path) -> None:
    _, [(item, path)] = manifest_of(HOUR_5, [[b'{"a": 1}']], tmp_path / "files")
    whole = path.read_bytes()
    assert lake.put_object(item, path) is True
    path.unlink()
    assert b"".join(lake.get_object(item.key)) == whole
    assert list(lake.list_keys("")) == [item.key]


@pytest.mark.parametrize("reason", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_a_file_is_copied_where_hard_links_are_impossible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    lake = Lake((tmp_path / "lake").as_uri())
    _, [(item, path)] = manifest_of(HOUR_5, [[b'{"a": 1}']], tmp_path / "files")
    # Simulates another disk with the error that the system would raise.
    monkeypatch.setattr(os, "link", fail)
    assert lake.put_object(item, path) is True
    assert path.stat().st_nlink == 1
    assert b"".join(lake.get_object(item.key)) == path.read_bytes()


def test_in_a_folder_an_object_is_a_hard_link_to_its_file(tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    _, [(item, path)] = manifest_of(HOUR_5, [[b'{"a": 1}']], tmp_path / "files")
    lake.put_object(item, path)
    assert path.samefile(tmp_path / "lake" / item.key)
    assert [found.name for found in (tmp_path / "lake" / item.key).parent.iterdir()] == [
        Path(item.key).name
    ]


def test_a_missing_object_is_named(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"not in the lake; .*run --from 2026-09-01T05 --to 2026"):
        list(lake.get_object("events/1/2026-09-01/05/gone.json.gz"))


def test_a_deleted_object_is_gone(lake: Lake, tmp_path: Path) -> None:
    manifest = publish(lake, HOUR_5, [[b"{}"]], tmp_path / "files")
    lake.delete(manifest.objects[0].key)
    assert list(lake.list_keys("events/")) == []


def test_all_keys_in_s3_are_under_the_prefix(tmp_path: Path) -> None:
    with s3_server() as server:
        lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/some/prefix"), server.resource)
        publish(lake, HOUR_5, [[b"{}"]], tmp_path / "files")
        keys = server.keys()
    assert len(keys) == 2
    assert all(key.startswith("some/prefix/") and "#" not in key for key in keys)


def test_a_missing_bucket_is_named() -> None:
    with s3_server() as server:
        lake = open_lake(Settings(lake_url="s3://no-such-bucket"), server.resource)
        with pytest.raises(LakeError, match="s3://no-such-bucket"):
            list(lake.list_keys(""))


def test_an_invalid_manifest_is_an_error_and_not_an_empty_hour(
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path.as_uri())
    path = tmp_path / manifest_key(PROJECT, HOUR_5)
    path.parent.mkdir(parents=True)
    path.write_text('{"version": 1}')
    again = "amplitude-assets run --from 2026-09-01T05 --to 2026-09-01T05"
    with pytest.raises(DamagedError, match=f"download the hour again: {again}"):
        lake.read_manifest(PROJECT, HOUR_5)


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match="LAKE_URL"):
        Lake((tmp_path / "file" / "lake").as_uri())


def test_keys_hold_neither_number_signs_nor_equal_signs() -> None:
    keys = [
        event_key(1, HOUR_5, "ab"),
        rejected_key(1, HOUR_5, "ab"),
        manifest_key(1, HOUR_5),
    ]
    assert keys == [
        "events/1/2026-09-01/05/ab.json.gz",
        "rejected/1/2026-09-01/05/ab.json.gz",
        "manifests/1/2026-09-01/05.json",
    ]
