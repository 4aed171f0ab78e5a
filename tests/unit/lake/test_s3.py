"""What is S3's own: parts, checksums, encryption, storage class, long lists, any endpoint."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials
from obstore.auth.boto3 import Boto3CredentialProvider

from amplitude_assets.config import Settings, SettingsError, load_settings
from amplitude_assets.lake.manifest import LakeObject
from amplitude_assets.lake.store import LakeError
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


@pytest.mark.parametrize("source", ["variables", "profile"])
def test_credentials_and_endpoint_come_from_where_every_aws_tool_looks(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    from dagster_aws.s3 import S3Resource

    if source == "profile":
        config = f"[profile work]\nregion = eu-central-1\nendpoint_url = {server.endpoint_url}\n"
        (tmp_path / "config").write_text(config)
        keys = "[work]\naws_access_key_id = from the profile\naws_secret_access_key = too\n"
        (tmp_path / "credentials").write_text(keys)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_PROFILE", "work")
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint_url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from the environment")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "too")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/elsewhere"), S3Resource())
    assert list(lake.list_keys("")) == []


def test_keys_are_asked_for_again_before_those_of_a_role_can_have_expired(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[timedelta] = []

    class Watched(Boto3CredentialProvider):
        def __call__(self) -> Any:
            keys = super().__call__()
            assert keys["expires_at"] is not None
            held.append(keys["expires_at"] - datetime.now(UTC))
            return keys

    monkeypatch.setattr("obstore.auth.boto3.Boto3CredentialProvider", Watched)
    lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/keys"), server.resource)
    assert list(lake.list_keys("")) == []
    assert held
    renewed_before = RefreshableCredentials._mandatory_refresh_timeout
    assert max(held) <= timedelta(seconds=renewed_before)


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (301, "PermanentRedirect", "another region; set AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", "another region; set AWS_REGION"),
        (403, "AccessDenied", "access denied"),
        (403, "InvalidAccessKeyId", "does not know this access key"),
        (403, "SignatureDoesNotMatch", "secret key is not the one"),
        (400, "ExpiredToken", "sign in to AWS again"),
        (404, "NoSuchBucket", "no such bucket"),
    ],
)
def test_what_s3_refuses_is_told_in_words(
    tmp_path: Path, status: int, code: str, said: str
) -> None:
    with refusing(status, code) as server:
        lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/p"), server.resource)
        path = tmp_path / "f"
        path.write_bytes(b"x")
        with pytest.raises(LakeError, match=said):
            list(lake.list_keys(""))
        item = LakeObject(key="e/1", member="", bytes=1, lines=1, sha256="0" * 64)
        with pytest.raises(LakeError, match=r"cannot (write|look at)"):
            lake.put_object(item, path)


@contextmanager
def refusing(status: int, code: str) -> Iterator[S3Server]:
    """Serve nothing but one refusal, in the words of S3."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    methods = {f"do_{name}": answer for name in ("GET", "HEAD", "PUT")}
    quiet = {"log_message": lambda *_: None}
    refuses = type("Refuses", (BaseHTTPRequestHandler,), {**methods, **quiet})
    with ThreadingHTTPServer(("127.0.0.1", 0), refuses) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield S3Server(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_a_key_without_its_kind_of_encryption_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_KMS_KEY_ID", KEY_ID)
    with pytest.raises(SettingsError, match="LAKE_ENCRYPTION=aws:kms"):
        load_settings()
