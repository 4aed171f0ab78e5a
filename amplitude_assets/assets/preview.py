"""The first events of an hour as a Markdown table, with personal data masked.

It shows time, type, platform and country. Identifiers are shown only as present or absent, and
properties only as their number.
"""

import gzip
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from amplitude_assets.assets.markdown import code_span

_COLUMNS = ("event_time", "event_type", "platform", "country")
_MASKED = ("user_id", "device_id", "ip_address")
_MASK = "•••"
_LONGEST = 40


def preview_of(files: list[Path], events: int = 3) -> str:
    """Return the first events of an hour's files as a Markdown table, or a sentence without events.

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
    return "" if value is None else code_span(str(value), _LONGEST)
