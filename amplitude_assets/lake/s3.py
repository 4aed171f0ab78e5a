"""How S3 is reached: keys from where every AWS tool has them, checksums, encryption, endpoint."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from obstore.store import S3Store

if TYPE_CHECKING:
    import boto3
    from obstore.store import ClientConfig

# How long keys are used before boto3 is asked again. It replaces those of a role or of SSO ten
# minutes before they expire, so what it gives is good for that long, and no longer for certain.
_KEYS_HELD = timedelta(minutes=10)
# An endpoint that drops packets is only known by time. Each request is sent twice at most.
_PROBING: "ClientConfig" = {"connect_timeout": "5s", "timeout": "10s"}


@dataclass(frozen=True, repr=False)
class S3Access:
    """A boto3 session, which has credentials and a region, and the endpoint that it would ask.

    `encryption` is what S3 is asked to encrypt with (`AES256` or `aws:kms`) and `kms_key_id` the
    key, by default the bucket's own choice. `storage_class` is for the files of events; manifests
    are small and read often. Who is only `probing` gives up soon, where a run asks for three
    minutes. It has no repr, because the session may hold keys.
    """

    session: "boto3.session.Session"
    endpoint_url: str
    encryption: str | None = None
    kms_key_id: str | None = None
    storage_class: str | None = None
    probing: bool = False


def open_s3(bucket: str, prefix: str, access: S3Access) -> S3Store:
    """Return the store of a bucket under a prefix. Nothing is asked yet."""
    from obstore.auth.boto3 import Boto3CredentialProvider

    config = {
        "checksum_algorithm": "sha256",
        "endpoint": access.endpoint_url,
        "region": access.session.region_name,
    }
    if access.encryption:
        config["server_side_encryption"] = access.encryption
    if access.kms_key_id:
        # A bucket key: one request to KMS for many objects.
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
        credential_provider=Boto3CredentialProvider(access.session, ttl=_KEYS_HELD),
    )


def console_page(uri: str, access: S3Access) -> str | None:
    """Return the page of `s3://bucket/key` in the console, or None for a service that is not AWS.

    China and GovCloud have consoles of their own.
    """
    region, host = access.session.region_name, urlsplit(access.endpoint_url).hostname or ""
    if not host.endswith(".amazonaws.com") or region.startswith("us-gov-"):
        return None
    place = urlsplit(uri)
    return (
        f"https://{region}.console.aws.amazon.com/s3/object/{place.netloc}"
        f"?region={region}&prefix={quote(place.path.lstrip('/'))}"
    )
