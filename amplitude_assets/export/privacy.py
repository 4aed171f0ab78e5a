"""What does not go past the archive: what is masked, and the lines of people to be forgotten.

It is applied to each line as a member is unpacked, so that neither the lake nor a warehouse ever
has what is kept back.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from amplitude_assets.export.masks import Field, Masks, text_of

Raw = msgspec.Raw

_NULL = Raw(b"null")
_object = msgspec.json.Decoder(dict[str, Raw])
_encoder = msgspec.json.Encoder()


class _Ids(msgspec.Struct):
    """What of a line says whose it is. A merge file has both ids on the top."""

    amplitude_id: Raw = _NULL
    user_id: Raw = _NULL
    merged_amplitude_id: Raw = _NULL
    data: Raw = _NULL


_ids = msgspec.json.Decoder(_Ids)


@dataclass(frozen=True)
class Forgotten:
    """People whose lines are left out: the digests of their ids in one project.

    An id is written as silver's `user_key` writes it, see `amplitude_key` and `user_id_key`, and
    its digest is SHA-256 in hexadecimal, so that the list of them names nobody.
    """

    project_id: int = 0
    digests: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Say whether there is anybody."""
        return bool(self.digests)

    def holds(self, key: str | None) -> bool:
        """Say whether an id, written as a key, is of one of them."""
        return key is not None and digest_of(key) in self.digests

    def kept(self, line: bytes, masks: Masks | None = None) -> bytes | None:
        """Return a line of somebody else as it is, and None for a line of theirs.

        `masks` are those that the line has not been through yet: an id may be known by its hash.
        Somebody else's line that says it was merged into one of them loses that id.
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
        """Say whether a line of a merge file is about other people only."""
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
    """What unpacking keeps back. With nothing in it, members are passed through as they came."""

    masks: Masks = field(default_factory=Masks)
    forgotten: Forgotten = Forgotten()

    def __bool__(self) -> bool:
        """Say whether anything is kept back. Then so is the text of rejected lines.

        They are no JSON, so nothing tells what in them is to be masked, and whose they are.
        """
        return bool(self.masks or self.forgotten)

    def changes(self, lines: Iterable[bytes]) -> bool:
        """Say whether one of these lines, JSON objects, may not stay as it is."""
        if self.masks:
            return True
        return bool(self.forgotten) and any(self.forgotten.kept(line) is not line for line in lines)

    def kept(self, line: bytes) -> bytes | None:
        """Return what is kept of a line, a JSON object: None when all of it is forgotten."""
        if self.forgotten:
            rest = self.forgotten.kept(line, self.masks)
            if rest is None:
                return None
            line = rest
        return self.masks.masked(line) if self.masks else line


NOTHING_KEPT_BACK = Privacy()


def amplitude_key(project_id: int, amplitude_id: object) -> str | None:
    """Write an Amplitude id as `user_key` writes it, or return None for none."""
    return None if amplitude_id is None else f"{project_id}-{amplitude_id}"


def user_id_key(project_id: int, user_id: str | None) -> str | None:
    """Write a user id as `user_key` writes it, or return None for none."""
    return None if user_id is None else f"{project_id}-user:{user_id}"


def digest_of(key: str) -> str:
    """Return the SHA-256 of an id written as a key, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()
