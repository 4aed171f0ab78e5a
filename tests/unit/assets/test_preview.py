"""The preview shows the first events of an hour without personal data."""

import gzip
import json
from pathlib import Path

from amplitude_assets.assets.preview import preview_of

EVENT = {
    "event_time": "2026-09-01 05:00:01.000000",
    "event_type": "Signed Up",
    "platform": "iOS",
    "country": "India",
    "user_id": "ada@example.com",
    "device_id": "device-4711",
    "ip_address": "203.0.113.7",
    "amplitude_id": 987654321,
    "city": "Pune",
    "event_properties": {"email": "ada@example.com", "plan": "platinum"},
    "user_properties": {"name": "Ada"},
}


def write_events(folder: Path, *events: dict[str, object]) -> list[Path]:
    path = folder / "part.json.gz"
    path.write_bytes(gzip.compress(b"".join(json.dumps(e).encode() + b"\n" for e in events)))
    return [path]


def test_it_masks_identifiers(tmp_path: Path) -> None:
    table = preview_of(write_events(tmp_path, EVENT))
    assert table.splitlines()[2] == (
        "| `2026-09-01 05:00:01.000000` | `Signed Up` | `iOS` | `India` | ••• | ••• | ••• | 2 |"
    )
    for personal in ("ada@", "4711", "203.0", "987654321", "Pune", "platinum", "Ada"):
        assert personal not in table


def test_a_missing_identifier_is_blank(tmp_path: Path) -> None:
    table = preview_of(write_events(tmp_path, EVENT | {"user_id": None}))
    assert "| `India` |  | ••• | ••• | 2 |" in table


def test_it_reads_only_the_first_events_of_all_files(tmp_path: Path) -> None:
    paths = write_events(tmp_path, EVENT, EVENT) * 3
    assert len(preview_of(paths, events=3).splitlines()) == 2 + 3


def test_a_hostile_name_stays_in_its_cell(tmp_path: Path) -> None:
    hostile = "a | b\n<img src=x onerror=alert(1)> [x](javascript:1)"
    row = preview_of(write_events(tmp_path, EVENT | {"event_type": hostile})).splitlines()[2]
    assert row.startswith(
        "| `2026-09-01 05:00:01.000000` | `a ¦ b <img src=x onerror=alert(1)> [x](j…` |"
    )


def test_an_empty_hour_gives_a_sentence() -> None:
    assert preview_of([]) == "No events in this hour."
