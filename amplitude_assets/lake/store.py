"""Read and write the lake, with one interface for a folder (`file://`) and S3 (`s3://`)."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import obstore
from filelock import FileLock
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, S3Store
from pydantic import ValidationError

from amplitude_assets.hours import HourRange, run_command
from amplitude_assets.lake import folder
from amplitude_assets.lake.layout import hour_of_key, manifest_key, manifests_prefix
from amplitude_assets.lake.manifest import LakeObject, Manifest, objects_of
from amplitude_assets.lake.s3 import S3Access, console_page, open_s3
from amplitude_assets.lake.s3_errors import Diagnosis, S3Location
from amplitude_assets.streams.gzip_stream import GzipError, read_pieces

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode

_READ_BYTES = 4 * 1024 * 1024
# Larger files are uploaded to S3 in parts of this size, which determines their ETag.
_PART_BYTES = 5 * 1024 * 1024
_LOCK = ".lock"  # replaces S3's conditional writes in a folder
_LOCK_SECONDS = 120.0  # held for milliseconds, unless its process is suspended
_UNFINISHED = re.compile(r"#\d+$")


class LakeError(Exception):
    """Reading or writing the lake failed. The message names the key and what to do.

    The message consists of `seen`, the problem, and `fix`, what to do about it (empty when
    unknown). `retryable` is false when a retry cannot succeed.
    """

    def __init__(self, seen: str, fix: str = "", *, retryable: bool = True) -> None:
        super().__init__(f"{seen}; {fix}" if fix else seen)
        self.seen = seen
        self.fix = fix
        self.retryable = retryable


class DamagedError(LakeError):
    """An object or a manifest of an hour is damaged or missing.

    Downloading the hour again repairs it.
    """


class Lake:
    """The object store under one URL, to which keys are relative. Thread-safe."""

    def __init__(self, url: str, s3: S3Access | None = None, setting: str = "LAKE_URL") -> None:
        """Open the lake at the URL of `setting`, without reading; a missing folder is created.

        Raises LakeError when the URL is not `file://` or `s3://`, or the folder cannot be created.
        """
        self.url = url.rstrip("/")
        self._location: S3Location | None = None
        parts = urlsplit(self.url)
        self._store: LocalStore | S3Store
        self._attributes: dict[str, str] | None = None
        self._folder: Path | None = None
        if parts.scheme == "file":
            self._folder = Path(unquote(parts.path))
            self._store = _open_folder(self._folder, setting)
        elif parts.scheme == "s3" and s3 is not None:
            self._store = open_s3(parts.netloc, parts.path.strip("/"), s3)
            self._location = S3Location(setting, parts.netloc, s3)
            if s3.storage_class:
                self._attributes = {"Storage-Class": s3.storage_class}
        else:
            raise LakeError(f"{setting} {url} is neither file:///folder nor s3://bucket/prefix")

    def uri(self, key: str) -> str:
        """Return the full URL of a key, for messages."""
        return f"{self.url}/{key}"

    def page(self, key: str) -> str | None:
        """Return the URL of a key in the AWS console, or None when it is not stored in AWS."""
        return console_page(self.uri(key), self._location.access) if self._location else None

    def put_object(self, item: LakeObject, path: Path) -> bool:
        """Upload a file unless its object exists with the same bytes. Return whether it was sent.

        Large files are uploaded in concurrent parts, and S3 verifies the SHA-256 of each. In a
        folder the file is hard-linked if possible, which is safe because neither name is written
        to again. A damaged object is replaced. Raises LakeError.
        """
        held = self._head(item.key)
        if held is not None:
            if self._has_bytes_of(held, item, path):
                return False
            if _sha256(_pieces_of(path)) != item.sha256:
                raise LakeError(
                    f"{path} is damaged, and so is {self.uri(item.key)}, which it should replace",
                    _refetch(item.key),
                )
        with self._translated("write", item.key):
            if self._folder is None:
                obstore.put(
                    self._store,
                    item.key,
                    path,
                    attributes=self._attributes,
                    chunk_size=_PART_BYTES,
                )
            else:
                folder.place(path, self._folder / item.key)
        return True

    def is_intact(self, item: LakeObject) -> bool:
        """Read an object, and return whether its bytes match the digest that it is named by."""
        try:
            return self.sha256(item.key) == item.sha256
        except LakeError:
            return False

    def _has_bytes_of(self, held: "ObjectMeta", item: LakeObject, path: Path) -> bool:
        """Return whether an object has the bytes of a file.

        S3's ETag answers this without reading the object, unless it is encrypted with a KMS key.
        """
        if held["size"] != item.bytes:
            return False
        has_its_etag = self._folder is None and held["e_tag"] == _etag_of(path)
        return has_its_etag or self.is_intact(item)

    def sha256(self, key: str) -> str:
        """Read an object, and return its SHA-256 in hexadecimal. Raises LakeError."""
        return _sha256(self.get_object(key))

    def get_object(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes in chunks of a few megabytes.

        Raises DamagedError when the object is missing, and LakeError.
        """
        try:
            with self._translated("read", key):
                for piece in obstore.get(self._store, key).stream(min_chunk_size=_READ_BYTES):
                    yield bytes(piece)
        except FileNotFoundError:
            raise self.damaged(key, "is named by a manifest but is not in the lake") from None

    @contextmanager
    def unpacking(self, key: str) -> Iterator[None]:
        """Convert a gzip error in the block into DamagedError of `key`."""
        try:
            yield
        except GzipError as error:
            raise self.damaged(key, f"is not a whole gzip file: {error}") from None

    def damaged(self, key: str, what: str) -> DamagedError:
        """Return the error of a damaged object: its URI, then `what`, and how to repair it."""
        return DamagedError(f"{self.uri(key)} {what}", _refetch(key))

    def write_manifest(self, manifest: Manifest, *, over: str | None = None) -> bool:
        """Commit an hour. Every object that the manifest names must exist already.

        `over` is the version of the manifest to replace, from `read_manifest_version`; None when
        the hour has none. Returns False, and writes nothing, when that version is not the current
        one any more. Raises LakeError.
        """
        key = manifest_key(manifest.project_id, manifest.export_hour)
        data = manifest.to_json().encode()
        if self._folder is not None:
            with self._translated("write", manifests_prefix(manifest.project_id)):
                for objects in {Path(item.key).parent for item in objects_of(manifest)}:
                    folder.sync_folder(self._folder / objects)
                with FileLock(self._folder / _LOCK, timeout=_LOCK_SECONDS):
                    held = self._head(key)
                    if (held["e_tag"] if held else None) != over:
                        return False
                    folder.write(data, self._folder / key)
            return True
        mode: PutMode = "create"
        if over is not None:
            mode = {"e_tag": over}
        try:
            with self._translated("write", key):
                obstore.put(self._store, key, data, mode=mode)
        except (AlreadyExistsError, PreconditionError):
            return False
        return True

    def read_manifest(self, project_id: int, hour: datetime) -> Manifest | None:
        """Return an hour's manifest, or None when the hour was never committed.

        Raises DamagedError when it is not a valid manifest of the hour, and LakeError.
        """
        found = self._manifest_bytes(project_id, hour)
        return self._parsed(found[0], project_id, hour) if found else None

    def read_manifest_version(
        self, project_id: int, hour: datetime
    ) -> tuple[Manifest | None, str | None]:
        """Return an hour's manifest and its version, the store's ETag.

        The manifest is None when it is missing or damaged, the version only when it is missing.
        Raises LakeError.
        """
        found = self._manifest_bytes(project_id, hour)
        if found is None:
            return None, None
        data, version = found
        try:
            return self._parsed(data, project_id, hour), version
        except DamagedError:
            return None, version

    def _manifest_bytes(self, project_id: int, hour: datetime) -> tuple[bytes, str | None] | None:
        key = manifest_key(project_id, hour)
        try:
            with self._translated("read", key):
                found = obstore.get(self._store, key)
                return bytes(found.bytes()), found.meta["e_tag"]
        except FileNotFoundError:
            return None

    def _parsed(self, data: bytes, project_id: int, hour: datetime) -> Manifest:
        key = manifest_key(project_id, hour)
        try:
            manifest = Manifest.model_validate_json(data)
        except ValidationError as error:
            problems = f"is damaged ({error.error_count()} problems, {len(data):,} bytes)"
            raise self.damaged(key, problems) from None
        if (manifest.project_id, manifest.export_hour) != (project_id, hour):
            raise self.damaged(key, "is the manifest of another hour")
        return manifest

    def write(self, key: str, data: bytes | Path) -> None:
        """Write bytes, or a file's content, to a mutable key, replacing its object.

        Event files are immutable: use `put_object` for them. Raises LakeError.
        """
        with self._translated("write", key):
            if self._folder is None:
                obstore.put(self._store, key, data)
            else:
                folder.write(data, self._folder / key)

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Yield every key under a prefix, in no particular order. Raises LakeError."""
        with self._translated("list", prefix):
            for page in obstore.list(self._store, prefix):
                yield from (entry["path"] for entry in page)

    def delete(self, key: str) -> None:
        """Delete one object. Only privacy and `doctor` do this. Raises LakeError."""
        with self._translated("delete", key):
            obstore.delete(self._store, key)

    def sweep(self, before: datetime) -> int:
        """Delete temporary files that crashed writers left in a folder before `before` (aware).

        Returns the number of files. In S3, an unfinished upload is not an object, and a lifecycle
        rule of the bucket aborts it. Raises LakeError.
        """
        if self._folder is None:
            return 0
        old = [
            path
            for path in self._folder.rglob("*")
            # obstore writes to the key with `#` and a number, then renames; keys contain no `#`.
            if _UNFINISHED.search(path.name) and path.stat().st_mtime < before.timestamp()
        ]
        with self._translated("clear", ""):
            for path in old:
                path.unlink(missing_ok=True)
        return len(old)

    def _head(self, key: str) -> "ObjectMeta | None":
        """Return an object's metadata, or None when it does not exist."""
        try:
            with self._translated("look at", key):
                return self._head_with_reason(key)
        except FileNotFoundError:
            return None

    def _head_with_reason(self, key: str) -> "ObjectMeta":
        try:
            return obstore.head(self._store, key)
        except BaseError as error:
            if "non-2xx" in str(error):
                # S3 gives the reason in the body, which a response to HEAD lacks, and to GET has.
                obstore.get_range(self._store, key, start=0, length=1)
            raise

    @contextmanager
    def _translated(self, verb: str, key: str) -> Iterator[None]:
        """Convert the store's errors into LakeError, in one line that names the key.

        Reading a missing object still raises FileNotFoundError, and a conditional write still
        raises obstore's errors.
        """
        try:
            yield
        except (AlreadyExistsError, PreconditionError):
            raise
        except (BaseError, OSError) as error:
            gone = isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error)
            if gone and verb in ("read", "look at"):
                raise
            diagnosis = self._diagnose(error)
            seen = f"cannot {verb} {self.uri(key)}: {diagnosis.reason}"
            raise LakeError(seen, diagnosis.fix, retryable=diagnosis.retryable) from None

    def _diagnose(self, error: Exception) -> Diagnosis:
        if self._location is not None:
            return self._location.explain(error)
        return Diagnosis(str(error).splitlines()[0])


def _refetch(key: str) -> str:
    """Return the command that repairs a key's hour; empty for a key outside of hours."""
    hour = hour_of_key(key)
    return f"download the hour again: {run_command(HourRange(hour, hour))}" if hour else ""


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from read_pieces(file)


def _sha256(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _etag_of(path: Path) -> str:
    """Return the ETag that S3 computes for a file uploaded by `put_object`.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    with path.open("rb") as file:
        parts = [
            hashlib.md5(part, usedforsecurity=False).digest()
            for part in iter(lambda: file.read(_PART_BYTES), b"")
        ]
    if len(parts) <= 1:
        return f'"{b"".join(parts).hex()}"'
    return f'"{hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"'


def _open_folder(folder: Path, setting: str) -> LocalStore:
    try:
        return LocalStore(prefix=folder, mkdir=True)
    except (BaseError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise LakeError(f"cannot create the folder {folder} of {setting}: {reason}") from None
