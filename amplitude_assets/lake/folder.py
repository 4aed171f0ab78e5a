"""Write files of a `file://` lake durably: bytes are synced to disk before the rename.

After a power failure a file is either complete or absent.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


def place(path: Path, target: Path) -> None:
    """Hard-link `path` to `target`, or copy it where that is impossible, such as across disks.

    The directory entry is durable after `sync_folder`. Raises OSError.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
    with _unfinished(target) as unfinished:
        try:
            os.link(path, unfinished)
        except OSError:
            with path.open("rb") as source, _synced(unfinished) as copy:
                shutil.copyfileobj(source, copy)


def write(data: bytes | Path, target: Path) -> None:
    """Write bytes, or a copy of a file, to `target`, replacing it atomically. Raises OSError."""
    with _unfinished(target) as unfinished, _synced(unfinished) as file:
        if isinstance(data, bytes):
            file.write(data)
        else:
            with data.open("rb") as source:
                shutil.copyfileobj(source, file)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to disk. Raises OSError."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, and rename it to `target` if the block succeeds."""
    _make(target.parent)
    # The pattern of obstore's own temporary files: it omits them from lists; `sweep` finds them.
    unfinished = target.with_name(f"{target.name}#{uuid4().int}")
    try:
        yield unfinished
        unfinished.replace(target)
    finally:
        # If both paths are already links to one file, the rename does nothing.
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


@contextmanager
def _synced(path: Path) -> Iterator[BinaryIO]:
    with path.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _make(folder: Path) -> None:
    """Create a folder and its parents, and sync each new entry to disk."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
