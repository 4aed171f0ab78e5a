"""One SQLAlchemy engine for each of Dagster's SQLite files, where Dagster makes one for each event.

An engine remembers the statements that it has compiled, and to compile them is a third of what an
event costs.
"""

from typing import TYPE_CHECKING, Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.sql import create_engine

if TYPE_CHECKING:
    from sqlalchemy import Engine

# Each run has a file of its own, and a long process many runs.
_MOST = 16
_engines: dict[str, "Engine"] = {}


def keep_engines() -> None:
    """Have the storages of this process ask here for their engines.

    The name is private to Dagster, whose version is pinned.
    """
    for module in (sqlite_event_log, sqlite_run_storage):
        setattr(module, "create_engine", _engine_of)  # noqa: B010


def _engine_of(url: str, **options: Any) -> "Engine":
    """Return the engine of a file. Dagster's options are always the same, and ask for no pool."""
    engine = _engines.get(url)
    if engine is None:
        if len(_engines) >= _MOST:
            _engines.clear()
        engine = _engines[url] = create_engine(url, **options)
    return engine
