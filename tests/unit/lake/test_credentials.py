"""The lake uses AWS's default credential chain, renews keys in time, and explains failures."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.tokens import SSOTokenProvider

from amplitude_assets.config import Settings
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.lake import s3 as lake_s3
from amplitude_assets.lake.store import LakeError
from tests.support.aws_identity import PROFILE, IdentityServer, identity_server
from tests.support.s3 import BUCKET, S3Server, error_of, recorded_requests, refusing, s3_server

pytestmark = pytest.mark.integration

SETTINGS = Settings(lake_url=f"s3://{BUCKET}/keys")
LATER = timedelta(hours=8)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def identity() -> Iterator[IdentityServer]:
    with identity_server() as running:
        yield running


@pytest.fixture
def environment(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[dict[str, str]], None]:
    """Set variables, with the test's own folder `.aws`."""

    def set_variables(variables: dict[str, str]) -> None:
        for name, value in {
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_S3": server.endpoint_url,
            "AWS_ENDPOINT_URL_STS": server.endpoint_url,
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
            # As the last source, boto3 would query EC2's metadata service.
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
            **variables,
        }.items():
            monkeypatch.setenv(name, value)
        # botocore resolves the home folder when it is imported.
        monkeypatch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path))

    return set_variables


def put_and_get() -> list[str]:
    """Write to the lake and read it with the environment's settings; return the signers."""
    with recorded_requests() as recorded:
        lake = open_lake(SETTINGS)
        lake.write("k", b"data")
        assert b"".join(lake.get_object("k")) == b"data"
    return [request.signer for request in recorded]


def test_keys_of_the_environment(environment: Callable[[dict[str, str]], None]) -> None:
    environment({"AWS_ACCESS_KEY_ID": "of-the-environment", "AWS_SECRET_ACCESS_KEY": "s"})
    assert put_and_get() == ["of-the-environment"] * 2


def test_keys_region_and_endpoint_of_a_profile(
    environment: Callable[[dict[str, str]], None],
    server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "config").write_text(
        f"[profile {PROFILE}]\nregion = ap-south-1\nendpoint_url = {server.endpoint_url}\n"
    )
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = not-these\naws_secret_access_key = s\n"
        f"[{PROFILE}]\naws_access_key_id = of-the-profile\naws_secret_access_key = s\n"
    )
    environment({"AWS_PROFILE": PROFILE})
    for name in ("AWS_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.delenv(name)
    with recorded_requests() as recorded:
        open_lake(SETTINGS).write("k", b"")
    [request] = recorded
    assert request.signer == "of-the-profile"
    assert "/ap-south-1/s3/" in request.headers["Authorization"]


def test_keys_of_a_role_that_a_profile_assumes(
    environment: Callable[[dict[str, str]], None], tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = of-the-user\naws_secret_access_key = s\n"
    )
    (tmp_path / "config").write_text(
        f"[profile {PROFILE}]\nrole_arn = arn:aws:iam::123456789012:role/pipeline\n"
        "source_profile = default\n"
    )
    environment({"AWS_PROFILE": PROFILE})
    assuming, *others = put_and_get()
    assert assuming == "of-the-user"
    # The fake service invents the role's keys, which start with ASIA as in AWS.
    assert len(set(others)) == 1
    assert others[0].startswith("ASIA")


@pytest.mark.parametrize("whose", ["machine", "container", "person"])
def test_keys_that_aws_issues(
    environment: Callable[[dict[str, str]], None],
    identity: IdentityServer,
    tmp_path: Path,
    whose: str,
) -> None:
    variables = {
        "machine": identity.for_a_machine,
        "container": identity.for_a_container,
        "person": lambda: identity.for_a_person(tmp_path, datetime.now(UTC) + LATER),
    }[whose]()
    environment(variables)
    seen = put_and_get()
    assert len(seen) == 2
    assert set(seen) == {f"{whose}-{len(identity.given)}"}


def test_keys_that_expire_soon_are_renewed(
    environment: Callable[[dict[str, str]], None],
    identity: IdentityServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Simulates ten minutes; boto3 renews keys that expire within that time.
    monkeypatch.setattr(lake_s3, "_CREDENTIALS_TTL", timedelta(0))
    identity.keys_live = timedelta(minutes=9)
    environment(identity.for_a_container())
    lake = open_lake(SETTINGS)
    with recorded_requests() as recorded:
        lake.write("k", b"first")
        identity.keys_live = timedelta(hours=6)
        lake.write("k", b"second")
        lake.write("k", b"third")
    first, second, third = (request.signer for request in recorded)
    assert first != second
    assert second == third == identity.given[-1]


@pytest.mark.parametrize("sign_in", ["missing", "expired", "revoked"])
def test_an_expired_sign_in_is_reported_with_the_command_to_renew_it(
    environment: Callable[[dict[str, str]], None],
    identity: IdentityServer,
    tmp_path: Path,
    sign_in: str,
) -> None:
    until = {"missing": None, "expired": datetime.now(UTC) - LATER}.get(
        sign_in, datetime.now(UTC) + LATER
    )
    identity.sso_is_valid = False
    environment(identity.for_a_person(tmp_path, until))
    with pytest.raises(LakeError) as raised:
        open_lake(SETTINGS).write("k", b"")
    assert str(raised.value) == (
        f"cannot write s3://{BUCKET}/keys/k: not signed in to AWS, or the session has expired; "
        f"run aws sso login --profile {PROFILE}"
    )
    assert not raised.value.retryable
    assert identity.given == []


@pytest.mark.parametrize(
    ("source", "renewal"),
    [
        ("environment", "set both again, with AWS_SESSION_TOKEN"),
        ("profile", f"run aws configure --profile {PROFILE}"),
        ("person", f"run aws sso login --profile {PROFILE}"),
        ("machine", "AWS renews the keys of a role automatically"),
    ],
)
def test_expired_keys_are_reported_with_how_to_renew_them(
    environment: Callable[[dict[str, str]], None],
    identity: IdentityServer,
    tmp_path: Path,
    source: str,
    renewal: str,
) -> None:
    (tmp_path / "credentials").write_text(
        f"[{PROFILE}]\naws_access_key_id = a\naws_secret_access_key = s\naws_session_token = t\n"
    )
    variables = {
        "environment": lambda: {
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_SESSION_TOKEN": "t",
        },
        "profile": lambda: {"AWS_PROFILE": PROFILE},
        "person": lambda: identity.for_a_person(tmp_path, datetime.now(UTC) + LATER),
        "machine": identity.for_a_machine,
    }[source]()
    with refusing(400, error_of("ExpiredToken", "The provided token has expired.")) as s3:
        environment({**variables, "AWS_ENDPOINT_URL_S3": s3.endpoint_url})
        lake = open_lake(SETTINGS)
        with pytest.raises(LakeError, match="the keys have expired; the keys come from") as raised:
            lake.write("k", b"")
    assert raised.value.fix.startswith(renewal)
    assert raised.value.retryable == (source == "machine")


def test_a_role_that_cannot_be_assumed_is_not_reported_as_a_missing_permission(
    environment: Callable[[dict[str, str]], None], tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = a\naws_secret_access_key = s\n"
    )
    (tmp_path / "config").write_text(
        f"[profile {PROFILE}]\nrole_arn = arn:aws:iam::123456789012:role/pipeline\n"
        "source_profile = default\n"
    )
    message = error_of("AccessDenied", "not you")
    with refusing(403, f"<ErrorResponse>{message}</ErrorResponse>") as sts:
        environment({"AWS_PROFILE": PROFILE, "AWS_ENDPOINT_URL_STS": sts.endpoint_url})
        with pytest.raises(LakeError, match=r"AWS returned no credentials: .*operation: not you"):
            open_lake(SETTINGS).write("k", b"")


def test_one_missing_key_is_reported(
    environment: Callable[[dict[str, str]], None],
) -> None:
    environment({"AWS_ACCESS_KEY_ID": "a"})
    with pytest.raises(LakeError, match="one of the two AWS keys is missing; set both AWS"):
        open_lake(SETTINGS)
