"""Drop or hash the columns and properties that the privacy settings name.

The bytes of all other values are preserved: numbers beyond 2^53, `6396.0` and escapes are not
changed. The hash key is stored only in the settings.
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

# Text columns that no figure depends on: they may be dropped or hashed.
_TEXTS = frozenset(
    (
        "user_id", "ip_address", "adid", "idfa", "partner_id", "source_id", "$insert_key", "city",
        "country", "region", "dma", "language", "library", "platform", "os_name", "os_version",
        "device_brand", "device_carrier", "device_family", "device_manufacturer", "device_model",
        "device_type", "start_version", "version_name",
    )
)  # fmt: skip
# Deduplication needs these columns: they may be hashed but not dropped.
_IDENTIFYING_TEXTS = frozenset(("device_id", "$insert_id"))
# Columns that are not text: they may be dropped but not hashed.
_OTHERS = frozenset(
    (
        "location_lat", "location_lng", "paying", "is_attribution_event", "sample_rate",
        "user_creation_time", "user_properties", "groups", "group_properties", "plan",
        "global_user_properties", "amplitude_attribution_ids",
    )
)  # fmt: skip
# Keys, times, and columns that all figures depend on: they cannot be masked.
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
# Keys that revenue and merges depend on.
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
    """The fields to drop, and the fields to hash.

    A dropped column becomes null, a dropped key is removed. A hash is the hexadecimal HMAC-SHA256
    under `key` of a string's text, of each element of a list, or of the JSON text of any other
    value. Null stays null. Equal values have equal hashes in all fields.
    """

    dropped: frozenset[Field] = frozenset()
    hashed: frozenset[Field] = frozenset()
    key: bytes = field(default=b"", repr=False)

    def __bool__(self) -> bool:
        """Return whether any field is masked."""
        return bool(self.dropped or self.hashed)

    def masked(self, line: bytes) -> bytes:
        """Return a line, which is a JSON object, with its fields masked.

        Of a duplicate key, the last value is kept. Raises ValueError for invalid JSON.
        """
        event = _object.decode(line)
        for column, keys in self._by_column.items():
            value = event.get(column)
            if value is not None:
                event[column] = self._masked_value(Field(column), value, keys)
        return _encoder.encode(event)

    def hash_of(self, text: str) -> str:
        """Return the hash that replaces a string."""
        return hmac.digest(self.key, text.encode(), "sha256").hex()

    @cached_property
    def _by_column(self) -> dict[str, list[str]]:
        """The masked columns, each with its masked keys; empty for a column masked as a whole."""
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
    """Return the text of a JSON string, the JSON text of any other value, or None for null."""
    if value is None:
        return None
    text = bytes(value)
    if text == b"null":
        return None
    return _string.decode(text) if text.startswith(b'"') else text.decode()


def masks_of(dropped: Iterable[str], hashed: Iterable[str], key: str | None) -> Masks:
    """Parse the privacy settings: each field is `column` or `column.key`.

    `key` is PRIVACY_HASH_KEY. Raises ValueError, which names the setting, the field and the fix.
    """
    rules = {
        "PRIVACY_DROP": _fields("PRIVACY_DROP", dropped),
        "PRIVACY_HASH": _fields("PRIVACY_HASH", hashed),
    }
    _check_once([*rules["PRIVACY_DROP"], *rules["PRIVACY_HASH"]])
    for masked in rules["PRIVACY_DROP"]:
        if masked.key is None and masked.column in _IDENTIFYING_TEXTS:
            raise ValueError(
                f"PRIVACY_DROP: deduplication needs {masked}, which cannot be dropped; "
                "use PRIVACY_HASH"
            )
    for masked in rules["PRIVACY_HASH"]:
        if masked.key is None and masked.column in _OTHERS:
            raise ValueError(
                f"PRIVACY_HASH: {masked} is not text and cannot be hashed; use PRIVACY_DROP"
            )
    if rules["PRIVACY_HASH"] and (key is None or len(key) < _SHORTEST_KEY):
        raise ValueError(
            f"PRIVACY_HASH requires PRIVACY_HASH_KEY of at least {_SHORTEST_KEY} characters; "
            "without a secret key, hashes can be reversed by trying all values"
        )
    return Masks(
        frozenset(rules["PRIVACY_DROP"]), frozenset(rules["PRIVACY_HASH"]), (key or "").encode()
    )


def _fields(setting: str, names: Iterable[str]) -> list[Field]:
    fields = []
    for name in names:
        column, dot, key = name.partition(".")
        reason = _why_not_maskable(column, key if dot else None)
        if reason is not None:
            raise ValueError(f"{setting}: {reason}")
        fields.append(Field(column, key if dot else None))
    return fields


def _why_not_maskable(column: str, key: str | None) -> str | None:
    """Return why a field cannot be masked, or None when it can."""
    if column not in COLUMNS:
        return (
            f"{column!r} is not a column of the export; use a column such as ip_address, or a "
            "column and a key, such as user_properties.email"
        )
    if key is not None and (column not in _WITH_KEYS or not key):
        with_keys = ", ".join(sorted(_WITH_KEYS))
        return f"{column}.{key} does not name a key; columns with keys are {with_keys}"
    if key is None and column in _WITH_KEYS & _NEEDED:
        return f"figures depend on {column}; name single keys of it, such as {column}.email"
    if key is None and column in _NEEDED:
        return f"{column} cannot be masked: keys, hours or figures depend on it"
    if key in _NEEDED_KEYS.get(column, ()):
        return f"{column}.{key} cannot be masked: revenue or merges depend on it"
    return None


def _check_once(fields: list[Field]) -> None:
    """Raise ValueError when a field is named twice, or a column together with one of its keys."""
    whole = {masked.column for masked in fields if masked.key is None}
    counts: Mapping[Field, int] = {masked: fields.count(masked) for masked in fields}
    for masked, count in counts.items():
        if count > 1:
            raise ValueError(f"PRIVACY_DROP, PRIVACY_HASH: {masked} is named twice; name it once")
        if masked.key is not None and masked.column in whole:
            raise ValueError(
                f"PRIVACY_DROP, PRIVACY_HASH: both {masked.column} and its key {masked} are named; "
                "name only one of them"
            )
