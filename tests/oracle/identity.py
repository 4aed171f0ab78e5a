"""Resolve merged Amplitude ids to the surviving one.

When an anonymous id is recognised as a known user, it is merged into that user. Raw rows keep the
old id, and charts apply the merge when they count
(https://amplitude.com/docs/data/sources/instrument-track-unique-users).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Claim:
    """A statement that one id absorbed another, from an event (`payload`) or a merge file."""

    absorbed: int
    surviving: int
    time: datetime | None
    method: str

    @property
    def weight(self) -> tuple[datetime, int, int]:
        """The priority among claims for one id: the latest wins, then a merge file."""
        return (self.time or datetime.min, self.method == "payload", self.surviving)


class Identities:
    """All known merges, independent of the order in which they became known."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._into: dict[int, int] = {}
        for claim in sorted(claims, key=lambda claim: claim.weight):
            if claim.absorbed != claim.surviving:
                self._into[claim.absorbed] = claim.surviving

    def survivor(self, amplitude_id: int) -> int:
        """Follow the merges of an id to the end. An id that leads to a cycle stays itself."""
        path = [amplitude_id]
        while path[-1] in self._into:
            following = self._into[path[-1]]
            if following in path:
                return amplitude_id
            path.append(following)
        return path[-1]
