"""Write bronze directly into a DuckDB file, in the format of the loader.

For tests of the dbt project, which need only hours and lines, without an export and a lake.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

import amplitude_assets.warehouse

Line = bytes | str | Mapping[str, Any]

_TABLES = Path(amplitude_assets.warehouse.__file__).parent / "duckdb" / "sql" / "bronze_tables.sql"
_LOADED_AT = datetime(2026, 1, 1)


def create_bronze(con: duckdb.DuckDBPyConnection) -> None:
    """Create missing bronze tables."""
    con.execute(_TABLES.read_text())


def load_hours(
    con: duckdb.DuckDBPyConnection,
    hours: Mapping[datetime, Sequence[Line]],
    project_id: int = 100011,
    load_id: str = "load-1",
) -> None:
    """Replace hours in bronze, as one load: their events, their bad lines and their ledger rows.

    A line is exported bytes or text, or a mapping that is converted to JSON. Lines that are not
    JSON objects are rejected, as in the loader. An hour without lines is empty. The zone of hours
    is dropped: bronze is UTC.
    """
    create_bronze(con)
    con.begin()
    for hour, lines in hours.items():
        _load_hour(
            con, hour.replace(tzinfo=None), [_text(line) for line in lines], project_id, load_id
        )
    con.commit()


def forget_hours(
    con: duckdb.DuckDBPyConnection, hours: Iterable[datetime], project_id: int = 100011
) -> None:
    """Delete hours from bronze and the ledger, as if they had never been requested."""
    for hour in hours:
        _delete_hour(con, hour.replace(tzinfo=None), project_id)


def _load_hour(
    con: duckdb.DuckDBPyConnection, hour: datetime, lines: list[str], project_id: int, load_id: str
) -> None:
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    source_object = f"{project_id}/{hour:%Y-%m-%dT%H}/{digest[:16]}.json.gz"
    events, rejected = [], []
    for number, line in enumerate(lines, start=1):
        key = (project_id, hour, source_object, number)
        if _is_object(line):
            events.append((*key, load_id, _LOADED_AT, line))
        else:
            rejected.append((*key, "not a JSON object", line))
    _delete_hour(con, hour, project_id)
    if events:
        con.executemany("insert into bronze.raw_events values (?, ?, ?, ?, ?, ?, ?)", events)
    if rejected:
        con.executemany("insert into bronze.rejected_lines values (?, ?, ?, ?, ?, ?)", rejected)
    con.execute(
        "insert into bronze.export_hours values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, null)",
        (
            project_id, hour, "loaded" if lines else "empty", 1 if lines else 0,
            sum(len(line) for line in lines), len(lines), len(rejected), digest, load_id,
            _LOADED_AT, _LOADED_AT,
        ),
    )  # fmt: skip


def _delete_hour(con: duckdb.DuckDBPyConnection, hour: datetime, project_id: int) -> None:
    for table in ("raw_events", "rejected_lines", "export_hours"):
        con.execute(
            f"delete from bronze.{table} where project_id = ? and export_hour = ?",
            (project_id, hour),
        )


def _text(line: Line) -> str:
    if isinstance(line, bytes):
        return line.decode()
    return line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
