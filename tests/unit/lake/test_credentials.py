"""The lake's keys come from where every AWS tool looks, are renewed in time, and say when not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.tokens import SSOTokenProvider

from amplitude_assets.config import Settings
from amplitude_assets.lake import s3 as lake_s3
from amplitude_assets.lake.store import LakeError
from amplitude_assets.resources import open_lake
from tests.support.aws_identity import PROFILE, IdentityServer, identity_server
from tests.support.s3 import BUCKET, S3Server, error_of, refusing, requests_taken, s3_server

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
    """Set variables, on a machine whose folder `.aws` is the test's."""

    def set_variables(variables: dict[str, str]) -> None:
        for name, value in {
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_S3": server.endpoint_url,
            "AWS_ENDPOINT_URL_STS": server.endpoint_url,
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
            # Where nothing else answers, the service of EC2 is looked for.
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
            **variables,
        }.items():
            monkeypatch.setenv(name, value)
        # botocore looks where the home folder is when it is imported.
        monkeypatch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path))

    return set_variables


def put_and_get() -> list[str]:
    """Write to the lake and read it with what the environment says; return who signed."""
    with requests_taken() as taken:
        lake = open_lake(SETTINGS)
        lake.write("k", b"what was put")
        assert b"".join(lake.get_object("k")) == b"what was put"
    return [request.signer for request in taken]


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
    with requests_taken() as taken:
        open_lake(SETTINGS).write("k", b"")
    [request] = taken
    assert request.signer == "of-the-profile"
    assert "/ap-south-1/s3/" in request.headers["Authorization"]


def test_keys_of_a_role_that_a_profile_takes_on(
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
    taken_on, *others = put_and_get()
    assert taken_on == "of-the-user"
    # The stand-in makes up the role's keys; AWS begins such with ASIA.
    assert len(set(others)) == 1
    assert others[0].startswith("ASIA")


@pytest.mark.parametrize("whose", ["machine", "container", "person"])
def test_keys_that_aws_gives_out(
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


def test_keys_that_end_soon_are_asked_for_again(
    environment: Callable[[dict[str, str]], None],
    identity: IdentityServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Ten minutes pass at once; boto3 renews what ends in less than those.
    monkeypatch.setattr(lake_s3, "_KEYS_HELD", timedelta(0))
    identity.keys_live = timedelta(minutes=9)
    environment(identity.for_a_container())
    lake = open_lake(SETTINGS)
    with requests_taken() as taken:
        lake.write("k", b"first")
        identity.keys_live = timedelta(hours=6)
        lake.write("k", b"second")
        lake.write("k", b"third")
    first, second, third = (request.signer for request in taken)
    assert first != second
    assert second == third == identity.given[-1]


@pytest.mark.parametrize("sign_in", ["never was", "is over", "was taken back"])
def test_a_sign_in_that_is_over_is_told_with_the_command_for_it(
    environment: Callable[[dict[str, str]], None],
    identity: IdentityServer,
    tmp_path: Path,
    sign_in: str,
) -> None:
    until = {"never was": None, "is over": datetime.now(UTC) - LATER}.get(
        sign_in, datetime.now(UTC) + LATER
    )
    identity.sso_is_valid = False
    environment(identity.for_a_person(tmp_path, until))
    with pytest.raises(LakeError) as refused:
        open_lake(SETTINGS).write("k", b"")
    assert str(refused.value) == (
        f"cannot write s3://{BUCKET}/keys/k: not signed in to AWS, or no longer; "
        f"run aws sso login --profile {PROFILE}"
    )
    assert not refused.value.retryable
    assert identity.given == []


@pytest.mark.parametrize(
    ("source", "renewal"),
    [
        ("environment", "set both anew, with AWS_SESSION_TOKEN"),
        ("profile", f"run aws configure --profile {PROFILE}"),
        ("person", f"run aws sso login --profile {PROFILE}"),
        ("machine", "AWS renews the keys of a role by itself"),
    ],
)
def test_keys_that_have_ended_are_told_with_how_their_source_renews_them(
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
        with pytest.raises(LakeError, match="the keys have expired; the keys come from") as refused:
            lake.write("k", b"")
    assert refused.value.fix.startswith(renewal)
    assert refused.value.retryable == (source == "machine")


def test_a_role_that_may_not_be_taken_on_is_no_lack_of_rights_in_the_bucket(
    environment: Callable[[dict[str, str]], None], tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = a\naws_secret_access_key = s\n"
    )
    (tmp_path / "config").write_text(
        f"[profile {PROFILE}]\nrole_arn = arn:aws:iam::123456789012:role/pipeline\n"
        "source_profile = default\n"
    )
    said = error_of("AccessDenied", "not you")
    with refusing(403, f"<ErrorResponse>{said}</ErrorResponse>") as sts:
        environment({"AWS_PROFILE": PROFILE, "AWS_ENDPOINT_URL_STS": sts.endpoint_url})
        with pytest.raises(LakeError, match=r"AWS gave no keys: .*AssumeRole operation: not you"):
            open_lake(SETTINGS).write("k", b"")


def test_half_of_the_keys_is_named(environment: Callable[[dict[str, str]], None]) -> None:
    environment({"AWS_ACCESS_KEY_ID": "a"})
    with pytest.raises(LakeError, match="half of the AWS keys is missing; set AWS_ACCESS_KEY_ID"):
        open_lake(SETTINGS)
