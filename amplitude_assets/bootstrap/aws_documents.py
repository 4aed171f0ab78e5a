"""The documents that AWS takes: policies, trust, the bucket's rules. Pure functions of names."""

from dataclasses import dataclass
from typing import Any, Literal

Document = dict[str, Any]
Partition = Literal["aws", "aws-cn", "aws-us-gov"]

_VERSION = "2012-10-17"
# Long enough for someone to notice a mistake, short enough not to be paid for for ever.
_KEEP_OLD_VERSIONS_DAYS = 30
_KEEP_UNFINISHED_UPLOADS_DAYS = 7


@dataclass(frozen=True)
class LakePlace:
    """Where the lake is: a bucket, and a prefix in it without slashes at its ends, or none."""

    bucket: str
    prefix: str = ""
    region: str = "us-east-1"
    kms_key_id: str | None = None
    partition: Partition = "aws"

    @property
    def bucket_arn(self) -> str:
        """Return the bucket's ARN."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def objects_arn(self) -> str:
        """Return the ARN of everything under the prefix."""
        return f"{self.bucket_arn}/{self.prefix}/*" if self.prefix else f"{self.bucket_arn}/*"


def writer_policy(lake: LakePlace) -> Document:
    """Return what the pipeline may do: read, write and delete under the prefix, and list it."""
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
    """Return what Snowflake may do: read under the prefix, and list it. Nothing else.

    These are the rights that Snowflake asks for when it only loads
    (https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration).
    """
    return _policy(
        _allow("Objects", ["s3:GetObject", "s3:GetObjectVersion"], lake.objects_arn),
        *_list_statements(lake),
        *_key_statements(lake, ["kms:Decrypt"]),
    )


def trust_policy(principal_arn: str, external_id: str | None) -> Document:
    """Return who may take on the reader's role: one principal, if it names the external id."""
    statement: Document = {
        "Sid": "Snowflake",
        "Effect": "Allow",
        "Principal": {"AWS": principal_arn},
        "Action": "sts:AssumeRole",
    }
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return _policy(statement)


def trust_in_nobody() -> Document:
    """Return the trust of a role that waits for Snowflake's side: nobody may take it on."""
    return _policy(
        {"Sid": "Nobody", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    )


def bucket_policy(lake: LakePlace) -> Document:
    """Return the bucket's own policy: nobody reads or writes it without TLS."""
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
    """Return the bucket's default encryption: its KMS key if there is one, else S3's own keys."""
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
    """Return the bucket's lifecycle: old versions and unfinished uploads go, objects stay."""
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
    """Return the bucket's block of everything public."""
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
    """Return the rights on the bucket itself. The region is asked for without a prefix."""
    listing = _allow("List", ["s3:ListBucket"], lake.bucket_arn)
    if lake.prefix:
        prefixes = [lake.prefix, f"{lake.prefix}/*"]
        listing["Condition"] = {"StringLike": {"s3:prefix": prefixes}}
    return [listing, _allow("Region", ["s3:GetBucketLocation"], lake.bucket_arn)]


def _key_statements(lake: LakePlace, actions: list[str]) -> list[Document]:
    return [_allow("Key", actions, lake.kms_key_id)] if lake.kms_key_id else []
