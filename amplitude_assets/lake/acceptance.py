"""Decide which of two deliveries of an hour counts. The lake and bronze share these rules.

A newer delivery replaces an older one, never the reverse. A delivery with fewer events replaces
the stored one only when it is confirmed: Amplitude returned it again, long enough after the first
time, or the user accepted it. So a wrong 404, or a partial hour, deletes nothing.
"""

from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol

from amplitude_assets.lake.manifest import Manifest

CONFIRM_AFTER = timedelta(hours=24)
ACCEPT_AT_ONCE = timedelta(0)


class Verdict(Enum):
    """How a new delivery compares with the stored one."""

    REPLACES = auto()
    SAME = auto()
    SUPERSEDED = auto()  # older than the stored one
    FEWER = auto()  # fewer events, and not confirmed


class Held(Protocol):
    """A delivery that is stored in the lake or in bronze. `events` is as in `Manifest.events`."""

    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def events(self) -> int: ...  # noqa: D102
    @property
    def fetched_at(self) -> datetime: ...  # noqa: D102


def compare(held: Held | None, new: Manifest) -> Verdict:
    """Compare a new delivery with the stored one of its hour, None for the hour's first."""
    if held is None:
        return Verdict.REPLACES
    if _is_same(held, new):
        return Verdict.SAME
    if new.fetched_at < held.fetched_at:
        return Verdict.SUPERSEDED
    if new.events < held.events and not new.is_confirmed:
        return Verdict.FEWER
    return Verdict.REPLACES


def next_manifest(
    before: Manifest | None, new: Manifest, confirm_after: timedelta
) -> tuple[Verdict, Manifest]:
    """Return the verdict on a new delivery, and the manifest of its hour after it.

    A delivery with fewer events is stored in `pending` of the current manifest. An equal delivery
    moves `fetched_at` forward: it is the last time that Amplitude returned this delivery.
    """
    new = _confirmed(before, new, confirm_after)
    verdict = compare(before, new)
    if before is None:
        return verdict, new
    # A delivery older than the pending one neither confirms nor replaces it.
    waiting = before.pending
    if waiting is not None and waiting.fetched_at <= new.fetched_at:
        waiting = None
    if verdict is Verdict.REPLACES:
        return verdict, new.model_copy(update={"pending": waiting})
    if verdict is Verdict.SUPERSEDED or (verdict is Verdict.FEWER and waiting is not None):
        return Verdict.SUPERSEDED, before
    if verdict is Verdict.FEWER:
        return verdict, before.model_copy(update={"pending": new})
    return verdict, before.model_copy(
        update={
            "fetched_at": max(before.fetched_at, new.fetched_at),
            "first_seen_at": before.seen_since,
            "is_confirmed": new.is_confirmed,
            "pending": waiting,
        }
    )


def _confirmed(before: Manifest | None, new: Manifest, confirm_after: timedelta) -> Manifest:
    """Return a delivery with `first_seen_at` and `is_confirmed` set from the earlier ones."""
    known = [before, before.pending] if before is not None else []
    earlier = next((one for one in known if one is not None and _is_same(one, new)), None)
    since = min(earlier.seen_since, new.fetched_at) if earlier else new.fetched_at
    was_confirmed = earlier is not None and earlier.is_confirmed
    is_confirmed = was_confirmed or new.fetched_at - since >= confirm_after
    return new.model_copy(update={"first_seen_at": since, "is_confirmed": is_confirmed})


def _is_same(held: Held, new: Manifest) -> bool:
    return (held.status, held.digest) == (new.status, new.digest)
