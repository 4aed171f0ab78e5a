"""The store: puts and gets of the lake, the same for a folder (`file://`) and S3 (`s3://`)."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
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
from amplitude_assets.lake.s3 import S3Access, console_page, open_s3
from amplitude_assets.lake.s3_refusals import Asked, Refusal

_READ_BYTES = 4 * 1024 * 1024
_UNFINISHED = re.compile(r"#\d+$")


class LakeError(Exception):
    """The lake could not be read or written. The message names the key and what to look at.

    `seen` is the message without its end, `fix`: what to do, where that is known. It is not
    `retryable` when it is known that trying again does not help.
    """

    def __init__(self, seen: str, fix: str = "", *, retryable: bool = True) -> None:
        super().__init__(f"{seen}; {fix}" if fix else seen)
        self.seen = seen
        self.fix = fix
        self.retryable = retryable


class Lake:
    """The object store under one URL. Keys are relative to it. Safe to use from many threads."""

    def __init__(self, url: str, s3: S3Access | None = None, setting: str = "LAKE_URL") -> None:
        """Open the lake that a setting names; nothing is read yet, but a folder is made.

        Raises LakeError when the URL is not `file://` or `s3://`, or the folder cannot be made.
        """
        self.url = url.rstrip("/")
        self._asked: Asked | None = None
        parts = urlsplit(self.url)
        self._store: LocalStore | S3Store
        self._attributes: dict[str, str] | None = None
        self._folder: Path | None = None
        if parts.scheme == "file":
            self._folder = Path(unquote(parts.path))
            self._store = _open_folder(self._folder, setting)
        elif parts.scheme == "s3" and s3 is not None:
            self._store = open_s3(parts.netloc, parts.path.strip("/"), s3)
            self._asked = Asked(setting, parts.netloc, s3)
            if s3.storage_class:
                self._attributes = {"Storage-Class": s3.storage_class}
        else:
            raise LakeError(f"{setting} {url} is neither file:///folder nor s3://bucket/prefix")

    def uri(self, key: str) -> str:
        """Return the full address of a key, for people."""
        return f"{self.url}/{key}"

    def page(self, key: str) -> str | None:
        """Return the page of a key in the console of AWS; None where AWS does not hold it."""
        return console_page(self.uri(key), self._asked.access) if self._asked else None

    def put_object(self, item: LakeObject, path: Path) -> bool:
        """Send a file unless the object is already there. Return whether it was sent.

        A large file goes in parts, side by side. S3 checks each against its SHA-256 as it arrives.
        A key holds the digest of its bytes, so an object of the right size is the right object:
        both stores write under a temporary name or not at all. In a folder the file gets a second
        name if it can: neither it nor an object is ever written to again.
        """
        if self._size(item.key) == item.bytes:
            return False
        with self._explained("write", item.key):
            if self._folder is None or not _link(path, self._folder / item.key):
                obstore.put(self._store, item.key, path, attributes=self._attributes)
        return True

    def get_object(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes in pieces of some megabytes. Raises LakeError if it is gone."""
        try:
            with self._explained("read", key):
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
            with self._explained("read", key):
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
        with self._explained("write", key):
            obstore.put(self._store, key, data)

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Yield every key under a prefix, in no particular order."""
        with self._explained("list", prefix):
            for page in obstore.list(self._store, prefix):
                yield from (entry["path"] for entry in page)

    def delete(self, key: str) -> None:
        """Remove one object. Nothing in the pipeline does this but privacy and `doctor`."""
        with self._explained("delete", key):
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
        with self._explained("clear", ""):
            for path in old:
                path.unlink(missing_ok=True)
        return len(old)

    def _size(self, key: str) -> int | None:
        try:
            with self._explained("look at", key):
                return self._head(key)
        except FileNotFoundError:
            return None

    def _head(self, key: str) -> int:
        try:
            return obstore.head(self._store, key)["size"]
        except BaseError as error:
            if "non-2xx" in str(error):
                # The answer to a HEAD has no body, where S3 gives its reason; that to a GET has.
                obstore.get_range(self._store, key, start=0, length=1)
            raise

    @contextmanager
    def _explained(self, verb: str, key: str) -> Iterator[None]:
        """Turn the store's errors into one line that names the key.

        An object that is not there stays FileNotFoundError where there was one to be read.
        """
        try:
            yield
        except (BaseError, OSError) as error:
            gone = isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error)
            if gone and verb in ("read", "look at"):
                raise
            refusal = self._refusal(error)
            seen = f"cannot {verb} {self.uri(key)}: {refusal.reason}"
            raise LakeError(seen, refusal.fix, retryable=refusal.retryable) from None

    def _refusal(self, error: Exception) -> Refusal:
        if self._asked is not None:
            return self._asked.explain(error)
        return Refusal(str(error).splitlines()[0])


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


def _open_folder(folder: Path, setting: str) -> LocalStore:
    try:
        return LocalStore(prefix=folder, mkdir=True)
    except (BaseError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise LakeError(f"cannot make the folder {folder} of {setting}: {reason}") from None
