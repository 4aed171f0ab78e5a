"""Who is who: merged Amplitude ids, followed to the one that survives.

An anonymous id that turns out to be a known person is merged into that person. Raw rows keep the
old id, and charts apply the merge when they count
(https://amplitude.com/docs/data/sources/instrument-track-unique-users).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Claim:
    """Somebody says that an id was absorbed by another: an event (`payload`) or a merge file."""

    absorbed: int
    surviving: int
    time: datetime | None
    method: str

    @property
    def weight(self) -> tuple[datetime, int, int]:
        """Return what decides between claims for one id: the latest, then a merge file, counts."""
        return (self.time or datetime.min, self.method == "payload", self.surviving)


class Identities:
    """All merges known at the end, whatever the order in which they became known."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._into: dict[int, int] = {}
        for claim in sorted(claims, key=lambda claim: claim.weight):
            if claim.absorbed != claim.surviving:
                self._into[claim.absorbed] = claim.surviving

    def survivor(self, amplitude_id: int) -> int:
        """Follow the merges of an id to the end. An id that comes to a circle stays itself."""
        path = [amplitude_id]
        while path[-1] in self._into:
            following = self._into[path[-1]]
            if following in path:
                return amplitude_id
            path.append(following)
        return path[-1]
