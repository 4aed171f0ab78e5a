"""The AWS half of the set-up: the bucket of the lake, two policies, and Snowflake's role.

Every step compares what is there with what is to be there, so applying twice changes nothing.
The lake is the only thing that holds data; nothing here removes an object unless told to.
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
            "trust": trust_in(principal) or documents.trust_in_nobody(),
            "policies": [READER_POLICY],
        },
    }


class AwsSetup:
    """The AWS half, over one session's credentials."""

    def __init__(
        self, session: "boto3.session.Session", lake: LakePlace, endpoint_url: str | None = None
    ) -> None:
        """Work with a session; an endpoint that is not AWS's takes all services, as an emulator."""
        s3, iam, sts = (
            session.client(service, region_name=lake.region, endpoint_url=endpoint_url)
            for service in ("s3", "iam", "sts")
        )
        self._bucket = BucketSetup(s3, lake)
        self._access = AccessSetup(iam, sts, lake)

    def steps(self, principal: Principal | None = None) -> list[Step]:
        """Return the steps that make everything. Without `principal`, a trust stays as it is."""
        return [*self._bucket.steps(), *self._access.steps(principal)]

    def trust_steps(self, principal: Principal) -> list[Step]:
        """Return the step that completes the handshake."""
        return self._access.trust_steps(principal)

    def removal_steps(self, *, delete_data: bool) -> list[Step]:
        """Return the steps that take everything away; the bucket only with `delete_data`."""
        return [
            *self._access.removal_steps(),
            *(self._bucket.removal_steps() if delete_data else []),
        ]

    def role_arn(self) -> str:
        """Return the ARN of the role that Snowflake takes on. Raises SetupError without it."""
        return self._access.role_arn()
