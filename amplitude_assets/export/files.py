"""Files that are there whole or not at all: written under a temporary name, then renamed."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from isal import isal_zlib

from amplitude_assets.export.errors import DiskError

PART_SUFFIX = ".part"


class PartFile:
    """A file under a temporary name in `folder`, which is made if need be.

    It knows its size and checksum as it grows. Used in a `with` block: what was not published by
    its end is removed. Every method raises DiskError when the disk says no.
    """

    def __init__(self, folder: Path) -> None:
        """Open an empty file whose name no other process chooses."""
        self._folder = folder
        self._crc32 = 0
        self.bytes = 0
        self.path = folder / f".{uuid4().hex}{PART_SUFFIX}"
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb")

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, and remove it if it was not published."""
        with suppress(OSError):  # closing flushes, and a full disk has been told of before
            self._file.close()
        self.path.unlink(missing_ok=True)

    @property
    def crc32(self) -> str:
        """Return the checksum of what was written so far, in eight hexadecimal digits."""
        return f"{self._crc32:08x}"

    def write(self, data: bytes) -> int:
        """Add bytes to the end."""
        with disk_errors(self._folder):
            self._file.write(data)
        self._crc32 = isal_zlib.crc32(data, self._crc32)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Hand over to the system what is still in this process, so that others can read it."""
        with disk_errors(self._folder):
            self._file.flush()

    def publish(self, name: str, *, durable: bool = False) -> Path:
        """Give the file its name, in place of one that has it already, and return its path.

        A `durable` file is on the disk before its name is, so a power cut leaves no torn one.
        """
        final = self._folder / name
        with disk_errors(self._folder):
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
            self._file.close()
            self.path.replace(final)
        return final


class HashedPartFile(PartFile):
    """A part file that knows its sha256 too, which for large files is a good part of the time."""

    def __init__(self, folder: Path) -> None:
        """Do what PartFile does."""
        super().__init__(folder)
        self._sha256 = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Return the digest of what was written so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def write(self, data: bytes) -> int:
        """Add bytes to the end."""
        self._sha256.update(data)
        return super().write(data)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn the system's refusals in a block that writes in `folder` into DiskError."""
    try:
        yield
    except OSError as error:
        raise DiskError(folder, error.strerror or type(error).__name__) from error
