"""Open S3 with boto3's credentials, and with checksums, encryption and endpoint as configured."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from obstore.store import S3Store

if TYPE_CHECKING:
    import boto3
    from obstore.store import ClientConfig

# How long credentials are cached. boto3 renews those of a role or of SSO ten minutes before they
# expire, so what it returns is certain to be valid for that long only.
_CREDENTIALS_TTL = timedelta(minutes=10)
# With short timeouts, an endpoint that drops packets fails soon. Requests are retried once.
_PROBING: "ClientConfig" = {"connect_timeout": "5s", "timeout": "10s"}


@dataclass(frozen=True, repr=False)
class S3Access:
    """A boto3 session with credentials and a region, and the endpoint for S3.

    `encryption` is the server-side encryption of new objects (`AES256` or `aws:kms`) and
    `kms_key_id` its key; the default is the bucket's. `storage_class` applies to event files only:
    manifests are small and read often. `probing` shortens the timeouts and allows one retry; a
    run retries for three minutes. There is no repr, because the session may contain keys.
    """

    session: "boto3.session.Session"
    endpoint_url: str
    encryption: str | None = None
    kms_key_id: str | None = None
    storage_class: str | None = None
    probing: bool = False


def open_s3(bucket: str, prefix: str, access: S3Access) -> S3Store:
    """Return the store of a bucket under a prefix, without connecting."""
    from obstore.auth.boto3 import Boto3CredentialProvider

    config = {
        "checksum_algorithm": "sha256",
        "endpoint": access.endpoint_url,
        "region": access.session.region_name,
    }
    if access.encryption:
        config["server_side_encryption"] = access.encryption
    if access.kms_key_id:
        # With a bucket key, one request to KMS serves many objects.
        config |= {"sse_kms_key_id": access.kms_key_id, "sse_bucket_key_enabled": "true"}
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,  # type: ignore[arg-type]
        client_options={
            "allow_http": access.endpoint_url.startswith("http://"),
            **(_PROBING if access.probing else {}),
        },
        retry_config={"max_retries": 1} if access.probing else None,
        credential_provider=Boto3CredentialProvider(access.session, ttl=_CREDENTIALS_TTL),
    )


def console_page(uri: str, access: S3Access) -> str | None:
    """Return the URL of `s3://bucket/key` in the AWS console, or None for other services.

    China and GovCloud, which have consoles of their own, also give None.
    """
    region, host = access.session.region_name, urlsplit(access.endpoint_url).hostname or ""
    if not host.endswith(".amazonaws.com") or region.startswith("us-gov-"):
        return None
    place = urlsplit(uri)
    return (
        f"https://{region}.console.aws.amazon.com/s3/object/{place.netloc}"
        f"?region={region}&prefix={quote(place.path.lstrip('/'))}"
    )
