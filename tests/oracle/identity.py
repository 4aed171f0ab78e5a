"""Who is who: merged Amplitude ids, followed to the one that survives.

An anonymous id that turns out to be a known person is merged into that person. Raw rows keep the
old id, and charts apply the merge when they count
(https://amplitude.com/docs/data/sources/instrument-track-unique-users).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.oracle.settings import Merge


class Identities:
    """All merges known at the end, whatever the order in which they became known."""

    def __init__(self, merges: Sequence[Merge], events: Iterable[dict[str, Any]]) -> None:
        self._into: dict[int, int] = {}
        for merge in merges:
            self._into[merge.absorbed] = merge.surviving
        for fields in events:
            data = fields.get("data")
            surviving = data.get("merged_amplitude_id") if isinstance(data, dict) else None
            absorbed = fields.get("amplitude_id")
            if surviving is not None and absorbed is not None and surviving != absorbed:
                self._into[absorbed] = surviving

    def survivor(self, amplitude_id: int) -> int:
        """Follow the merges of an id to the end. A circle of merges is nobody's: all stay apart."""
        path = [amplitude_id]
        while path[-1] in self._into:
            following = self._into[path[-1]]
            if following in path:
                return amplitude_id
            path.append(following)
        return path[-1]
