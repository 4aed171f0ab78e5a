"""Unusual but valid lines as in real exports, which break careless parsers."""

import json
from collections.abc import Callable
from typing import Any

from amplitude_assets.emulator.world.columns import ADDED_SINCE_2020
from amplitude_assets.emulator.world.text import json_text

Row = dict[str, Any]

# The share of rows that get one of the oddities below.
ODD_SHARE = 0.008
_LONG_TEXT_CHARACTERS = 300_000


def with_oddity(line: bytes, number: int) -> bytes:
    """Return the line with the oddity that `number` selects; equal numbers give equal changes."""
    row = json.loads(line)
    which, number = number % len(_ODDITIES), number // len(_ODDITIES)
    _ODDITIES[which](row, number)
    return json_text(row)


def with_long_text(line: bytes) -> bytes:
    """Return the line with an added property of 300 kB."""
    row = json.loads(line)
    words = 'Lorem ipsum “dolor” sit amet \\ "quoted" 🧺\n'
    text = words * (_LONG_TEXT_CHARACTERS // len(words) + 1)
    row["event_properties"]["cart contents"] = text[:_LONG_TEXT_CHARACTERS]
    return json_text(row)


def _big_integers(row: Row, number: int) -> None:
    row["event_properties"] |= {
        "trace id": 2**53 + 1 + number % 1000 * 2,
        "snowflake": 9_223_372_036_854_775_807 - number % 1000,
        "balance in wei": 10**21 + number % 1000,
    }


def _floats_beside_integers(row: Row, number: int) -> None:
    shares = 1 + number % 40
    total = shares * 312
    row["event_properties"] |= {
        "Shares": shares,
        "Total Value": float(total) if number % 2 else total,
        "Price per Share": 312.0,
        "ratio": 1e-7,
    }


def _line_separators(row: Row, number: int) -> None:
    row["event_properties"]["note"] = f"line\u2028separator\u2029and\u0085next line {number % 10}"
    row["user_properties"]["bio"] = "two\r\nlines,\ta tab and a form\ffeed"


def _quotes_and_emoji(row: Row, number: int) -> None:
    row["event_properties"] |= {
        "comment": f'she said "it\'s {number % 100} \\ 7" 👩‍🚀🎉 ünïcödé ◊ 日本語 עברית',
        "path": "C:\\Users\\guest\\",
        "html": "<b>&amp;</b>",
        "sql": "'; DROP TABLE events; --",
    }


def _odd_keys(row: Row, number: int) -> None:
    row["event_properties"] |= {
        "ad_metrics.cost": number % 1000 / 1000,
        "$set": True,
        "is enterprise?": number % 2 == 0,
        "[Segment] Group": f"g-{number % 100}",
        'the "best" key': 1,
        "ключ 🧺": "значение",
        "a.b": {"c.d": 1},
        "SELECT": None,
    }


def _keys_by_case(row: Row, number: int) -> None:
    row["user_properties"] |= {
        "city": "test",
        "City": row["city"],
        "country": "test",
        "Country": row["country"],
        "region": number % 10,
        "Region": row["region"],
    }


def _arrays_and_nesting(row: Row, number: int) -> None:
    deep: Row = {"level": 12}
    for level in range(11, 0, -1):
        deep = {"level": level, "next": deep}
    row["event_properties"] |= {
        "basket": ["eye of newt", "", None, number % 7, [1, [2, []]]],
        "filters": [],
        "options": {},
        "deep": deep,
    }


def _old_schema(row: Row, number: int) -> None:
    """Change a row to the format of before 2021, which lacks six columns."""
    row["$schema"] = 12
    row["user_creation_time"] = f"{row['client_event_time'][:11]}00:00:{number % 60:02d}.000000"
    row["is_attribution_event"] = False
    for column in ADDED_SINCE_2020:
        row.pop(column)


def _no_upload_time(row: Row, number: int) -> None:
    """Remove the client's upload time; Amplitude then uses the time of receipt."""
    del number
    row["client_upload_time"] = None


def _dated_ahead(row: Row, number: int) -> None:
    """Date the event in the future, by up to years, as the client's own clock says."""
    year = int(row["event_time"][:4]) + (1 if number % 16 else 11)
    later = f"{year}-0{1 + number % 9}-1{number % 10}{row['client_event_time'][10:]}"
    row["client_event_time"] = row["event_time"] = later


def _rare_event_type(row: Row, number: int) -> None:
    row["event_type"] = f"Legacy: step {number % 5000} (auto)"


def _groups_as_text(row: Row, number: int) -> None:
    row["groups"] = {"company": f"Press {number % 500}", "tier": ["gold", "partner"]}


def _located(row: Row, number: int) -> None:
    row["location_lat"] = 51.0 + number % 1000 / 1000
    row["location_lng"] = -(number % 180)
    row["plan"] = {"branch": "main", "source": "web", "version": "3"}


def _without_a_place(row: Row, number: int) -> None:
    """Remove the IP address and the location, as with dropped addresses."""
    del number
    for column in ("ip_address", "country", "region", "city", "dma", "language"):
        row[column] = None


_ODDITIES: tuple[Callable[[Row, int], None], ...] = (
    _big_integers,
    _floats_beside_integers,
    _line_separators,
    _quotes_and_emoji,
    _odd_keys,
    _keys_by_case,
    _arrays_and_nesting,
    _old_schema,
    _no_upload_time,
    _dated_ahead,
    _rare_event_type,
    _groups_as_text,
    _located,
    _without_a_place,
)
