"""Open the object stores that the settings name: the lake, and Amplitude's S3 export."""

from typing import TYPE_CHECKING

from amplitude_assets.config import Settings
from amplitude_assets.export.s3_source import S3Export
from amplitude_assets.lake.forgotten import forgotten_digests
from amplitude_assets.lake.s3 import S3Access
from amplitude_assets.lake.s3_errors import Diagnosis, diagnose_sign_in
from amplitude_assets.lake.store import Lake, LakeError
from amplitude_assets.privacy.rules import Forgotten, Privacy

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource


def open_lake(settings: Settings, s3: "S3Resource | None" = None, *, probing: bool = False) -> Lake:
    """Open the lake.

    On S3, endpoint, region and credentials are those of dagster-aws' resource `s3`, or else those
    that boto3 finds, in the region of the settings. `probing` shortens S3 timeouts and allows one
    retry. Raises LakeError when there are no AWS credentials.
    """
    return _open_store("LAKE_URL", settings.resolved_lake_url, settings, s3, probing=probing)


def open_s3_export(
    settings: Settings, s3: "S3Resource | None" = None, *, probing: bool = False
) -> S3Export | None:
    """Open the bucket of Amplitude's S3 export, or return None when none is set.

    Arguments and errors are those of `open_lake`.
    """
    url = settings.amplitude_s3_export_url
    if url is None:
        return None
    store = _open_store("AMPLITUDE_S3_EXPORT_URL", url, settings, s3, probing=probing)
    return S3Export(store, settings.project_id)


def _open_store(
    setting: str, url: str, settings: Settings, s3: "S3Resource | None", *, probing: bool
) -> Lake:
    if not url.startswith("s3://"):
        return Lake(url, setting=setting)
    import boto3
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    try:
        if s3 is None:
            client = boto3.session.Session().client("s3", region_name=settings.aws_region)
        else:
            client = s3.get_client()
        session = boto3.session.Session(
            profile_name=s3.profile_name if s3 else None,
            region_name=client.meta.region_name,
            aws_access_key_id=s3.aws_access_key_id if s3 else None,
            aws_secret_access_key=s3.aws_secret_access_key if s3 else None,
            aws_session_token=s3.aws_session_token if s3 else None,
        )
        if session.get_credentials() is None:
            raise NoCredentialsError
    except BotoCoreError as error:
        diagnosis = diagnose_sign_in(error) or Diagnosis(str(error))
        seen = f"cannot use {setting}={url}: {diagnosis.reason}"
        raise LakeError(seen, diagnosis.fix, retryable=diagnosis.retryable) from None
    access = S3Access(
        session=session,
        endpoint_url=client.meta.endpoint_url,
        encryption=settings.lake_encryption,
        kms_key_id=settings.lake_kms_key_id,
        storage_class=settings.lake_storage_class,
        probing=probing,
    )
    return Lake(url, access, setting)


def read_privacy(settings: Settings, lake: Lake) -> Privacy:
    """Return the masks of the settings, and the forgotten people that the lake lists.

    Raises LakeError when the list cannot be read: without it no hour may be unpacked.
    """
    digests = forgotten_digests(lake, settings.project_id)
    return Privacy(settings.masks, Forgotten(settings.project_id, digests))
