"""The first events of an hour as a small table for people, with personal data masked.

Only what an event is and where it came from is shown: its time, type, platform and country. Of
who it was nothing is shown but whether it was known, and of properties only their number.
"""

import gzip
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

_COLUMNS = ("event_time", "event_type", "platform", "country")
_MASKED = ("user_id", "device_id", "ip_address")
_MASK = "•••"
_LONGEST = 40


def preview_of(files: list[Path], events: int = 3) -> str:
    """Return the first events of an hour's files as a Markdown table; without any, a sentence.

    Lines of the files are JSON objects, as `Landing` leaves them. Raises OSError when a file
    cannot be read.
    """
    rows = [_row(event) for event in islice(_events(files), events)]
    if not rows:
        return "No events in this hour."
    columns = (*_COLUMNS, *_MASKED, "properties")
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in (columns, ("---",) * len(columns), *rows)
    )


def _events(files: list[Path]) -> Iterator[dict[str, Any]]:
    for path in files:
        with gzip.open(path, "rb") as lines:
            yield from map(orjson.loads, lines)


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    properties = event.get("event_properties")
    return (
        *(_cell(event.get(name)) for name in _COLUMNS),
        *(_MASK if event.get(name) else "" for name in _MASKED),
        str(len(properties)) if isinstance(properties, dict) else "",
    )


def _cell(value: object) -> str:
    """Write a value from data so that it stays inside its cell, whatever it holds."""
    if value is None:
        return ""
    text = " ".join(str(value).split())[:_LONGEST]
    return "".join(f"\\{mark}" if mark in "\\`*_{}[]()#+-.!|<>&~" else mark for mark in text)
