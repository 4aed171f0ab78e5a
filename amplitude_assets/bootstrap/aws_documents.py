"""Build the AWS documents: policies, trust policies and bucket settings, as pure functions."""

from dataclasses import dataclass
from typing import Any, Literal

Document = dict[str, Any]
Partition = Literal["aws", "aws-cn", "aws-us-gov"]

_VERSION = "2012-10-17"
# Long enough to notice a mistake, short enough to limit the cost.
_KEEP_OLD_VERSIONS_DAYS = 30
_KEEP_UNFINISHED_UPLOADS_DAYS = 7


@dataclass(frozen=True)
class LakePlace:
    """The location of the lake: a bucket, and a prefix without outer slashes, possibly empty."""

    bucket: str
    prefix: str = ""
    region: str = "us-east-1"
    kms_key_id: str | None = None
    partition: Partition = "aws"

    @property
    def bucket_arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def objects_arn(self) -> str:
        """The ARN of all objects under the prefix."""
        return f"{self.bucket_arn}/{self.prefix}/*" if self.prefix else f"{self.bucket_arn}/*"


def writer_policy(lake: LakePlace) -> Document:
    """Return the pipeline's policy: read, write, delete and list objects under the prefix."""
    actions = [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ]
    return _policy(
        _allow("Objects", actions, lake.objects_arn),
        *_list_statements(lake),
        *_key_statements(lake, ["kms:GenerateDataKey", "kms:Decrypt"]),
    )


def reader_policy(lake: LakePlace) -> Document:
    """Return Snowflake's policy: read and list objects under the prefix.

    These are the permissions that Snowflake documents for loading
    (https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration).
    """
    return _policy(
        _allow("Objects", ["s3:GetObject", "s3:GetObjectVersion"], lake.objects_arn),
        *_list_statements(lake),
        *_key_statements(lake, ["kms:Decrypt"]),
    )


def trust_policy(principal_arn: str, external_id: str | None) -> Document:
    """Return the reader role's trust policy: one principal, which must send the external id.

    With `external_id` None, no external id is required.
    """
    statement: Document = {
        "Sid": "Snowflake",
        "Effect": "Allow",
        "Principal": {"AWS": principal_arn},
        "Action": "sts:AssumeRole",
    }
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return _policy(statement)


def trust_no_principal() -> Document:
    """Return the trust policy before Snowflake's user is known: nobody may assume the role."""
    return _policy(
        {"Sid": "Nobody", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    )


def bucket_policy(lake: LakePlace) -> Document:
    """Return the bucket policy: deny all requests without TLS."""
    return _policy(
        {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [lake.bucket_arn, f"{lake.bucket_arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def encryption(lake: LakePlace) -> Document:
    """Return the bucket's default encryption: the lake's KMS key if set, else S3's own keys."""
    default: Document = {"SSEAlgorithm": "AES256"}
    if lake.kms_key_id:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": lake.kms_key_id}
    return {
        "Rules": [
            {
                "ApplyServerSideEncryptionByDefault": default,
                "BucketKeyEnabled": bool(lake.kms_key_id),
            }
        ]
    }


def lifecycle() -> Document:
    """Return the bucket's lifecycle: expire old versions and unfinished uploads, keep objects."""
    return {
        "Rules": [
            {
                "ID": "old-versions",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": _KEEP_OLD_VERSIONS_DAYS},
            },
            {
                "ID": "unfinished-uploads",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {
                    "DaysAfterInitiation": _KEEP_UNFINISHED_UPLOADS_DAYS
                },
            },
        ]
    }


def public_access_block() -> Document:
    """Return the bucket's public access block, with everything blocked."""
    return {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }


def _policy(*statements: Document) -> Document:
    return {"Version": _VERSION, "Statement": list(statements)}


def _allow(sid: str, actions: list[str], resource: str) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def _list_statements(lake: LakePlace) -> list[Document]:
    """Return the permissions on the bucket itself. GetBucketLocation has no prefix condition."""
    listing = _allow("List", ["s3:ListBucket"], lake.bucket_arn)
    if lake.prefix:
        prefixes = [lake.prefix, f"{lake.prefix}/*"]
        listing["Condition"] = {"StringLike": {"s3:prefix": prefixes}}
    return [listing, _allow("Region", ["s3:GetBucketLocation"], lake.bucket_arn)]


def _key_statements(lake: LakePlace, actions: list[str]) -> list[Document]:
    return [_allow("Key", actions, lake.kms_key_id)] if lake.kms_key_id else []
