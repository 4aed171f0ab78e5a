"""Apply privacy settings to a line: mask fields, and drop the lines of forgotten people.

Unpacking applies them to each line, so masked values and forgotten people reach neither the lake
nor the warehouse.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from amplitude_assets.privacy.masks import Field, Masks, text_of

Raw = msgspec.Raw

_NULL = Raw(b"null")
_object = msgspec.json.Decoder(dict[str, Raw])
_encoder = msgspec.json.Encoder()


# Placeholders that senders use instead of an id; the same list is a variable in dbt_project.yml.
# Forgetting one of these would remove unrelated people.
ABSENT_IDENTIFIERS = frozenset(
    {
        "", "0", "-1", "null", "nil", "none", "undefined", "unknown", "anonymous", "n/a", "na",
        "{}", "lmy47d", "00000000-0000-0000-0000-000000000000",
    }
)  # fmt: skip


class _Ids(msgspec.Struct):
    """The ids in a line. `merged_amplitude_id` is at the top level in merge files only."""

    amplitude_id: Raw = _NULL
    user_id: Raw = _NULL
    merged_amplitude_id: Raw = _NULL
    data: Raw = _NULL


_ids = msgspec.json.Decoder(_Ids)


@dataclass(frozen=True)
class Forgotten:
    """The forgotten people of one project, as digests of their ids.

    A digest is the hexadecimal SHA-256 of an id in the form of silver's `user_key` (see
    `amplitude_key` and `user_id_key`), so that the list does not reveal ids.
    """

    project_id: int = 0
    digests: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Return whether anyone is forgotten."""
        return bool(self.digests)

    def holds(self, key: str | None) -> bool:
        """Return whether a key (an id in the form of `user_key`) belongs to a forgotten person."""
        return key is not None and digest_of(key) in self.digests

    def kept(self, line: bytes, masks: Masks | None = None) -> bytes | None:
        """Return None for the line of a forgotten person, and any other line unchanged.

        Another person's line that names a forgotten person as the target of a merge is returned
        without that id. `masks` are the masks that the caller applies to the line afterwards: the
        list may contain the digest of a hashed user id, so that is compared too.
        """
        ids = _ids.decode(line)
        if any(map(self.holds, self._keys(ids, masks))):
            return None
        if b"merged_amplitude_id" in line and bytes(ids.data).startswith(b"{"):
            data = _object.decode(ids.data)
            if self.holds(amplitude_key(self.project_id, text_of(data.get("merged_amplitude_id")))):
                del data["merged_amplitude_id"]
                event = _object.decode(line)
                return _encoder.encode({**event, "data": Raw(_encoder.encode(data))})
        return line

    def keeps_merge(self, line: bytes) -> bool:
        """Return whether a line of a merge file names no forgotten person."""
        ids = _ids.decode(line)
        return not any(
            self.holds(amplitude_key(self.project_id, text_of(value)))
            for value in (ids.amplitude_id, ids.merged_amplitude_id)
        )

    def _keys(self, ids: _Ids, masks: Masks | None) -> Iterator[str | None]:
        yield amplitude_key(self.project_id, text_of(ids.amplitude_id))
        user_id = text_of(ids.user_id)
        yield user_id_key(self.project_id, user_id)
        if masks and user_id is not None and Field("user_id") in masks.hashed:
            yield user_id_key(self.project_id, masks.hash_of(user_id))


@dataclass(frozen=True)
class Privacy:
    """The privacy settings of unpacking. Without any, members are copied unchanged."""

    masks: Masks = field(default_factory=Masks)
    forgotten: Forgotten = Forgotten()

    def __bool__(self) -> bool:
        """Return whether anything is masked or anyone forgotten.

        If so, the text of rejected lines is withheld too: they are not JSON, so neither their
        fields nor their people can be identified.
        """
        return bool(self.masks or self.forgotten)

    def changes(self, lines: Iterable[bytes]) -> bool:
        """Return whether one of these lines, which are JSON objects, must be changed or dropped."""
        if self.masks:
            return True
        return bool(self.forgotten) and any(self.forgotten.kept(line) is not line for line in lines)

    def kept(self, line: bytes) -> bytes | None:
        """Return a line, which is a JSON object, after masking; None if its person is forgotten."""
        if self.forgotten:
            rest = self.forgotten.kept(line, self.masks)
            if rest is None:
                return None
            line = rest
        return self.masks.masked(line) if self.masks else line


NO_PRIVACY_RULES = Privacy()


def amplitude_key(project_id: int, amplitude_id: object) -> str | None:
    """Return an Amplitude id in the form of `user_key`; None for a placeholder."""
    return f"{project_id}-{amplitude_id}" if _is_identifier(amplitude_id) else None


def user_id_key(project_id: int, user_id: str | None) -> str | None:
    """Return a user id in the form of `user_key`; None for a placeholder."""
    return f"{project_id}-user:{user_id}" if _is_identifier(user_id) else None


def _is_identifier(value: object) -> bool:
    return value is not None and str(value).strip(" ").lower() not in ABSENT_IDENTIFIERS


def digest_of(key: str) -> str:
    """Return the hexadecimal SHA-256 of a key."""
    return hashlib.sha256(key.encode()).hexdigest()
