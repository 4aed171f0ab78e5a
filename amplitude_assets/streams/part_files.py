"""Write files atomically: under a temporary name, renamed when complete."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from isal import isal_zlib

PART_SUFFIX = ".part"


class DiskError(Exception):
    """A folder cannot be written: the disk is full, or permission is missing."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"cannot write in {folder}: {reason}; free disk space, make the folder writable, "
            "or set DATA_DIR to another folder"
        )
        self.folder = folder
        self.reason = reason

    def __reduce__(self) -> tuple[type["DiskError"], tuple[Path, str]]:
        return type(self), (self.folder, self.reason)


class PartFile:
    """A file under a temporary name in `folder`, which is created if needed.

    It tracks its size and checksum while it is written. Use it in a `with` block, which deletes
    the file unless it is published. Every method raises DiskError when writing fails.
    """

    def __init__(self, folder: Path) -> None:
        """Open an empty file with a unique name."""
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
        """Close the file, and delete it if it was not published."""
        with suppress(OSError):  # closing flushes; a write has already reported a full disk
            self._file.close()
        self.path.unlink(missing_ok=True)

    @property
    def crc32(self) -> str:
        """The CRC-32 of the bytes written so far, in eight hexadecimal digits."""
        return f"{self._crc32:08x}"

    def write(self, data: bytes) -> int:
        """Add bytes to the end."""
        with disk_errors(self._folder):
            self._file.write(data)
        self._crc32 = isal_zlib.crc32(data, self._crc32)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Flush Python's buffer to the operating system, so that other readers see all bytes."""
        with disk_errors(self._folder):
            self._file.flush()

    def publish(self, name: str, *, durable: bool = False) -> Path:
        """Rename the file to `name`, replacing an existing file, and return its path.

        A `durable` file is synced to disk before the rename, so a power failure cannot truncate it.
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
    """A part file that also computes its SHA-256, which takes much of the time for large files."""

    def __init__(self, folder: Path) -> None:
        """See `PartFile`."""
        super().__init__(folder)
        self._sha256 = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes written so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def write(self, data: bytes) -> int:
        """Add bytes to the end."""
        self._sha256.update(data)
        return super().write(data)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Convert OSError in the block, which writes in `folder`, into DiskError."""
    try:
        yield
    except OSError as error:
        raise DiskError(folder, error.strerror or type(error).__name__) from error
