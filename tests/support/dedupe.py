"""The two rules of deduplication in plain Python, as the reference for the dbt models.

Rule 1: one line per uuid, the first by (server_upload_time, source_object, source_line). Rule 2: of
these, one per project, device and insert_id within seven days of the kept one, again the first.
"""

import json
from datetime import datetime, timedelta
from typing import Any

import duckdb

from tests.oracle.events import identifier

SEVEN_DAYS = timedelta(days=7)

# Of each line (project, hour, object, number): the kept uuid and the reason, or None for an event.
Verdicts = dict[tuple[Any, ...], tuple[str, str] | None]


def recorded(con: duckdb.DuckDBPyConnection) -> Verdicts:
    """Return silver's decision on every line."""
    line = "project_id, export_hour, source_object, source_line"
    events = con.execute(f"select {line} from silver.events").fetchall()
    dropped = con.execute(
        f"select {line}, kept_uuid, reason from silver.event_duplicates"
    ).fetchall()
    verdicts: Verdicts = dict.fromkeys(events)
    for *key, kept_uuid, reason in dropped:
        assert tuple(key) not in verdicts, f"{key} is both an event and a duplicate"
        verdicts[tuple(key)] = (kept_uuid, reason)
    assert len(verdicts) == len(events) + len(dropped)
    return verdicts


def expected(con: duckdb.DuckDBPyConnection) -> Verdicts:
    """Return the rules' decision on every line in bronze."""
    lines = [
        (key, json.loads(event))
        for *key, event in con.execute(
            "select project_id, export_hour, source_object, source_line, event"
            " from bronze.raw_events"
        ).fetchall()
    ]
    # A line without a uuid gets one from its content. Silver's is used: it is tested elsewhere.
    uuids = {
        tuple(key): uuid
        for *key, uuid in con.execute(
            "select project_id, export_hour, source_object, source_line, uuid"
            " from silver.exported_events"
        ).fetchall()
    }
    verdicts: Verdicts = {}
    first_copies: dict[tuple[int, str], tuple[Any, ...]] = {}
    windows: dict[tuple[object, ...], tuple[datetime, str]] = {}
    answers: dict[tuple[int, str], str] = {}
    for key, event in sorted(lines, key=lambda line: _arrival(*line)):
        project_id, uuid = key[0], uuids[tuple(key)]
        if (project_id, uuid) in first_copies:
            verdicts[tuple(key)] = (answers[project_id, uuid], "same_uuid")
            continue
        first_copies[project_id, uuid] = tuple(key)
        answers[project_id, uuid] = uuid
        verdicts[tuple(key)] = None
        insert_id = identifier(event["$insert_id"])
        if insert_id is None:
            continue
        window = (project_id, identifier(event["device_id"]), insert_id)
        uploaded = _arrival(key, event)[0]
        if window in windows and uploaded - windows[window][0] <= SEVEN_DAYS:
            answers[project_id, uuid] = windows[window][1]
            verdicts[tuple(key)] = (answers[project_id, uuid], "insert_id_7d")
        else:
            windows[window] = (uploaded, uuid)
    return verdicts


def _arrival(key: list[Any], event: dict[str, Any]) -> tuple[datetime, str, int]:
    uploaded = event.get("server_upload_time")
    return (datetime.fromisoformat(uploaded) if uploaded else key[1], key[2], key[3])
