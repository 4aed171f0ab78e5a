"""When to build the models: the decision of the sensor `models_follow_bronze`, apart from Dagster.

Materialisations are told apart by the order in which Dagster stored them. Loads and builds hold
the same pool of one, so a model that was stored after a load has seen it. The models are behind
when one of them is older than the newest load that changed something: of a new hour, an old one
or one that Amplitude delivered again, whoever asked for it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from pydantic import BaseModel, ConfigDict

from amplitude_assets.automation.backoff import again_at

# Loads that follow each other, as a backfill's do, are waited for, but not for longer than this.
LONGEST_WAIT = timedelta(hours=1)


class Follows(Enum):
    """What was decided; each value is told to people as the reason for not building."""

    NOW = "The models are built now."
    UP_TO_DATE = "The models hold every load of bronze."
    BUILDING = "The models are being built."
    WAITING = "Loads are under way; the models wait for them, an hour at most."
    BACKING_OFF = "The last build failed; it is tried again later."


class FollowMemory(BaseModel):
    """The sensor's cursor.

    `seen` is the newest materialisation of bronze that was looked at, `changed` the newest that
    changed something, `asked` the one that the last build was asked for. A build that was asked
    for `times` times without success waits until `again_at`; `waiting_since` is when loads that
    are under way were first waited for. Times are UTC.
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
    """What to do, and what to remember."""

    verdict: Follows
    memory: FollowMemory


def follow(
    memory: FollowMemory, *, built: int, loads_under_way: int, builds_under_way: int, now: datetime
) -> Decision:
    """Decide. `built` is the storage id of the oldest model's newest materialisation, 0 for none.

    It takes no side in why a build failed: any failure is waited out, longer each time, and no
    new load shortens the wait.
    """
    if built >= memory.asked:  # the last build that was asked for did it
        memory = memory.model_copy(update={"times": 0, "again_at": None})
    if built >= memory.changed:
        return Decision(Follows.UP_TO_DATE, memory.model_copy(update={"waiting_since": None}))
    if builds_under_way:
        return Decision(Follows.BUILDING, memory)
    if memory.times and memory.again_at is None:
        memory = memory.model_copy(update={"again_at": again_at(now, memory.times)})
    if memory.again_at is not None and now < memory.again_at:
        return Decision(Follows.BACKING_OFF, memory)
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
