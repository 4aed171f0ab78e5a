"""S3 specifics: multipart uploads, checksums, encryption, storage class, long lists, endpoints."""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from obstore.auth.boto3 import Boto3CredentialProvider

from amplitude_assets.config import Settings, SettingsError, load_settings
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.hours import parse_hour
from amplitude_assets.lake.manifest import LakeObject
from amplitude_assets.lake.store import LakeError
from tests.support.http import serving
from tests.support.s3 import BUCKET, S3Server, error_of, recorded_requests, refusing, s3_server

pytestmark = pytest.mark.integration

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
    return held(server, item.key)


def held(server: S3Server, key: str) -> dict[str, object]:
    """Return an object's metadata, read with another client."""
    metadata: dict[str, object] = server.resource.get_client().head_object(
        Bucket=BUCKET, Key=f"p/{key}", ChecksumMode="ENABLED"
    )
    return metadata


@pytest.mark.parametrize("size", [5, 12 * 1024**2])
def test_uploads_have_encryption_storage_class_and_checksums_in_one_or_many_parts(
    server: S3Server, tmp_path: Path, size: int
) -> None:
    settings = Settings(
        lake_url=f"s3://{BUCKET}/p",
        lake_encryption="aws:kms",
        lake_kms_key_id=KEY_ID,
        lake_storage_class="STANDARD_IA",
    )
    with recorded_requests() as recorded:
        of_file = put(server, settings, os.urandom(size), tmp_path / "f")
        open_lake(settings, server.resource).write("manifest", b"{}")
    for metadata in (of_file, held(server, "manifest")):
        assert (metadata["ServerSideEncryption"], metadata["SSEKMSKeyId"]) == ("aws:kms", KEY_ID)
    assert of_file["StorageClass"] == "STANDARD_IA"
    assert "StorageClass" not in held(server, "manifest")
    parts = re.search(r"-(\d+)\"$", str(of_file["ETag"]))
    assert (parts and parts[1]) == (None if size < 1024 else "3")
    encrypting = [
        item.headers for item in recorded if "x-amz-server-side-encryption" in item.headers
    ]
    bucket_key = "x-amz-server-side-encryption-bucket-key-enabled"
    assert [headers[bucket_key] for headers in encrypting] == ["true", "true"]
    # S3 rejects bytes that do not match the checksum that is sent with them.
    sent = [request for request in recorded if request.method == "PUT"]
    assert len(sent) == (2 if size < 1024 else 4)
    for request in sent:
        digest = b64encode(sha256(request.body).digest()).decode()
        assert request.headers["x-amz-checksum-sha256"] == digest


def test_requests_do_not_use_requester_pays(server: S3Server, tmp_path: Path) -> None:
    lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/pays"), server.resource)
    with recorded_requests() as recorded:
        lake.write("k", b"x")
        assert list(lake.list_keys("")) == ["k"]
        assert b"".join(lake.get_object("k")) == b"x"
        lake.delete("k")
    assert [request.method for request in recorded] == ["PUT", "GET", "GET", "POST"]
    assert not any("x-amz-request-payer" in request.headers for request in recorded)


def test_thousands_of_objects_are_listed(server: S3Server) -> None:
    names = {f"many/{number:04}" for number in range(1100)}
    # Written directly to moto's state: over HTTP, each takes a hundredth of a second.
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for name in names:
        backend.put_object(BUCKET, f"q/{name}", b"")
    lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/q"), server.resource)
    assert set(lake.list_keys("many/")) == names


def test_keys_are_renewed_before_those_of_a_role_expire(
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


# S3's responses (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
MOVED = error_of("PermanentRedirect", "The bucket you are attempting to access must be addressed")
WRONG_REGION = (
    "The authorization header is malformed; the region 'x' is wrong; expecting 'us-west-2'"
)
NOT_AUTHORIZED = "User: arn:aws:iam::1:user/a is not authorized to perform: s3:GetObject"
S3_ERRORS: dict[str, tuple[tuple[int, str] | tuple[int, str, str], str]] = {
    "another region, named in a header": (
        (301, MOVED, "eu-west-1"),
        "the bucket is in eu-west-1, not in eu-central-1; set AWS_REGION=eu-west-1",
    ),
    "another region, not named": (
        (301, MOVED),
        "the bucket is in another region; set AWS_REGION",
    ),
    "another region than the one signed for": (
        (400, error_of("AuthorizationHeaderMalformed", WRONG_REGION)),
        "the bucket is in us-west-2, not in eu-central-1; set AWS_REGION=us-west-2",
    ),
    "unknown key": (
        (403, error_of("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist")),
        "AWS does not know this access key",
    ),
    "wrong secret": (
        (403, error_of("SignatureDoesNotMatch", "The request signature we calculated differs")),
        "the secret key does not match the access key",
    ),
    "token of other keys": (
        (400, error_of("InvalidToken", "The provided token is malformed or otherwise invalid.")),
        "the session token does not belong to the access key",
    ),
    "expired keys": (
        (400, error_of("ExpiredToken", "The provided token has expired.")),
        "the keys have expired",
    ),
    "denied": (
        (403, error_of("AccessDenied", "Access Denied")),
        f"Otherwise: check that {BUCKET} in LAKE_URL is your bucket",
    ),
    "denied, with the user and the action": (
        (403, error_of("AccessDenied", NOT_AUTHORIZED)),
        f"lack permission ({NOT_AUTHORIZED});",
    ),
    "denied, without a body": ((403, ""), "access denied"),
    "clock": (
        (403, error_of("RequestTimeTooSkewed", "The difference is too large.")),
        "the clock of this machine is wrong",
    ),
    "no bucket": (
        (404, error_of("NoSuchBucket", "The specified bucket does not exist")),
        "the bucket does not exist; set LAKE_URL to your bucket",
    ),
    "something else": (
        (400, error_of("KMS.NotFoundException", "Invalid keyId")),
        "S3 returned KMS.NotFoundException: Invalid keyId",
    ),
}


def test_the_default_endpoint_is_that_of_awss_own_tools(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: set[str] = set()

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            connected.add(self.path)
            self.send_error(403)

    keys = server.resource.model_copy(update={"endpoint_url": None, "region_name": "cn-north-1"})
    with serving(Proxy) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(LakeError, match="AWS_REGION is a region of AWS"):
            open_lake(Settings(lake_url=f"s3://{BUCKET}/p"), keys).write("k", b"")
    # https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-Beijing.html
    assert connected == {"s3.cn-north-1.amazonaws.com.cn:443"}


@pytest.mark.parametrize("case", S3_ERRORS)
def test_s3_errors_are_explained(tmp_path: Path, case: str) -> None:
    answer, expected = S3_ERRORS[case]
    path = tmp_path / "f"
    path.write_bytes(b"x")
    item = LakeObject(key="e/1", member="", bytes=1, lines=1, sha256="0" * 64)
    with refusing(*answer) as server:
        lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/p"), server.resource)
        attempts: list[Callable[[], object]] = [
            # It begins with a HEAD request, whose response has no body with the reason.
            lambda: lake.put_object(item, path),
            lambda: list(lake.list_keys("")),
            lambda: lake.read_manifest(1, parse_hour("2026-09-01T05")),
            lambda: b"".join(lake.get_object("e/1")),
            lambda: lake.write("e/2", b"x"),
            lambda: lake.delete("e/1"),
        ]
        for attempt in attempts:
            with pytest.raises(LakeError, match=r"cannot \w+.* s3://") as raised:
                attempt()
            assert expected in str(raised.value)
            assert server.resource.aws_secret_access_key not in str(raised.value)


def test_a_kms_key_requires_kms_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_KMS_KEY_ID", KEY_ID)
    with pytest.raises(SettingsError, match="LAKE_ENCRYPTION=aws:kms"):
        load_settings()
