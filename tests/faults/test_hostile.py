"""Hostile values in events pass through bronze and every model as data."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from amplitude_assets.emulator import PROJECT_ID, Member, World, WorldSettings, serve
from tests.faults.place import BAD, Place

TEXTS = [
    "'; drop table bronze.raw_events; --",
    '"; drop schema silver cascade; --',
    "{{ run_query('drop table bronze.raw_events') }}{% raw %}",
    "$$; drop table bronze.raw_events; $$",
    "../../../../etc/passwd",
    "/etc/cron.d/x",
    "a/b#c=d?e&f%2e%2e\\..\\",
    "\u0000 and \u0001 and \u001b[31m",
    "\u202etxt.exe \u2028\u2029\u0085\ufeff",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "%s %d ${HOME} $(id) `id`",
    "",
    "x" * 100_000,
]
ODD: list[Any] = [None, True, 0, -1, 1e308, 9223372036854775808, [], {}, [[["deep"]]], "NaN"]
COLUMNS = [
    "amplitude_id", "user_id", "device_id", "session_id", "event_id", "event_type", "event_time",
    "client_event_time", "server_upload_time", "insert_id", "event_properties", "user_properties",
    "groups", "group_properties", "data", "location_lat", "uuid", "version_name", "country",
]  # fmt: skip


class HostileWorld(World):
    """A world with one hour of events, each with one hostile value in one column."""

    def members(self, hour: datetime) -> Iterator[Member]:
        if hour == BAD:
            text = b"".join(json.dumps(event).encode() + b"\n" for event in events())
            name = f"{PROJECT_ID}/{PROJECT_ID}_{hour:%Y-%m-%d}_{hour.hour}#1.json.gz"
            yield Member(name, gzip.compress(text, mtime=0))
        else:
            yield from super().members(hour)


def events() -> Iterator[dict[str, Any]]:
    number = 0
    for column in COLUMNS:
        for value in [*TEXTS, *ODD]:
            number += 1
            yield event(number) | {column.replace("insert_id", "$insert_id"): value}
    for text in TEXTS[:-1]:
        number += 1
        yield event(number) | {
            "event_properties": {text: text, "$revenue": text, "a.b": {text: [text]}},
            "user_properties": {text: None},
            "groups": {text: [text]},
        }


def event(number: int) -> dict[str, Any]:
    time = f"{BAD:%Y-%m-%d %H}:{number % 60:02}:00.000000"
    return {
        "uuid": f"00000000-0000-4000-8000-{number:012}",
        "$insert_id": f"insert-{number}",
        "app": PROJECT_ID,
        "amplitude_id": 1_000 + number % 7,
        "device_id": f"device-{number % 7}",
        "user_id": None,
        "session_id": -1,
        "event_id": number,
        "event_type": "Viewed",
        "event_time": time,
        "client_event_time": time,
        "server_upload_time": time,
        "event_properties": {},
        "user_properties": {},
    }


def test_hostile_values_are_treated_as_data(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with serve(HostileWorld(WorldSettings(events_per_hour=60))) as emulator:
        place = Place(folder, emulator.base_url)
        outcome = place.run(models=True, data_tests=True)
    assert outcome.succeeded, outcome.reasons
    sent = sorted(json.dumps(sent) for sent in events())
    assert sorted(row[4] for row in place.bronze()[BAD]["raw_events"]) == sent
    (counted,) = place.query(
        "select (select count(*) from bronze.raw_events), (select count(*) from silver.events)"
        " + (select count(*) from silver.event_duplicates)"
    )
    assert counted[0] == counted[1] > len(sent)
    # No file outside the data folder, and no event value in a key or path.
    assert {path.name for path in tmp_path.iterdir()} == {"data"}
    lake = (path for path in place.files() if path.parts[0] == "lake")
    parts = {part for path in lake for part in path.parts[:-1]}
    assert parts == {"lake", "events", "manifests", str(PROJECT_ID), "2026-09-07", "09", "10", "11"}
