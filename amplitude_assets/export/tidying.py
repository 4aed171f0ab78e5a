"""Delete from the landing area: finished hours, old files, and leftovers of crashed processes."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from amplitude_assets.export.landing import DELIVERY, FILES, Landing, recorded_delivery
from amplitude_assets.streams.part_files import PART_SUFFIX, disk_errors

_TRASH = ".trash-"
_LEFTOVER_AGE = timedelta(days=1)


def clear(landing: Landing, hours: Iterable[datetime]) -> None:
    """Delete the folders of these hours, and zips that no other hour needs. Raises DiskError."""
    zips = set()
    for hour in hours:
        record = recorded_delivery(landing.hour_folder(hour))
        if record is not None and record.zip is not None:
            zips.add(record.zip)
        _remove_folder(landing.hour_folder(hour))
    for name in zips - _zips_in_use(landing):
        _remove_file(landing.zips / name)


def remove_all(landing: Landing) -> None:
    """Delete everything. Hours that are not in the lake yet must be downloaded again.

    Raises DiskError.
    """
    for folder in _entries(landing.hours):
        _remove_folder(folder)
    for path in _entries(landing.zips):
        _remove_file(path)


def sweep(landing: Landing, keep_after: datetime) -> None:
    """Delete hours and zips not modified since `keep_after`, and leftovers of crashed processes.

    `keep_after` is aware. A zip stays, whatever its age, while an hour refers to it. Raises
    DiskError.
    """
    for folder in _entries(landing.hours):
        if _touched(folder) < keep_after:
            _remove_folder(folder)
    in_use = _zips_in_use(landing)
    for path in _entries(landing.zips):
        if path.suffix == ".zip" and path.name not in in_use and _modified(path) < keep_after:
            _remove_file(path)
    _remove_leftovers(landing)


def _zips_in_use(landing: Landing) -> set[str]:
    records = (recorded_delivery(folder) for folder in _entries(landing.hours))
    return {record.zip for record in records if record and record.zip}


def _remove_folder(folder: Path) -> None:
    """Delete an hour's folder atomically: other processes never see a part of it."""
    trash = folder.with_name(f"{_TRASH}{uuid4().hex}")
    with disk_errors(folder.parent), suppress(FileNotFoundError):
        folder.rename(trash)
        shutil.rmtree(trash)


def _remove_file(path: Path) -> None:
    with disk_errors(path.parent):
        path.unlink(missing_ok=True)


def _remove_leftovers(landing: Landing) -> None:
    """Delete temporary files and folders that crashed processes left behind."""
    long_ago = datetime.now(UTC) - _LEFTOVER_AGE
    for folder in _entries(landing.hours):
        if folder.name.startswith(_TRASH):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in (landing.zips, *_entries(landing.hours)):
        for path in _entries(folder):
            if path.suffix == PART_SUFFIX and _modified(path) < long_ago:
                _remove_file(path)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _modified(path: Path) -> datetime:
    """Return when a path was last modified (UTC); now, if it has been deleted meanwhile."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return datetime.now(UTC)


def _touched(folder: Path) -> datetime:
    """Return when an hour's folder, or one of its records, was last modified (UTC)."""
    paths = [folder, folder / DELIVERY, folder / FILES]
    return max((_modified(path) for path in paths if path.exists()), default=datetime.now(UTC))
