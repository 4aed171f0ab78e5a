"""Users, sessions, active days and active users.

Definitions: https://amplitude.com/docs/get-started/helpful-definitions (active, new, session) and
https://amplitude.com/docs/data/sources/instrument-track-sessions.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tests.oracle.calendar import DAY, days, period_start
from tests.oracle.events import Event, local_date
from tests.oracle.revenue import RevenueEvent
from tests.oracle.settings import Settings

ONE_DAY_IN_SECONDS = 86_400


@dataclass(frozen=True)
class Session:
    """One session with at least one active event."""

    session_key: str
    user_key: str
    session_id: int
    session_date: date
    started_at: datetime
    ended_at: datetime
    length_seconds: float
    events: int
    is_bounce: bool
    is_longer_than_a_day: bool
    entry_event_type: str
    exit_event_type: str


def by_user(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Group events by surviving user."""
    groups: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        groups[event.user_key].append(event)
    return groups


def new_at(events: Iterable[Event]) -> dict[str, datetime]:
    """Return when each user was new: the earliest event of any type."""
    return {user: min(event.event_time for event in own) for user, own in by_user(events).items()}


def active_dates(events: Iterable[Event]) -> dict[str, set[date]]:
    """Return the days on which each user had at least one event of an active type."""
    dates: defaultdict[str, set[date]] = defaultdict(set)
    for event in events:
        if event.is_active:
            dates[event.user_key].add(event.event_date)
    return dates


def sessions(events: Iterable[Event], settings: Settings) -> list[Session]:
    """Return the sessions: from the first to the last active event, dated by their start.

    Events outside of sessions have none, and sessions with only inactive events do not count.
    """
    groups: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.session_key is not None and event.is_active:
            groups[event.session_key].append(event)
    return [_session(key, own, settings) for key, own in groups.items()]


def _session(key: str, events: list[Event], settings: Settings) -> Session:
    in_order = sorted(events, key=lambda event: (event.client_event_time, event.uuid))
    first, last = in_order[0], in_order[-1]
    length = (last.client_event_time - first.client_event_time).total_seconds()
    assert first.session_id is not None
    return Session(
        session_key=key,
        user_key=first.user_key,
        session_id=first.session_id,
        session_date=local_date(first.client_event_time, settings),
        started_at=first.client_event_time,
        ended_at=last.client_event_time,
        length_seconds=length,
        events=len(events),
        is_bounce=len(events) == 1,
        is_longer_than_a_day=length > ONE_DAY_IN_SECONDS,
        entry_event_type=first.event_type,
        exit_event_type=last.event_type,
    )


def users(
    events: Sequence[Event], all_sessions: Sequence[Session], revenue: Sequence[RevenueEvent]
) -> list[tuple[object, ...]]:
    """Return `dim_users`."""
    session_counts: defaultdict[str, int] = defaultdict(int)
    for session in all_sessions:
        session_counts[session.user_key] += 1
    revenues: defaultdict[str, Decimal] = defaultdict(Decimal)
    for sale in revenue:
        revenues[sale.user_key] += sale.revenue
    return [
        (
            user,
            min(event.event_time for event in own),
            min(event.event_time for event in own),
            max(event.event_time for event in own),
            len(own),
            session_counts[user],
            revenues[user],
        )
        for user, own in by_user(events).items()
    ]


def activity_daily(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """Return `fct_user_activity_daily`: a user's active events on a date, and their sessions."""
    groups: defaultdict[tuple[str, date], list[Event]] = defaultdict(list)
    for event in events:
        if event.is_active:
            groups[event.user_key, event.event_date].append(event)
    return [(user, day, len(own), _count_sessions(own)) for (user, day), own in groups.items()]


def event_daily(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """Return `agg_event_daily`, which includes inactive event types."""
    groups: defaultdict[tuple[date, str], list[Event]] = defaultdict(list)
    for event in events:
        groups[event.event_date, event.event_type].append(event)
    return [
        (day, event_type, len(own), len({event.user_key for event in own}), _count_sessions(own))
        for (day, event_type), own in groups.items()
    ]


def _count_sessions(events: Iterable[Event]) -> int:
    return len({event.session_key for event in events if event.session_key is not None})


def active_users_daily(events: Sequence[Event], settings: Settings) -> list[tuple[object, ...]]:
    """Return `agg_active_users_daily`: everyone active in a window that ends with the date.

    Rolling windows are the last 7 and 30 days; calendar windows begin with the week or month of
    the date. `dau_mau_ratio` is our own metric, not Amplitude's stickiness.
    """
    active: defaultdict[date, set[str]] = defaultdict(set)
    for user, dates in active_dates(events).items():
        for day in dates:
            active[day].add(user)
    new: defaultdict[date, int] = defaultdict(int)
    for time in new_at(events).values():
        new[local_date(time, settings)] += 1
    if not active and not new:
        return []

    def users_since(first: date, last: date) -> int:
        return len(set().union(*(active[day] for day in days(first, last) if day in active)))

    rows: list[tuple[object, ...]] = []
    for day in days(min([*active, *new]), max([*active, *new])):
        dau = len(active.get(day, ()))
        monthly = users_since(day - 29 * DAY, day)
        rows.append(
            (
                day,
                dau,
                users_since(day - 6 * DAY, day),
                monthly,
                users_since(period_start(day, "week", settings.week_start), day),
                users_since(period_start(day, "month", settings.week_start), day),
                new.get(day, 0),
                dau / monthly if monthly else None,
            )
        )
    return rows
