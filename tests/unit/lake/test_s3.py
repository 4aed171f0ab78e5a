"""What is S3's own: parts, checksums, encryption, storage class, long lists, any endpoint."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from obstore.auth.boto3 import Boto3CredentialProvider

from amplitude_assets.config import Settings, SettingsError, load_settings
from amplitude_assets.hours import parse_hour
from amplitude_assets.lake.manifest import LakeObject
from amplitude_assets.lake.store import LakeError
from amplitude_assets.resources import open_lake
from tests.support.s3 import BUCKET, S3Server, error_of, refusing, s3_server

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
    names = {f"many/{number:04}" for number in range(1100)}
    # Put there behind the server's back: over HTTP it takes a hundredth of a second for each.
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for name in names:
        backend.put_object(BUCKET, f"q/{name}", b"")
    lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/q"), server.resource)
    assert set(lake.list_keys("many/")) == names


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


# What S3 answers (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
MOVED = error_of("PermanentRedirect", "The bucket you are attempting to access must be addressed")
WRONG_REGION = (
    "The authorization header is malformed; the region 'x' is wrong; expecting 'us-west-2'"
)
NOT_AUTHORIZED = "User: arn:aws:iam::1:user/a is not authorized to perform: s3:GetObject"
REFUSALS: dict[str, tuple[tuple[int, str] | tuple[int, str, str], str]] = {
    "another region, told in a header": (
        (301, MOVED, "eu-west-1"),
        "the bucket is in eu-west-1, and not in eu-central-1; set AWS_REGION=eu-west-1",
    ),
    "another region, told nowhere": (
        (301, MOVED),
        "the bucket is in another region; set AWS_REGION",
    ),
    "another region than the one signed for": (
        (400, error_of("AuthorizationHeaderMalformed", WRONG_REGION)),
        "the bucket is in us-west-2, and not in eu-central-1; set AWS_REGION=us-west-2",
    ),
    "unknown key": (
        (403, error_of("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist")),
        "AWS does not know this access key",
    ),
    "wrong secret": (
        (403, error_of("SignatureDoesNotMatch", "The request signature we calculated differs")),
        "the secret key is not the one of the access key",
    ),
    "token of other keys": (
        (400, error_of("InvalidToken", "The provided token is malformed or otherwise invalid.")),
        "the session token is not one of this access key",
    ),
    "keys have ended": (
        (400, error_of("ExpiredToken", "The provided token has expired.")),
        "the keys have expired",
    ),
    "denied": (
        (403, error_of("AccessDenied", "Access Denied")),
        f"lack the right; is {BUCKET} in LAKE_URL your bucket?",
    ),
    "denied, with who and what": (
        (403, error_of("AccessDenied", NOT_AUTHORIZED)),
        f"lack the right ({NOT_AUTHORIZED});",
    ),
    "denied without a word": ((403, ""), "access denied"),
    "clock": (
        (403, error_of("RequestTimeTooSkewed", "The difference is too large.")),
        "the clock of this machine is wrong",
    ),
    "no bucket": (
        (404, error_of("NoSuchBucket", "The specified bucket does not exist")),
        "there is no such bucket; write your bucket's name in LAKE_URL",
    ),
    "something else": (
        (400, error_of("KMS.NotFoundException", "Invalid keyId")),
        "S3 says KMS.NotFoundException: Invalid keyId",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_s3_refuses_is_told_in_words(tmp_path: Path, case: str) -> None:
    answer, said = REFUSALS[case]
    path = tmp_path / "f"
    path.write_bytes(b"x")
    item = LakeObject(key="e/1", member="", bytes=1, lines=1, sha256="0" * 64)
    with refusing(*answer) as server:
        lake = open_lake(Settings(lake_url=f"s3://{BUCKET}/p"), server.resource)
        attempts: list[Callable[[], object]] = [
            # It begins with a HEAD, whose answer has no reason.
            lambda: lake.put_object(item, path),
            lambda: list(lake.list_keys("")),
            lambda: lake.read_manifest(1, parse_hour("2026-09-01T05")),
            lambda: b"".join(lake.get_object("e/1")),
            lambda: lake.write("e/2", b"x"),
            lambda: lake.delete("e/1"),
        ]
        for attempt in attempts:
            with pytest.raises(LakeError, match=r"cannot \w+.* s3://") as refused:
                attempt()
            assert said in str(refused.value)
            assert server.resource.aws_secret_access_key not in str(refused.value)


def test_a_key_without_its_kind_of_encryption_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_KMS_KEY_ID", KEY_ID)
    with pytest.raises(SettingsError, match="LAKE_ENCRYPTION=aws:kms"):
        load_settings()
