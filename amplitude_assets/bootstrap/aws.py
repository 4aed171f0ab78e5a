"""The AWS half of the set-up: the bucket of the lake, two policies, and Snowflake's role.

Every step compares what is there with what is to be there, so applying twice changes nothing.
The lake is the only thing that holds data; nothing here removes an object unless told to.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amplitude_assets.bootstrap import aws_documents as documents
from amplitude_assets.bootstrap.aws_documents import Document, LakePlace
from amplitude_assets.bootstrap.steps import Outcome, SetupError, Step

if TYPE_CHECKING:
    import boto3

WRITER_POLICY = "amplitude-assets-writer"
READER_POLICY = "amplitude-assets-snowflake-reader"
READER_ROLE = "amplitude-assets-snowflake"

_OLD_POLICY_VERSIONS = 4  # AWS keeps five, so the oldest goes before a sixth comes


@dataclass(frozen=True)
class Principal:
    """Snowflake's side of the handshake, as DESC INTEGRATION tells it."""

    user_arn: str
    external_id: str


def render(lake: LakePlace, principal: Principal | None) -> Document:
    """Return everything that `AwsSetup` makes, as the documents that AWS takes."""
    return {
        "bucket": {
            "name": lake.bucket,
            "region": lake.region,
            "encryption": documents.encryption(lake),
            "versioning": {"Status": "Enabled"},
            "public_access_block": documents.public_access_block(),
            "lifecycle": documents.lifecycle(),
            "policy": documents.bucket_policy(lake),
        },
        "policies": {
            WRITER_POLICY: documents.writer_policy(lake),
            READER_POLICY: documents.reader_policy(lake),
        },
        "role": {
            "name": READER_ROLE,
            "trust": _trust(principal) or documents.trust_in_nobody(),
            "policies": [READER_POLICY],
        },
    }


class AwsSetup:
    """The AWS half, over one session's credentials."""

    def __init__(
        self, session: "boto3.session.Session", lake: LakePlace, endpoint_url: str | None = None
    ) -> None:
        """Work with a session; an endpoint that is not AWS's takes all services, as an emulator."""
        region = lake.region
        self._lake = lake
        self._s3 = session.client("s3", region_name=region, endpoint_url=endpoint_url)
        self._iam = session.client("iam", region_name=region, endpoint_url=endpoint_url)
        self._sts = session.client("sts", region_name=region, endpoint_url=endpoint_url)

    def steps(self, principal: Principal | None = None) -> list[Step]:
        """Return the steps that make everything. Without `principal`, a trust stays as it is."""
        lake, bucket = self._lake, self._lake.bucket
        return [
            Step(f"bucket {bucket}", self._make_bucket),
            Step("bucket: encryption", self._make_encrypted),
            Step("bucket: versioning", self._make_versioned),
            Step("bucket: nothing public", self._make_private),
            Step("bucket: lifecycle", self._make_lifecycle),
            Step("bucket: TLS only", self._make_bucket_policy),
            Step(
                f"policy {WRITER_POLICY}",
                lambda: self._make_policy(WRITER_POLICY, documents.writer_policy(lake)),
            ),
            Step(
                f"policy {READER_POLICY}",
                lambda: self._make_policy(READER_POLICY, documents.reader_policy(lake)),
            ),
            Step(f"role {READER_ROLE}", lambda: self._make_role(principal)),
            Step(f"role {READER_ROLE}: policy", self._attach_reader_policy),
        ]

    def trust_steps(self, principal: Principal) -> list[Step]:
        """Return the step that completes the handshake."""
        return [Step(f"role {READER_ROLE}: trust", lambda: self._make_role(principal))]

    def removal_steps(self, *, delete_data: bool) -> list[Step]:
        """Return the steps that take everything away; the bucket only with `delete_data`."""
        steps = [
            Step(f"role {READER_ROLE}", self._remove_role),
            Step(f"policy {READER_POLICY}", lambda: self._remove_policy(READER_POLICY)),
            Step(f"policy {WRITER_POLICY}", lambda: self._remove_policy(WRITER_POLICY)),
        ]
        if delete_data:
            steps.append(
                Step(f"bucket {self._lake.bucket} and every object in it", self._remove_bucket)
            )
        return steps

    def role_arn(self) -> str:
        """Return the ARN of the role that Snowflake takes on. Raises SetupError without it."""
        role = self._found(lambda: self._iam.get_role(RoleName=READER_ROLE))
        if role is None:
            raise SetupError(
                f"the role {READER_ROLE} is not there; run bootstrap aws --apply first"
            )
        return str(role["Role"]["Arn"])

    def _make_bucket(self) -> Outcome:
        bucket, region = self._lake.bucket, self._lake.region
        # S3 answers 403 for a bucket of somebody else's: names are one for all accounts.
        taken = f"cannot use the bucket {bucket}; if it is not yours, choose another name"
        if self._found(lambda: self._s3.head_bucket(Bucket=bucket), taken) is not None:
            return "unchanged"
        arguments: dict[str, Any] = {"Bucket": bucket, "ObjectOwnership": "BucketOwnerEnforced"}
        if region != "us-east-1":  # which AWS refuses to be told
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": region}
        with _refusals(f"cannot make the bucket {bucket}"):
            self._s3.create_bucket(**arguments)
        return "made"

    def _make_encrypted(self) -> Outcome:
        bucket, wanted = self._lake.bucket, documents.encryption(self._lake)
        found = self._found(lambda: self._s3.get_bucket_encryption(Bucket=bucket))
        held = found and found["ServerSideEncryptionConfiguration"]
        # Without a key of one's own, whatever the bucket encrypts with is as good.
        if held and (self._lake.kms_key_id is None or _includes(held, wanted)):
            return "unchanged"
        with _refusals(f"cannot set the encryption of {bucket}"):
            self._s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=wanted)
        return "changed" if held else "made"

    def _make_private(self) -> Outcome:
        bucket, wanted = self._lake.bucket, documents.public_access_block()
        found = self._found(lambda: self._s3.get_public_access_block(Bucket=bucket))
        held = found and found["PublicAccessBlockConfiguration"]
        if _includes(held, wanted):
            return "unchanged"
        with _refusals(f"cannot block public access to {bucket}"):
            self._s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=wanted)
        return "changed" if held else "made"

    def _make_lifecycle(self) -> Outcome:
        """Set our rules beside the bucket's others: S3 takes them only all at once."""
        bucket, wanted = self._lake.bucket, documents.lifecycle()["Rules"]
        found = self._found(lambda: self._s3.get_bucket_lifecycle_configuration(Bucket=bucket))
        held = {rule["ID"]: rule for rule in (found or {}).get("Rules", [])}
        if all(_includes(held.get(rule["ID"]), rule) for rule in wanted):
            return "unchanged"
        rules = {**held, **{rule["ID"]: rule for rule in wanted}}
        with _refusals(f"cannot set the lifecycle of {bucket}"):
            self._s3.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration={"Rules": list(rules.values())}
            )
        return "changed" if held else "made"

    def _make_versioned(self) -> Outcome:
        bucket = self._lake.bucket
        with _refusals(f"cannot set the versioning of {bucket}"):
            if self._s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled":
                return "unchanged"
            self._s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        return "made"

    def _make_bucket_policy(self) -> Outcome:
        bucket, wanted = self._lake.bucket, documents.bucket_policy(self._lake)
        found = self._found(lambda: self._s3.get_bucket_policy(Bucket=bucket))
        if found is not None and json.loads(found["Policy"]) == wanted:
            return "unchanged"
        if found is not None:
            raise SetupError(
                f"the bucket {bucket} has a policy of its own; add the statement OnlyOverTls that "
                "bootstrap aws shows to it by hand, and keep the rest"
            )
        with _refusals(f"cannot set the policy of {bucket}"):
            self._s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(wanted))
        return "made"

    def _make_policy(self, name: str, wanted: Document) -> Outcome:
        arn = self._policy_arn(name)
        found = self._found(lambda: self._iam.get_policy(PolicyArn=arn))
        with _refusals(f"cannot make the policy {name}"):
            if found is None:
                self._iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(wanted))
                return "made"
            version = found["Policy"]["DefaultVersionId"]
            held = self._iam.get_policy_version(PolicyArn=arn, VersionId=version)
            if held["PolicyVersion"]["Document"] == wanted:
                return "unchanged"
            self._drop_old_versions(arn, keep=_OLD_POLICY_VERSIONS)
            self._iam.create_policy_version(
                PolicyArn=arn, PolicyDocument=json.dumps(wanted), SetAsDefault=True
            )
            return "changed"

    def _make_role(self, principal: Principal | None) -> Outcome:
        wanted = _trust(principal)
        found = self._found(lambda: self._iam.get_role(RoleName=READER_ROLE))
        with _refusals(f"cannot make the role {READER_ROLE}"):
            if found is None:
                trust = json.dumps(wanted or documents.trust_in_nobody())
                self._iam.create_role(
                    RoleName=READER_ROLE,
                    AssumeRolePolicyDocument=trust,
                    Description="Snowflake reads the Amplitude lake with it",
                )
                return "made"
            if wanted is None or found["Role"]["AssumeRolePolicyDocument"] == wanted:
                return "unchanged"
            self._iam.update_assume_role_policy(
                RoleName=READER_ROLE, PolicyDocument=json.dumps(wanted)
            )
            return "changed"

    def _attach_reader_policy(self) -> Outcome:
        arn = self._policy_arn(READER_POLICY)
        with _refusals(f"cannot attach {READER_POLICY} to {READER_ROLE}"):
            if arn in self._attached_policies():
                return "unchanged"
            self._iam.attach_role_policy(RoleName=READER_ROLE, PolicyArn=arn)
        return "made"

    def _remove_role(self) -> Outcome:
        if self._found(lambda: self._iam.get_role(RoleName=READER_ROLE)) is None:
            return "absent"
        with _refusals(f"cannot remove the role {READER_ROLE}"):
            for arn in self._attached_policies():
                self._iam.detach_role_policy(RoleName=READER_ROLE, PolicyArn=arn)
            self._iam.delete_role(RoleName=READER_ROLE)
        return "removed"

    def _remove_policy(self, name: str) -> Outcome:
        arn = self._policy_arn(name)
        if self._found(lambda: self._iam.get_policy(PolicyArn=arn)) is None:
            return "absent"
        with _refusals(f"cannot remove the policy {name}; detach it from what still uses it"):
            self._drop_old_versions(arn, keep=1)
            self._iam.delete_policy(PolicyArn=arn)
        return "removed"

    def _remove_bucket(self) -> Outcome:
        bucket = self._lake.bucket
        if self._found(lambda: self._s3.head_bucket(Bucket=bucket)) is None:
            return "absent"
        with _refusals(f"cannot remove the bucket {bucket}"):
            pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
            for page in pages:
                every = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in every]
                if named:
                    self._s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
            self._s3.delete_bucket(Bucket=bucket)
        return "removed"

    def _attached_policies(self) -> list[str]:
        pages = self._iam.get_paginator("list_attached_role_policies")
        return [
            policy["PolicyArn"]
            for page in pages.paginate(RoleName=READER_ROLE)
            for policy in page["AttachedPolicies"]
        ]

    def _drop_old_versions(self, arn: str, *, keep: int) -> None:
        versions = self._iam.list_policy_versions(PolicyArn=arn)["Versions"]
        old = sorted(
            (version for version in versions if not version["IsDefaultVersion"]),
            key=lambda version: version["CreateDate"],
        )
        for version in old[: max(0, len(versions) - keep)]:
            self._iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])

    def _policy_arn(self, name: str) -> str:
        with _refusals("cannot sign in to AWS"):
            account = self._sts.get_caller_identity()["Account"]
        return f"arn:{self._lake.partition}:iam::{account}:policy/{name}"

    def _found(
        self, read: Callable[[], Any], what: str = "cannot look at what is there"
    ) -> Any | None:
        """Return what AWS holds, or None when it holds no such thing."""
        from botocore.exceptions import ClientError

        with _refusals(what):
            try:
                return read()
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return None
                raise


def _includes(held: Any, wanted: Any) -> bool:
    """Say whether AWS holds what is wanted; it may add fields that nobody set."""
    if isinstance(wanted, dict):
        return isinstance(held, dict) and all(
            _includes(held.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(held, list)
            and len(held) == len(wanted)
            and all(map(_includes, held, wanted))
        )
    return bool(held == wanted)


def _trust(principal: Principal | None) -> Document | None:
    if principal is None:
        return None
    return documents.trust_policy(principal.user_arn, principal.external_id)


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Turn what AWS refuses into SetupError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SetupError(f"{what}: {error}") from None
