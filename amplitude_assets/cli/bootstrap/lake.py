"""The bucket of LAKE_URL, as the settings describe it, for the set-up of AWS and Snowflake."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from amplitude_assets.bootstrap.aws import AwsSetup
from amplitude_assets.bootstrap.aws_documents import LakePlace, Partition
from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.lake.s3_errors import diagnose_sign_in

if TYPE_CHECKING:
    import boto3


def lake_place(settings: Settings) -> LakePlace:
    """Return bucket, prefix, region and key of the lake. Raises SettingsError."""
    parts = urlsplit(settings.resolved_lake_url)
    if parts.scheme != "s3":
        raise SettingsError("LAKE_URL: set it to s3://bucket/prefix, the lake to create")
    if settings.lake_kms_key_id and not settings.lake_kms_key_id.startswith("arn:"):
        raise SettingsError("LAKE_KMS_KEY_ID: the policies need the key's ARN, arn:aws:kms:…")
    region = settings.aws_region or _session().region_name or "us-east-1"
    return LakePlace(
        bucket=parts.netloc,
        prefix=parts.path.strip("/"),
        region=region,
        kms_key_id=settings.lake_kms_key_id,
        partition=_partition_of(region),
    )


def aws_setup(lake: LakePlace) -> AwsSetup:
    """Return the set-up of AWS with this machine's credentials. Raises SettingsError."""
    with _aws_settings_checked():
        return AwsSetup(_session(), lake)


def _partition_of(region: str) -> Partition:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _session() -> "boto3.session.Session":
    import boto3

    with _aws_settings_checked():
        return boto3.session.Session()


@contextmanager
def _aws_settings_checked() -> Iterator[None]:
    """Turn an error in this machine's AWS settings into SettingsError."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except BotoCoreError as error:
        raise SettingsError(str(diagnose_sign_in(error) or error)) from None
