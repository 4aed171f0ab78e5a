"""The store: puts and gets of the lake, the same for a folder (`file://`) and S3 (`s3://`)."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store
from pydantic import ValidationError

from amplitude_assets.gzip_stream import GzipError
from amplitude_assets.hours import format_hour
from amplitude_assets.lake.layout import manifest_key
from amplitude_assets.lake.manifest import LakeObject, Manifest

if TYPE_CHECKING:
    import boto3

_READ_BYTES = 4 * 1024 * 1024
# How long keys are used before boto3 is asked again. It replaces those of a role or of SSO ten
# minutes before they expire, so what it gives is good for that long, and no longer for certain.
_KEYS_HELD = timedelta(minutes=10)
# What S3's answers mean, by a sign in them; the first that fits.
_REASONS = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "AWS does not know this access key",
    "SignatureDoesNotMatch": "the secret key is not the one of the access key",
    "ExpiredToken": "the credentials have expired; sign in to AWS again",
    "incorrectly configured region": "the bucket is in another region; set AWS_REGION to it",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set AWS_REGION to it",
    "AccessDenied": "access denied: these credentials lack the right",
    "403 Forbidden": "access denied: these credentials lack the right",
}
_UNFINISHED = re.compile(r"#\d+$")


class LakeError(Exception):
    """The lake could not be read or written. The message names the key and what to look at."""


@dataclass(frozen=True, repr=False)
class S3Access:
    """How to reach S3: a boto3 session for credentials and region, and an endpoint if not AWS's.

    `encryption` is what S3 is asked to encrypt with (`AES256` or `aws:kms`) and `kms_key_id` the
    key, by default the bucket's own choice. `storage_class` is for the files of events; manifests
    are small and read often. It has no repr, because the session may hold keys.
    """

    session: "boto3.session.Session"
    endpoint_url: str | None = None
    encryption: str | None = None
    kms_key_id: str | None = None
    storage_class: str | None = None


class Lake:
    """The object store under one URL. Keys are relative to it. Safe to use from many threads."""

    def __init__(self, url: str, s3: S3Access | None = None) -> None:
        """Open the lake; nothing is read or written yet, but a folder is made.

        Raises LakeError when the URL is not `file://` or `s3://`, the folder cannot be made, or
        there are no AWS credentials.
        """
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._store: LocalStore | S3Store
        self._attributes: dict[str, str] | None = None
        self._folder: Path | None = None
        if parts.scheme == "file":
            self._folder = Path(unquote(parts.path))
            self._store = _open_folder(self._folder)
        elif parts.scheme == "s3" and s3 is not None:
            self._store = _open_s3(parts.netloc, parts.path.strip("/"), s3)
            if s3.storage_class:
                self._attributes = {"Storage-Class": s3.storage_class}
        else:
            raise LakeError(f"LAKE_URL {url} is neither file:///folder nor s3://bucket/prefix")

    def uri(self, key: str) -> str:
        """Return the full address of a key, for people."""
        return f"{self.url}/{key}"

    def put_object(self, item: LakeObject, path: Path) -> bool:
        """Send a file unless the object is already there. Return whether it was sent.

        A large file goes in parts, side by side. S3 checks each against its SHA-256 as it arrives.
        A key holds the digest of its bytes, so an object of the right size is the right object:
        both stores write under a temporary name or not at all. In a folder the file gets a second
        name if it can: neither it nor an object is ever written to again.
        """
        if self._size(item.key) == item.bytes:
            return False
        with _explained("write", self.uri(item.key)):
            if self._folder is None or not _link(path, self._folder / item.key):
                obstore.put(self._store, item.key, path, attributes=self._attributes)
        return True

    def get_object(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes in pieces of some megabytes. Raises LakeError if it is gone."""
        try:
            with _explained("read", self.uri(key)):
                for piece in obstore.get(self._store, key).stream(min_chunk_size=_READ_BYTES):
                    yield bytes(piece)
        except FileNotFoundError:
            raise LakeError(
                f"{self.uri(key)} is named by a manifest but is not in the lake; "
                "materialise s3_event_objects for its hour to send it again"
            ) from None

    @contextmanager
    def unpacking(self, key: str) -> Iterator[None]:
        """Turn a broken gzip stream into LakeError that names the key it was read from, or for."""
        try:
            yield
        except GzipError as error:
            raise LakeError(f"{self.uri(key)} is no whole gzip file: {error}") from None

    def write_manifest(self, manifest: Manifest) -> None:
        """Commit an hour. Every object the manifest names has to be there already."""
        key = manifest_key(manifest.project_id, manifest.export_hour)
        self.write(key, manifest.to_json().encode())

    def read_manifest(self, project_id: int, hour: datetime) -> Manifest | None:
        """Return an hour's manifest, or None when the hour was never committed."""
        key = manifest_key(project_id, hour)
        try:
            with _explained("read", self.uri(key)):
                data = bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            return None
        try:
            return Manifest.model_validate_json(data)
        except ValidationError as error:
            raise LakeError(
                f"{self.uri(key)} is not a manifest ({error.error_count()} problems); "
                f"materialise s3_event_objects for {format_hour(hour)} to write it anew"
            ) from None

    def write(self, key: str, data: bytes | Path) -> None:
        """Write bytes, or a file's, under a key that is not named by them, in place of any there.

        Events are never written so: see `put_object`.
        """
        with _explained("write", self.uri(key)):
            obstore.put(self._store, key, data)

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Yield every key under a prefix, in no particular order."""
        with _explained("list", self.uri(prefix)):
            for page in obstore.list(self._store, prefix):
                yield from (entry["path"] for entry in page)

    def delete(self, key: str) -> None:
        """Remove one object. Nothing in the pipeline does this but privacy and `doctor`."""
        with _explained("delete", self.uri(key)):
            obstore.delete(self._store, key)

    def sweep(self, before: datetime) -> int:
        """Remove what writers that ended too early left in a folder before a time (aware).

        Returns the number of files. In S3 what is unfinished is no object: a lifecycle rule of the
        bucket ends such uploads.
        """
        if self._folder is None:
            return 0
        old = [
            path
            for path in self._folder.rglob("*")
            # obstore writes under the key with `#` and a number, and renames; no key holds a `#`.
            if _UNFINISHED.search(path.name) and path.stat().st_mtime < before.timestamp()
        ]
        with _explained("clear", self.url):
            for path in old:
                path.unlink(missing_ok=True)
        return len(old)

    def _size(self, key: str) -> int | None:
        try:
            with _explained("look at", self.uri(key)):
                return obstore.head(self._store, key)["size"]
        except FileNotFoundError:
            return None


@contextmanager
def _explained(verb: str, uri: str) -> Iterator[None]:
    """Turn the store's errors into one line that names the key.

    An object that is not there stays FileNotFoundError where there was one to be read.
    """
    try:
        yield
    except (BaseError, OSError) as error:
        if isinstance(error, FileNotFoundError) and verb in ("read", "look at"):
            raise
        raise LakeError(f"cannot {verb} {uri}: {_reason(error)}") from None


def _link(path: Path, target: Path) -> bool:
    """Give a file a second name, or return False where that cannot be: on another disk, say."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Named as obstore names what is unfinished, so that `sweep` finds it.
    unfinished = target.with_name(f"{target.name}#{uuid4().int}")
    try:
        os.link(path, unfinished)
    except OSError:
        return False
    try:
        unfinished.replace(target)
    finally:
        # Both may be names of one file already, and then replacing one by the other does nothing.
        unfinished.unlink(missing_ok=True)
    return True


def _reason(error: Exception) -> str:
    """Say in a few words why the store refused, from what S3 answered where it is known."""
    said = str(error)
    known = (words for sign, words in _REASONS.items() if sign in said)
    return next(known, said.splitlines()[0])


def _open_folder(folder: Path) -> LocalStore:
    try:
        return LocalStore(prefix=folder, mkdir=True)
    except (BaseError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise LakeError(f"cannot make the folder {folder} of LAKE_URL: {reason}") from None


def _open_s3(bucket: str, prefix: str, access: S3Access) -> S3Store:
    from obstore.auth.boto3 import Boto3CredentialProvider

    config = {"checksum_algorithm": "sha256"}
    if access.encryption:
        config["server_side_encryption"] = access.encryption
    if access.kms_key_id:
        # A bucket key: one request to KMS for many objects.
        config |= {"sse_kms_key_id": access.kms_key_id, "sse_bucket_key_enabled": "true"}
    if access.session.region_name:
        config["region"] = access.session.region_name
    plain_http = False
    if access.endpoint_url:
        config["endpoint"] = access.endpoint_url
        plain_http = access.endpoint_url.startswith("http://")
    if access.session.get_credentials() is None:
        raise LakeError(
            f"no AWS credentials were found for s3://{bucket}; sign in as for every AWS tool: "
            "aws configure, AWS_PROFILE, AWS_ACCESS_KEY_ID, or the role of the machine"
        )
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,  # type: ignore[arg-type]
        client_options={"allow_http": plain_http},
        credential_provider=Boto3CredentialProvider(access.session, ttl=_KEYS_HELD),
    )
