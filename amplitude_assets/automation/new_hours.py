"""Decide which hours to request now, for the sensor `new_hours`; without Dagster.

It covers every hour of the look-back, and older ones when the tables end before it, so that loading
resumes after any downtime. An hour without an attempt is requested at once. A failed hour waits
(`backoff.py`) and is requested separately, so that it does not fail others with it. Hours of active
runs are skipped.
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
    """Dagster's status of an hour of `bronze/raw_events`."""

    MISSING = auto()
    UNDER_WAY = auto()
    FAILED = auto()
    DONE = auto()


class Attempts(BaseModel):
    """The attempts for an hour that is not done. Times are UTC.

    `times` counts them since `first_at`. The next is at `again_at`, which is None until the last
    attempt has ended.
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
    """The sensor's cursor: the attempts of unfinished hours, equal ones merged into ranges."""

    entries: list[_Entry] = []

    @classmethod
    def of(cls, attempts: Mapping[datetime, Attempts]) -> "Memory":
        """Return the cursor for attempts by hour."""
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
        """Return the attempts by hour."""
        return {
            hour: entry.attempts
            for entry in self.entries
            for hour in HourRange(entry.first, entry.last)
        }


@dataclass(frozen=True)
class Plan:
    """The requests, in this order, and the attempts for the next cursor."""

    requests: list[tuple[HourRange, Reason]]
    attempts: dict[datetime, Attempts]


def forget_old(
    attempts: Mapping[datetime, Attempts], window: HourRange, now: datetime, lookback: timedelta
) -> dict[datetime, Attempts]:
    """Drop hours older than the window that have been retried for the whole look-back."""
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
    """Plan the requests for the hours in `states`, in ranges of at most `longest` hours.

    New hours, those after the newest finished one, come first; then gaps; then hours that failed
    before. Within each group the newest range comes first.
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
    """Return the attempts with a wait set once the last attempt has ended in failure."""
    if state is HourState.UNDER_WAY:
        return tried
    if (
        tried is None and state is HourState.FAILED
    ):  # an attempt of a run that the sensor did not start
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
