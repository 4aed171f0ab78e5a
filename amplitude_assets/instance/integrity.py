"""Find damaged SQLite files in Dagster's home, and rename them so that new ones are created."""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

REBUILD_FIX = (
    "amplitude-assets rebuild renames it and records again which hours are in bronze; only the run "
    "history is lost"
)
# Relative to the home: runs, the index of all events, and schedules.
_FILES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


class DamagedHomeError(Exception):
    """A file of Dagster's home cannot be read. The message names the file and the remedy."""


def damaged_files(home: Path) -> dict[Path, str]:
    """Return the damaged files of Dagster's home, each with SQLite's error."""
    files = (home / name for name in _FILES)
    found = {path: _damage(path) for path in files if path.exists()}
    return {path: damage for path, damage in found.items() if damage}


def describe_damage(damaged: Mapping[Path, str]) -> str:
    """Return one line that names each damaged file and its error."""
    return "; ".join(f"{path} is damaged: {what}" for path, what in damaged.items())


def set_aside(damaged: Mapping[Path, str]) -> list[Path]:
    """Rename damaged files and their logs, and return the new names. Raises OSError."""
    moved = []
    for path in damaged:
        aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        for end in ("", "-wal", "-shm"):
            old = path.with_name(path.name + end)
            if old.exists():
                old.rename(f"{aside}{end}")
        moved.append(aside)
    return moved


def _damage(path: Path) -> str:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)
        try:
            found = [row[0] for row in connection.execute("pragma quick_check(1)")]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == ["ok"] else "; ".join(found)
