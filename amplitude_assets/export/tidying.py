"""What leaves the landing area: hours that are done with, what is old, and what crashes left."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from amplitude_assets.export.files import PART_SUFFIX, disk_errors
from amplitude_assets.export.landing import DELIVERY, FILES, Landing, recorded_delivery

_TRASH = ".trash-"
_LEFTOVER_AGE = timedelta(days=1)


def clear(landing: Landing, hours: Iterable[datetime]) -> None:
    """Remove all that is here for these hours, and zips that no other hour needs."""
    zips = set()
    for hour in hours:
        record = recorded_delivery(landing.hour_folder(hour))
        if record is not None and record.zip is not None:
            zips.add(record.zip)
        _remove_folder(landing.hour_folder(hour))
    for name in zips - _zips_in_use(landing):
        _remove_file(landing.zips / name)


def remove_all(landing: Landing) -> None:
    """Remove everything. It can be fetched again; what is on its way has to be."""
    for folder in _entries(landing.hours):
        _remove_folder(folder)
    for path in _entries(landing.zips):
        _remove_file(path)


def sweep(landing: Landing, keep_after: datetime) -> None:
    """Remove hours and zips last touched before `keep_after`, and what crashes left behind.

    A zip that a remaining hour points to stays, whatever its age.
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
    """Remove an hour's folder in one step, as others see it."""
    trash = folder.with_name(f"{_TRASH}{uuid4().hex}")
    with disk_errors(folder.parent), suppress(FileNotFoundError):
        folder.rename(trash)
        shutil.rmtree(trash)


def _remove_file(path: Path) -> None:
    with disk_errors(path.parent):
        path.unlink(missing_ok=True)


def _remove_leftovers(landing: Landing) -> None:
    """Remove temporary files and folders of processes that are long gone."""
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
    """Return when a path was last written; one that is gone counts as just written."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return datetime.now(UTC)


def _touched(folder: Path) -> datetime:
    """Return when an hour's folder, or one of its records, was last written."""
    paths = [folder, folder / DELIVERY, folder / FILES]
    return max((_modified(path) for path in paths if path.exists()), default=datetime.now(UTC))
