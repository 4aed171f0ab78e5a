"""What is S3's own: parts, checksums, encryption, storage class, long lists, any endpoint."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from amplitude_assets.config import Settings, SettingsError, load_settings
from amplitude_assets.lake.manifest import LakeObject
from amplitude_assets.resources import open_lake
from tests.support.s3 import BUCKET, S3Server, s3_server

KEY_ID = "arn:aws:kms:eu-central-1:123456789012:key/1"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


def put(server: S3Server, settings: Settings, data: bytes, path: Path) -> dict[str, object]:
    path.write_bytes(data)
    digest = sha256(data).hexdigest()
    item = LakeObject(key=f"e/{digest}", member="", bytes=len(data), lines=1, sha256=digest)
    lake = open_lake(settings, server.resource)
    assert lake.put_object(item, path)
    assert b"".join(lake.get_object(item.key)) == data
    held: dict[str, object] = server.resource.get_client().head_object(
        Bucket=BUCKET, Key=f"p/{item.key}", ChecksumMode="ENABLED"
    )
    return held


def test_a_large_file_goes_in_parts_and_every_part_has_its_checksum(
    server: S3Server, tmp_path: Path
) -> None:
    held = put(
        server, Settings(lake_url=f"s3://{BUCKET}/p"), os.urandom(12 * 1024**2), tmp_path / "f"
    )
    assert str(held["ETag"]).strip('"').endswith("-3")
    assert held["ChecksumSHA256"]


def test_objects_are_encrypted_and_classed_as_set(server: S3Server, tmp_path: Path) -> None:
    settings = Settings(
        lake_url=f"s3://{BUCKET}/p",
        lake_encryption="aws:kms",
        lake_kms_key_id=KEY_ID,
        lake_storage_class="STANDARD_IA",
    )
    held = put(server, settings, b"small", tmp_path / "f")
    assert (held["ServerSideEncryption"], held["SSEKMSKeyId"]) == ("aws:kms", KEY_ID)
    assert held["StorageClass"] == "STANDARD_IA"


def test_thousands_of_objects_are_listed(server: S3Server) -> None:
    client = server.resource.get_client()
    names = {f"many/{number:04}" for number in range(1100)}

    def make(name: str) -> None:
        client.put_object(Bucket=BUCKET, Key=f"q/{name}", Body=b"")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, names))
    lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/q"), server.resource)
    assert set(lake.list_keys("many/")) == names


def test_credentials_and_endpoint_come_from_the_environment_as_for_every_aws_tool(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_aws.s3 import S3Resource

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from the environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "too")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/elsewhere"), S3Resource())
    assert list(lake.list_keys("")) == []


def test_a_key_without_its_kind_of_encryption_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_KMS_KEY_ID", KEY_ID)
    with pytest.raises(SettingsError, match="LAKE_ENCRYPTION=aws:kms"):
        load_settings()
