"""Masked columns and properties: what people name is dropped, or a hash stands in its place.

The key of the hashes is nowhere else. A value that no rule names keeps its bytes: numbers beyond
2^53, `6396.0` and escapes stay as they came.
"""

import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

Raw = msgspec.Raw

_NULL = Raw(b"null")
_SHORTEST_KEY = 16

# Columns of text that nothing counts by: the value may go, or a hash take its place.
_TEXTS = frozenset(
    (
        "user_id", "ip_address", "adid", "idfa", "partner_id", "source_id", "$insert_key", "city",
        "country", "region", "dma", "language", "library", "platform", "os_name", "os_version",
        "device_brand", "device_carrier", "device_family", "device_manufacturer", "device_model",
        "device_type", "start_version", "version_name",
    )
)  # fmt: skip
# Events are told apart by these, so they may become other values but not go.
_IDENTIFYING_TEXTS = frozenset(("device_id", "$insert_id"))
# No text, so there is nothing to hash.
_OTHERS = frozenset(
    (
        "location_lat", "location_lng", "paying", "is_attribution_event", "sample_rate",
        "user_creation_time", "user_properties", "groups", "group_properties", "plan",
        "global_user_properties", "amplitude_attribution_ids",
    )
)  # fmt: skip
# Keys, hours, and what all figures are counted by.
_NEEDED = frozenset(
    (
        "uuid", "app", "amplitude_id", "session_id", "event_id", "event_type",
        "amplitude_event_type", "data_type", "event_time", "client_event_time",
        "client_upload_time", "server_received_time", "server_upload_time", "processed_time",
        "$schema", "event_properties", "data",
    )
)  # fmt: skip
_WITH_KEYS = frozenset(
    (
        "event_properties", "user_properties", "groups", "group_properties", "data", "plan",
        "global_user_properties", "amplitude_attribution_ids",
    )
)  # fmt: skip
# Revenue and merges are made of these.
_NEEDED_KEYS = {
    "event_properties": frozenset(("$revenue", "$price", "$quantity")),
    "data": frozenset(("merged_amplitude_id",)),
}
COLUMNS = _TEXTS | _IDENTIFYING_TEXTS | _OTHERS | _NEEDED

_object = msgspec.json.Decoder(dict[str, Raw])
_list = msgspec.json.Decoder(list[Raw])
_string = msgspec.json.Decoder(str)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, order=True)
class Field:
    """A column of the export, or one key of a column that holds an object."""

    column: str
    key: str | None = None

    def __str__(self) -> str:
        return self.column if self.key is None else f"{self.column}.{self.key}"


@dataclass(frozen=True)
class Masks:
    """The fields that are dropped, and those in whose place a hash is written.

    A dropped column is null and a dropped key is gone. A hash is HMAC-SHA256 under `key`, in
    hexadecimal: of a string's text, of each element of a list, of the JSON text of anything else.
    Null stays null. Equal values have equal hashes, whatever field they are in.
    """

    dropped: frozenset[Field] = frozenset()
    hashed: frozenset[Field] = frozenset()
    key: bytes = field(default=b"", repr=False)

    def __bool__(self) -> bool:
        """Say whether there is anything to mask."""
        return bool(self.dropped or self.hashed)

    def masked(self, line: bytes) -> bytes:
        """Return a line, a JSON object, with the masks on. Of a key that is twice the last stays.

        Raises ValueError when the line cannot be taken apart.
        """
        event = _object.decode(line)
        for column, keys in self._by_column.items():
            value = event.get(column)
            if value is not None:
                event[column] = self._masked_value(Field(column), value, keys)
        return _encoder.encode(event)

    def hash_of(self, text: str) -> str:
        """Return what is written in place of a string."""
        return hmac.digest(self.key, text.encode(), "sha256").hex()

    @cached_property
    def _by_column(self) -> dict[str, list[str]]:
        """Return the masked columns, each with its masked keys if it is not masked whole."""
        columns: dict[str, list[str]] = defaultdict(list)
        for masked in sorted(self.dropped | self.hashed, key=str):
            columns[masked.column] += [masked.key] if masked.key is not None else []
        return dict(columns)

    def _masked_value(self, place: Field, value: Raw, keys: Iterable[str]) -> Raw:
        if place in self.dropped:
            return _NULL
        if place in self.hashed:
            return self._hashed_value(value)
        if not bytes(value).startswith(b"{"):
            return value
        members = _object.decode(value)
        for key in keys:
            if Field(place.column, key) in self.dropped:
                members.pop(key, None)
            elif key in members:
                members[key] = self._hashed_value(members[key])
        return Raw(_encoder.encode(members))

    def _hashed_value(self, value: Raw) -> Raw:
        if bytes(value).startswith(b"["):
            return Raw(_encoder.encode([self._hashed_one(item) for item in _list.decode(value)]))
        return self._hashed_one(value)

    def _hashed_one(self, value: Raw) -> Raw:
        text = text_of(value)
        return _NULL if text is None else Raw(f'"{self.hash_of(text)}"'.encode())


def text_of(value: Raw | None) -> str | None:
    """Return a string's text, the JSON text of any other value, and None for null."""
    if value is None:
        return None
    text = bytes(value)
    if text == b"null":
        return None
    return _string.decode(text) if text.startswith(b'"') else text.decode()


def masks_of(dropped: Iterable[str], hashed: Iterable[str], key: str | None) -> Masks:
    """Read the masks as people write them: each field a column, or a column, a dot and a key.

    Raises ValueError that names the setting, the field, and what would be right.
    """
    rules = {
        "PRIVACY_DROP": _fields("PRIVACY_DROP", dropped),
        "PRIVACY_HASH": _fields("PRIVACY_HASH", hashed),
    }
    _check_once([*rules["PRIVACY_DROP"], *rules["PRIVACY_HASH"]])
    for masked in rules["PRIVACY_DROP"]:
        if masked.key is None and masked.column in _IDENTIFYING_TEXTS:
            raise ValueError(
                f"PRIVACY_DROP: events are told apart by {masked}; PRIVACY_HASH can take it"
            )
    for masked in rules["PRIVACY_HASH"]:
        if masked.key is None and masked.column in _OTHERS:
            raise ValueError(f"PRIVACY_HASH: {masked} is no text; PRIVACY_DROP can take it")
    if rules["PRIVACY_HASH"] and (key is None or len(key) < _SHORTEST_KEY):
        raise ValueError(
            f"PRIVACY_HASH_KEY: set a secret of at least {_SHORTEST_KEY} signs beside "
            "PRIVACY_HASH; a hash without one can be undone by trying all values"
        )
    return Masks(
        frozenset(rules["PRIVACY_DROP"]), frozenset(rules["PRIVACY_HASH"]), (key or "").encode()
    )


def _fields(setting: str, names: Iterable[str]) -> list[Field]:
    fields = []
    for name in names:
        column, dot, key = name.partition(".")
        reason = _refusal(column, key if dot else None)
        if reason is not None:
            raise ValueError(f"{setting}: {reason}")
        fields.append(Field(column, key if dot else None))
    return fields


def _refusal(column: str, key: str | None) -> str | None:
    """Say why a field cannot be masked, or return None when it can."""
    if column not in COLUMNS:
        return (
            f"{column!r} is no column of the export; write one such as ip_address, or a column "
            "and a key, such as user_properties.email"
        )
    if key is not None and (column not in _WITH_KEYS or not key):
        return f"{column}.{key} is no key; those that have keys are {', '.join(sorted(_WITH_KEYS))}"
    if key is None and column in _WITH_KEYS & _NEEDED:
        return f"figures are made of {column}; name the keys in it, such as {column}.email"
    if key is None and column in _NEEDED:
        return f"{column} cannot be masked: keys, hours or figures are made of it"
    if key in _NEEDED_KEYS.get(column, ()):
        return f"{column}.{key} cannot be masked: revenue or merges are made of it"
    return None


def _check_once(fields: list[Field]) -> None:
    """Raise ValueError when a field is named twice, or a key in a column that is named whole."""
    whole = {masked.column for masked in fields if masked.key is None}
    counts: Mapping[Field, int] = {masked: fields.count(masked) for masked in fields}
    for masked, count in counts.items():
        if count > 1:
            raise ValueError(f"PRIVACY_DROP, PRIVACY_HASH: {masked} is named twice; name it once")
        if masked.key is not None and masked.column in whole:
            raise ValueError(
                f"PRIVACY_DROP, PRIVACY_HASH: {masked.column} is named whole, and {masked} in it; "
                "name one of them"
            )
