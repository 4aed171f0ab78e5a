"""`bootstrap aws` against moto's server: what it creates, repeated runs, and what it keeps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from amplitude_assets.bootstrap import aws_documents as documents
from amplitude_assets.bootstrap.aws import AwsSetup, render
from amplitude_assets.bootstrap.aws_access import (
    READER_POLICY,
    READER_ROLE,
    WRITER_POLICY,
    Principal,
)
from amplitude_assets.bootstrap.aws_documents import LakePlace
from amplitude_assets.bootstrap.steps import SetupError, apply_all
from amplitude_assets.cli.main import main
from tests.support.aws_identity import PROFILE, IdentityServer
from tests.support.s3 import ENVIRONMENT, s3_server

pytestmark = pytest.mark.integration

LAKE = LakePlace("a-new-lake", "some/prefix", "eu-central-1")
SNOWFLAKE = Principal("arn:aws:iam::123456789001:user/abc1-b-self1234", "ABC_SFCRole=2_xyz=")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as server:
        yield server.endpoint_url


@pytest.fixture
def session(endpoint: str) -> boto3.session.Session:
    import requests

    requests.post(f"{endpoint}/moto-api/reset", timeout=10).raise_for_status()
    return boto3.session.Session(
        aws_access_key_id=ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def setup(session: boto3.session.Session, endpoint: str) -> AwsSetup:
    return AwsSetup(session, LAKE, endpoint)


def outcomes(steps: Any) -> set[str]:
    return {done.outcome for done in apply_all(steps)}


def state_in_aws(session: boto3.session.Session, endpoint: str) -> dict[str, Any]:
    """Return the resources as AWS returns them, read with the test's own calls."""
    s3 = session.client("s3", endpoint_url=endpoint)
    iam = session.client("iam", endpoint_url=endpoint, region_name="us-east-1")
    policies = {}
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        version = iam.get_policy_version(
            PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"]
        )
        policies[policy["PolicyName"]] = version["PolicyVersion"]["Document"]
    attached = iam.list_attached_role_policies(RoleName=READER_ROLE)["AttachedPolicies"]
    encryption = s3.get_bucket_encryption(Bucket=LAKE.bucket)
    rules = s3.get_bucket_lifecycle_configuration(Bucket=LAKE.bucket)["Rules"]
    return {
        "region": s3.get_bucket_location(Bucket=LAKE.bucket)["LocationConstraint"],
        "versioning": s3.get_bucket_versioning(Bucket=LAKE.bucket)["Status"],
        "encryption": encryption["ServerSideEncryptionConfiguration"],
        "public": s3.get_public_access_block(Bucket=LAKE.bucket)["PublicAccessBlockConfiguration"],
        "lifecycle": {rule["ID"] for rule in rules},
        "tls": json.loads(s3.get_bucket_policy(Bucket=LAKE.bucket)["Policy"]),
        "policies": policies,
        "trust": iam.get_role(RoleName=READER_ROLE)["Role"]["AssumeRolePolicyDocument"],
        "attached": [policy["PolicyName"] for policy in attached],
    }


def test_everything_is_created_as_rendered(
    setup: AwsSetup, session: boto3.session.Session, endpoint: str
) -> None:
    assert outcomes(setup.steps()) == {"created"}
    found, shown = state_in_aws(session, endpoint), render(LAKE, None)
    assert found == {
        "region": "eu-central-1",
        "versioning": "Enabled",
        "encryption": shown["bucket"]["encryption"],
        "public": dict.fromkeys(shown["bucket"]["public_access_block"], True),
        "lifecycle": {"old-versions", "unfinished-uploads"},
        "tls": shown["bucket"]["policy"],
        "policies": shown["policies"],
        "trust": documents.trust_no_principal(),
        "attached": [READER_POLICY],
    }


def test_applying_twice_changes_nothing(
    setup: AwsSetup, session: boto3.session.Session, endpoint: str
) -> None:
    outcomes(setup.steps(SNOWFLAKE))
    before = state_in_aws(session, endpoint)
    sent: list[str] = []
    session.events.register(
        "before-call", lambda model, **_: sent.append(f"{model.http['method']} {model.name}")
    )
    again = AwsSetup(session, LAKE, endpoint)
    assert outcomes(again.steps(SNOWFLAKE)) == {"unchanged"}
    assert outcomes(again.steps()) == {"unchanged"}  # a complete trust policy is kept
    calls = [*sent]
    assert len(calls) > 10
    assert not [call for call in calls if not call.split()[1].startswith(("Get", "Head", "List"))]
    assert state_in_aws(session, endpoint) == before


def test_the_trust_policy_allows_only_snowflake_with_its_external_id(
    setup: AwsSetup, session: boto3.session.Session, endpoint: str
) -> None:
    outcomes(setup.steps())
    assert outcomes(setup.trust_steps(SNOWFLAKE)) == {"changed"}
    (statement,) = state_in_aws(session, endpoint)["trust"]["Statement"]
    assert statement["Principal"] == {"AWS": SNOWFLAKE.user_arn}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": SNOWFLAKE.external_id}}


def test_manual_changes_are_reverted(
    setup: AwsSetup, session: boto3.session.Session, endpoint: str
) -> None:
    outcomes(setup.steps())
    before = state_in_aws(session, endpoint)
    s3 = session.client("s3", endpoint_url=endpoint)
    s3.put_bucket_versioning(Bucket=LAKE.bucket, VersioningConfiguration={"Status": "Suspended"})
    iam = session.client("iam", endpoint_url=endpoint, region_name="us-east-1")
    arn = next(
        policy["Arn"]
        for policy in iam.list_policies(Scope="Local")["Policies"]
        if policy["PolicyName"] == WRITER_POLICY
    )
    for action in ("s3:A*", "s3:B*", "s3:C*", "s3:D*"):  # up to AWS's limit of versions
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    assert {"unchanged", "changed"} <= outcomes(setup.steps())
    assert state_in_aws(session, endpoint) == before


def test_an_existing_bucket_keeps_its_own_rules_and_encryption(
    setup: AwsSetup, session: boto3.session.Session, endpoint: str
) -> None:
    s3 = session.client("s3", endpoint_url=endpoint)
    s3.create_bucket(
        Bucket=LAKE.bucket, CreateBucketConfiguration={"LocationConstraint": LAKE.region}
    )
    own = {"ID": "own", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 9}}
    s3.put_bucket_lifecycle_configuration(
        Bucket=LAKE.bucket, LifecycleConfiguration={"Rules": [own]}
    )
    key = LakePlace(LAKE.bucket, kms_key_id="arn:aws:kms:eu-central-1:1:key/2")
    s3.put_bucket_encryption(
        Bucket=LAKE.bucket, ServerSideEncryptionConfiguration=documents.encryption(key)
    )
    assert "changed" in outcomes(setup.steps())
    found = state_in_aws(session, endpoint)
    assert found["lifecycle"] == {"own", "old-versions", "unfinished-uploads"}
    default = found["encryption"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    assert default["KMSMasterKeyID"] == key.kms_key_id
    assert outcomes(setup.steps()) == {"unchanged"}


def test_policies_are_limited_to_the_prefix() -> None:
    for policy in (documents.writer_policy(LAKE), documents.reader_policy(LAKE)):
        by_sid = {statement["Sid"]: statement for statement in policy["Statement"]}
        assert by_sid["Objects"]["Resource"] == "arn:aws:s3:::a-new-lake/some/prefix/*"
        prefixes = by_sid["List"]["Condition"]["StringLike"]["s3:prefix"]
        assert prefixes == ["some/prefix", "some/prefix/*"]
    actions = documents.reader_policy(LAKE)["Statement"][0]["Action"]
    assert actions == ["s3:GetObject", "s3:GetObjectVersion"]


def test_the_bucket_denies_only_requests_without_tls() -> None:
    [statement] = documents.bucket_policy(LAKE)["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    bucket = "arn:aws:s3:::a-new-lake"
    assert statement["Resource"] == [bucket, f"{bucket}/*"]


def test_a_kms_key_is_in_both_policies_and_in_the_bucket() -> None:
    key = "arn:aws:kms:eu-central-1:1:key/2"
    lake = LakePlace("a-new-lake", "p", "eu-central-1", kms_key_id=key)
    writer, reader = documents.writer_policy(lake), documents.reader_policy(lake)
    assert writer["Statement"][-1]["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    assert reader["Statement"][-1] == {
        "Sid": "Key", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": key,
    }  # fmt: skip
    (rule,) = documents.encryption(lake)["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key


def test_destroying_keeps_all_objects_without_delete_data(
    setup: AwsSetup, session: boto3.session.Session, endpoint: str
) -> None:
    outcomes(setup.steps())
    s3 = session.client("s3", endpoint_url=endpoint)
    s3.delete_bucket_policy(Bucket=LAKE.bucket)  # the server here has no TLS
    for body in (b"one", b"another version"):
        s3.put_object(Bucket=LAKE.bucket, Key="some/prefix/object", Body=body)
    assert outcomes(setup.removal_steps(delete_data=False)) == {"removed"}
    versions = s3.list_object_versions(Bucket=LAKE.bucket)["Versions"]
    assert len(versions) == 2
    assert outcomes(setup.removal_steps(delete_data=False)) == {"absent"}

    assert "removed" in outcomes(setup.removal_steps(delete_data=True))
    assert LAKE.bucket not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


def test_an_existing_bucket_policy_is_not_overwritten(
    setup: AwsSetup, session: boto3.session.Session, endpoint: str
) -> None:
    outcomes(setup.steps())
    s3 = session.client("s3", endpoint_url=endpoint)
    own = json.dumps({"Version": "2012-10-17", "Statement": []})
    s3.put_bucket_policy(Bucket=LAKE.bucket, Policy=own)
    with pytest.raises(SetupError, match="OnlyOverTls"):
        outcomes(setup.steps())
    assert s3.get_bucket_policy(Bucket=LAKE.bucket)["Policy"] == own


def test_a_missing_role_is_an_error(setup: AwsSetup) -> None:
    with pytest.raises(SetupError, match="bootstrap aws --apply first"):
        setup.role_arn()
    outcomes(setup.steps())
    assert setup.role_arn().endswith(f":role/{READER_ROLE}")


NOT_SIGNED_IN = {
    "no such profile": ({"AWS_PROFILE": "nobody"}, "set AWS_PROFILE to one that"),
    "no such profile, and a region": (
        {"AWS_PROFILE": "nobody", "AWS_REGION": "eu-central-1"},
        "set AWS_PROFILE to one that",
    ),
    "no such region": ({"AWS_REGION": "eu central"}, "set AWS_REGION to a region of AWS"),
    "no keys": ({"AWS_EC2_METADATA_DISABLED": "true"}, "no AWS credentials were found"),
    "SSO": (
        {},
        f"not signed in to AWS, or the session has expired; run aws sso login --profile {PROFILE}",
    ),
}


@pytest.mark.parametrize("case", NOT_SIGNED_IN)
def test_without_credentials_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, case: str
) -> None:
    variables, expected = NOT_SIGNED_IN[case]
    variables = {
        "LAKE_URL": "s3://a-new-lake/some/prefix",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        **variables,
    }
    if case == "SSO":
        variables |= IdentityServer().for_a_person(tmp_path, None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["amplitude-assets", "bootstrap", "aws", "--apply"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (1, 2)
    output = capsys.readouterr().err.strip()
    assert output.startswith("amplitude-assets: ")
    assert expected in output
    assert len(output.splitlines()) == 1
