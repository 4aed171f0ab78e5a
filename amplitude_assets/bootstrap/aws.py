"""Set up AWS: the lake's bucket, two policies, and the role that Snowflake assumes.

Every step compares the current with the wanted state, so applying it twice changes nothing. Only
the bucket contains data; no step deletes objects without `delete_data`.
"""

from typing import TYPE_CHECKING

from amplitude_assets.bootstrap import aws_documents as documents
from amplitude_assets.bootstrap.aws_access import (
    READER_POLICY,
    READER_ROLE,
    WRITER_POLICY,
    AccessSetup,
    Principal,
    trust_in,
)
from amplitude_assets.bootstrap.aws_bucket import BucketSetup
from amplitude_assets.bootstrap.aws_documents import Document, LakePlace
from amplitude_assets.bootstrap.steps import Step

if TYPE_CHECKING:
    import boto3


def render(lake: LakePlace, principal: Principal | None) -> Document:
    """Return everything that `AwsSetup` creates, as AWS documents."""
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
            "trust": trust_in(principal) or documents.trust_no_principal(),
            "policies": [READER_POLICY],
        },
    }


class AwsSetup:
    """The set-up of AWS with the credentials of one session."""

    def __init__(
        self, session: "boto3.session.Session", lake: LakePlace, endpoint_url: str | None = None
    ) -> None:
        """Use a session; an `endpoint_url`, such as an emulator's, serves S3, IAM and STS."""
        s3, iam, sts = (
            session.client(service, region_name=lake.region, endpoint_url=endpoint_url)
            for service in ("s3", "iam", "sts")
        )
        self._bucket = BucketSetup(s3, lake)
        self._access = AccessSetup(iam, sts, lake)

    def steps(self, principal: Principal | None = None) -> list[Step]:
        """Return all set-up steps. Without `principal`, an existing trust policy is kept."""
        return [*self._bucket.steps(), *self._access.steps(principal)]

    def trust_steps(self, principal: Principal) -> list[Step]:
        """Return the step that lets `principal` assume the role."""
        return self._access.trust_steps(principal)

    def removal_steps(self, *, delete_data: bool) -> list[Step]:
        """Return the steps that delete everything; the bucket only with `delete_data`."""
        return [
            *self._access.removal_steps(),
            *(self._bucket.removal_steps() if delete_data else []),
        ]

    def role_arn(self) -> str:
        """Return the ARN of the role that Snowflake assumes. Raises SetupError if it is missing."""
        return self._access.role_arn()
