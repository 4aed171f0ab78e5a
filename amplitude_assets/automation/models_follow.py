"""Decide when to build the models, for the sensor `models_follow_bronze`; without Dagster.

Materializations are compared by storage id, the order in which Dagster stored them. Loads and
builds share a pool with one slot, so a model stored after a load includes it. The models are behind
when one of them is older than the newest load that changed bronze, whatever started that load.
With a cadence, they may stay behind for that long: a build becomes due this much after the last.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from pydantic import BaseModel, ConfigDict

from amplitude_assets.automation.backoff import again_at

# A build waits for active loads, such as those of a backfill, but not longer than this.
LONGEST_WAIT = timedelta(hours=1)


class Follows(Enum):
    """The decision; the value is the skip reason in Dagster's UI."""

    NOW = "The models are built now."
    UP_TO_DATE = "The models hold every load of bronze."
    BUILDING = "The models are being built."
    NOT_DUE = (
        "Bronze has loads that are new to the models; MODELS_EVERY_HOURS delays the next build."
    )
    WAITING = "The models wait for active loads, an hour at most."
    BACKING_OFF = "The last build failed; it is retried later."


class FollowMemory(BaseModel):
    """The sensor's cursor.

    Storage ids of materializations of bronze: `seen` is the newest that was read, `changed` the
    newest that changed bronze, `asked` the one for which the last build was requested. A build
    that was requested `times` times without success waits until `again_at`. `waiting_since` is
    when the wait for active loads began. Times are UTC.
    """

    model_config = ConfigDict(frozen=True)

    seen: int = 0
    changed: int = 0
    asked: int = 0
    times: int = 0
    again_at: datetime | None = None
    waiting_since: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """The decision, and the next cursor."""

    verdict: Follows
    memory: FollowMemory


def follow(
    memory: FollowMemory,
    *,
    built: int,
    loads_under_way: int,
    builds_under_way: int,
    now: datetime,
    due_at: datetime | None = None,
) -> Decision:
    """Decide whether to build now.

    `built` is the smallest storage id among the models' newest materializations, 0 if one has none.
    `due_at` is the earliest time of the next build by the cadence (aware), None for at any time.
    After any failure the wait grows (`backoff.py`), and a new load does not shorten it.
    """
    if built >= memory.asked:  # the requested build succeeded
        memory = memory.model_copy(update={"times": 0, "again_at": None})
    if built >= memory.changed:
        return Decision(Follows.UP_TO_DATE, memory.model_copy(update={"waiting_since": None}))
    if builds_under_way:
        return Decision(Follows.BUILDING, memory)
    if memory.times and memory.again_at is None:
        memory = memory.model_copy(update={"again_at": again_at(now, memory.times)})
    if memory.again_at is not None and now < memory.again_at:
        return Decision(Follows.BACKING_OFF, memory)
    if due_at is not None and now < due_at:
        return Decision(Follows.NOT_DUE, memory)
    since = memory.waiting_since or now
    if loads_under_way and now - since < LONGEST_WAIT:
        return Decision(Follows.WAITING, memory.model_copy(update={"waiting_since": since}))
    asked = {
        "asked": memory.changed,
        "times": memory.times + 1,
        "again_at": None,
        "waiting_since": None,
    }
    return Decision(Follows.NOW, memory.model_copy(update=asked))
