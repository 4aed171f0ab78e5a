"""Which hours to ask for now: the decision of the sensor `new_hours`, apart from Dagster.

It looks at every hour of the look-back, and at older ones when the tables end before it: after
any downtime they go on from where they are. An hour that was never asked for is asked for at
once. One that failed waits (`backoff.py`) and is asked for apart from the others, so that it
does not take them with it. What is under way is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from pydantic import BaseModel, ConfigDict

from amplitude_assets.automation.backoff import again_at
from amplitude_assets.automation.requests import Reason
from amplitude_assets.hours import HourRange, contiguous_ranges


class HourState(Enum):
    """What Dagster knows of an hour of `bronze/raw_events`."""

    MISSING = auto()
    UNDER_WAY = auto()
    FAILED = auto()
    DONE = auto()


class Attempts(BaseModel):
    """What was tried for an hour that is not done. Times are UTC.

    `times` it was asked for since `first_at`; the next time at `again_at`, which is None until
    the last attempt is known to be over.
    """

    model_config = ConfigDict(frozen=True)

    times: int
    first_at: datetime
    again_at: datetime | None = None


class _Entry(BaseModel):
    first: datetime
    last: datetime
    attempts: Attempts


class Memory(BaseModel):
    """The sensor's cursor: the attempts at hours that are not done, hours alike as one range."""

    entries: list[_Entry] = []

    @classmethod
    def of(cls, attempts: Mapping[datetime, Attempts]) -> "Memory":
        """Write down attempts by hour."""
        alike: dict[Attempts, list[datetime]] = {}
        for hour, tried in attempts.items():
            alike.setdefault(tried, []).append(hour)
        return cls(
            entries=[
                _Entry(first=part.first, last=part.last, attempts=tried)
                for tried, hours in alike.items()
                for part in contiguous_ranges(hours)
            ]
        )

    def by_hour(self) -> dict[datetime, Attempts]:
        """Read the attempts by hour."""
        return {
            hour: entry.attempts
            for entry in self.entries
            for hour in HourRange(entry.first, entry.last)
        }


@dataclass(frozen=True)
class Plan:
    """What to ask for, in this order, and what to remember."""

    requests: list[tuple[HourRange, Reason]]
    attempts: dict[datetime, Attempts]


def forget_old(
    attempts: Mapping[datetime, Attempts], window: HourRange, now: datetime, lookback: timedelta
) -> dict[datetime, Attempts]:
    """Leave out hours that are past the window and were tried for as long as the look-back."""
    return {
        hour: tried
        for hour, tried in attempts.items()
        if hour in window or now - tried.first_at < lookback
    }


def plan(
    states: Mapping[datetime, HourState],
    attempts: Mapping[datetime, Attempts],
    now: datetime,
    longest: int,
) -> Plan:
    """Decide about the hours in `states`; ranges are of at most `longest` hours.

    New hours are those after the newest that is done. They come first, the newest range before
    older ones, then gaps, then hours that failed before.
    """
    newest_done = max((h for h, state in states.items() if state is HourState.DONE), default=None)
    asked: dict[Reason, list[datetime]] = {}
    kept: dict[datetime, Attempts] = {}
    for hour, state in states.items():
        if state is HourState.DONE:
            continue
        tried = _seen(attempts.get(hour), state, now)
        is_due = tried is None or (tried.again_at is not None and tried.again_at <= now)
        if state is not HourState.UNDER_WAY and is_due:
            asked.setdefault(_reason(hour, tried, newest_done), []).append(hour)
            tried = _asked(tried, now)
        if tried is not None:
            kept[hour] = tried
    return Plan(
        [
            (part, reason)
            for reason in (Reason.NEW, Reason.GAP, Reason.FAILED_BEFORE)
            for part in reversed(contiguous_ranges(asked.get(reason, ()), longest))
        ],
        kept,
    )


def _seen(tried: Attempts | None, state: HourState, now: datetime) -> Attempts | None:
    """Take in what has become of an attempt: when it is over and did not help, set the wait."""
    if state is HourState.UNDER_WAY:
        return tried
    if tried is None and state is HourState.FAILED:  # somebody else's attempt
        return Attempts(times=1, first_at=now, again_at=again_at(now, 1))
    if tried is not None and tried.again_at is None:
        return tried.model_copy(update={"again_at": again_at(now, tried.times)})
    return tried


def _asked(tried: Attempts | None, now: datetime) -> Attempts:
    if tried is None:
        return Attempts(times=1, first_at=now)
    return Attempts(times=tried.times + 1, first_at=tried.first_at)


def _reason(hour: datetime, tried: Attempts | None, newest_done: datetime | None) -> Reason:
    if tried is not None:
        return Reason.FAILED_BEFORE
    return Reason.NEW if newest_done is None or hour > newest_done else Reason.GAP
