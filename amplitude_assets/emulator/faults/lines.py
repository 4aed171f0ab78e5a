"""Build the lines that faults add to an hour: invalid ones, and valid ones in a wrong member."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from amplitude_assets.emulator.world.columns import COLUMNS
from amplitude_assets.emulator.world.text import json_text
from amplitude_assets.emulator.world.world import PROJECT_ID

_DEPTH = 2_000
_MANY = 600_000


def lines_of(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    """Return a fault's lines for an hour, without newlines; a huge line has `size_bytes`."""
    return _WRITERS.get(kind, _in_the_wrong_place)(kind, hour, size_bytes)


def _event(kind: str, hour: datetime, number: int, properties: Any) -> dict[str, Any]:
    """Return a valid event uploaded in the hour, unique by kind and number."""
    time = f"{hour + timedelta(minutes=59, seconds=number):%Y-%m-%d %H:%M:%S}.000000"
    uuid = str(uuid5(NAMESPACE_URL, f"{kind}/{hour:%Y-%m-%dT%H}/{number}"))
    filled = {
        "uuid": uuid,
        "$insert_id": uuid,
        "app": PROJECT_ID,
        "amplitude_id": 90_000_000_001,
        "device_id": "fault-device",
        "user_id": "fault-user",
        "session_id": -1,
        "event_id": number,
        "event_type": "Faulty",
        "event_time": time,
        "client_event_time": time,
        "client_upload_time": time,
        "server_received_time": time,
        "server_upload_time": time,
        "processed_time": time,
        "data": {},
        "data_type": "event",
        "groups": {},
        "group_properties": {},
        "library": "http/2.0",
        "plan": {},
        "event_properties": properties,
        "user_properties": {},
    }
    return dict.fromkeys(COLUMNS) | filled


def _in_the_wrong_place(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    del size_bytes
    return [json_text(_event(kind, hour, number, {"stray": True})) for number in range(3)]


def _not_json(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    del size_bytes
    whole = json_text(_event(kind, hour, 0, {}))
    return [whole[: len(whole) // 2], b"Internal Server Error", whole + whole, b"{'uuid': None}"]


def _not_utf8(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    del size_bytes
    text = json_text(_event(kind, hour, 0, {"name": "CAFE"}))
    # Latin-1, a lone continuation byte, an overlong slash, and half of a surrogate pair.
    return [
        text.replace(b"CAFE", bad) for bad in (b"caf\xe9", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80")
    ]


def _not_an_object(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    del kind, hour, size_bytes
    return [b"[1,2,3]", b"42", b'"text"', b"null", b"true"]


def _huge(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    return [json_text(_event(kind, hour, 0, {"blob": "x" * size_bytes}))]


def _duplicate_keys(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    del size_bytes
    top = json_text(_event(kind, hour, 0, {}))
    within = json_text(_event(kind, hour, 1, {"plan": "free"}))
    return [
        top[:-1] + b',"event_type":"Another"}',
        within.replace(b'{"plan":"free"}', b'{"plan":"free","plan":"team"}'),
    ]


def _not_numbers(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    del size_bytes
    values = (float("nan"), float("inf"), float("-inf"))
    return [
        json.dumps(_event(kind, hour, number, {"value": value}), separators=(",", ":")).encode()
        for number, value in enumerate(values)
    ]


def _deep(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    del size_bytes
    arrays = json_text(_event(kind, hour, 0, {"deep": 0}))
    objects = json_text(_event(kind, hour, 1, {"deep": 0}))
    return [
        arrays.replace(b'"deep":0', b'"deep":' + b"[" * _DEPTH + b"]" * _DEPTH),
        objects.replace(b'"deep":0', b'"deep":' + b'{"a":' * _DEPTH + b"0" + b"}" * _DEPTH),
    ]


def _many_values(kind: str, hour: datetime, size_bytes: int) -> list[bytes]:
    del size_bytes
    text = json_text(_event(kind, hour, 0, {"many": 0}))
    return [text.replace(b'"many":0', b'"many":[' + b"[]," * _MANY + b"0]")]


_WRITERS: dict[str, Callable[[str, datetime, int], list[bytes]]] = {
    "not_json": _not_json,
    "not_utf8": _not_utf8,
    "not_an_object": _not_an_object,
    "huge_line": _huge,
    "duplicate_keys": _duplicate_keys,
    "nan_and_infinity": _not_numbers,
    "deep_nesting": _deep,
    "many_values": _many_values,
}
