"""Retention: how many new users returned n days later.

Definitions: https://amplitude.com/docs/analytics/charts/retention-analysis/retention-analysis-time
(the two clocks) and .../retention-analysis-calculation (the two modes, incomplete cohorts).
"""

from collections import defaultdict
from datetime import date, datetime, timedelta

from tests.oracle.calendar import DAY, next_period, period_start, periods
from tests.oracle.events import Event, Log, local_date
from tests.oracle.settings import Settings

HOUR = timedelta(hours=1)
CLOCKS = ("calendar", "24h")
LENGTHS = {"week": 7, "month": 30}


def hour_of(time: datetime) -> datetime:
    """Round down to the hour."""
    return time.replace(minute=0, second=0, microsecond=0)


def hours_between(start: datetime, later: datetime) -> int:
    """Count the hours from the hour of one event to the hour of another."""
    return (hour_of(later) - hour_of(start)) // HOUR


def unit_is_over(end: datetime | None, start: datetime, n: int) -> bool:
    """Return whether the 24 hours of unit n after a start are over at the end of the data."""
    return end is not None and hour_of(start) + (n + 1) * DAY <= end


def retention(
    log: Log, new_at: dict[str, datetime], settings: Settings
) -> list[tuple[object, ...]]:
    """Return `agg_retention`: new users by first date, and those who returned with any event.

    The first event counts for day 0. A cell is complete once day n is over for its last user.
    """
    cohorts: defaultdict[date, list[str]] = defaultdict(list)
    for user, time in new_at.items():
        cohorts[local_date(time, settings)].append(user)
    returns = {clock: _units_of_return(log.events, new_at, clock, settings) for clock in CLOCKS}
    rows: list[tuple[object, ...]] = []
    for cohort_date, cohort in cohorts.items():
        for clock, units in returns.items():
            for n in range(settings.retention_days + 1):
                complete = _is_complete(log, cohort_date, cohort, new_at, clock, n, settings)
                on = sum(1 for user in cohort if n in units[user])
                after = sum(1 for user in cohort if any(unit >= n for unit in units[user]))
                rows.append((cohort_date, clock, "on", n, len(cohort), on, complete))
                rows.append((cohort_date, clock, "on_or_after", n, len(cohort), after, complete))
    return rows


def _units_of_return(
    events: list[Event], new_at: dict[str, datetime], clock: str, settings: Settings
) -> defaultdict[str, set[int]]:
    """Return the numbers of the days, after each user's start, with an active event."""
    units: defaultdict[str, set[int]] = defaultdict(set)
    for event in events:
        if event.is_active:
            start = new_at[event.user_key]
            if clock == "24h":
                unit = hours_between(start, event.event_time) // 24
            else:
                unit = (event.event_date - local_date(start, settings)).days
            units[event.user_key].add(unit)
    return units


def _is_complete(
    log: Log,
    cohort_date: date,
    cohort: list[str],
    new_at: dict[str, datetime],
    clock: str,
    n: int,
    settings: Settings,
) -> bool:
    if clock == "24h":
        return unit_is_over(log.end, max(new_at[user] for user in cohort), n)
    return log.end is not None and local_date(log.end, settings) > cohort_date + n * DAY


def retention_by_period(
    log: Log, new_at: dict[str, datetime], settings: Settings
) -> list[tuple[object, ...]]:
    """Return `agg_retention_by_period`: the same for weeks and months.

    With the rolling clock, a week is 7 days and a month 30, from a user's first day; with the
    calendar clock, weeks and months are those of the project.
    """
    first_days = {user: local_date(time, settings) for user, time in new_at.items()}
    rows: list[tuple[object, ...]] = []
    for period in LENGTHS:
        cohorts: defaultdict[date, list[str]] = defaultdict(list)
        for user, day in first_days.items():
            cohorts[period_start(day, period, settings.week_start)].append(user)
        returns = _periods_of_return(log.events, first_days, period, settings)
        for start, cohort in cohorts.items():
            last_day = max(first_days[user] for user in cohort)
            for n in range(settings.retention_periods + 1):
                ends = _ends_of_period(start, last_day, period, n)
                for clock, units in returns.items():
                    on = sum(1 for user in cohort if n in units[user])
                    after = sum(1 for user in cohort if any(unit >= n for unit in units[user]))
                    is_over = log.end is not None and ends[clock] <= local_date(log.end, settings)
                    for mode, users in (("on", on), ("on_or_after", after)):
                        rows.append((period, start, clock, mode, n, len(cohort), users, is_over))
    return rows


def _periods_of_return(
    events: list[Event], first_days: dict[str, date], period: str, settings: Settings
) -> dict[str, defaultdict[str, set[int]]]:
    """Return, by clock, the numbers of the periods after each user's start with an event."""
    calendar: defaultdict[str, set[int]] = defaultdict(set)
    rolling: defaultdict[str, set[int]] = defaultdict(set)
    for event in events:
        if event.is_active:
            first = first_days[event.user_key]
            begun = periods(
                period_start(first, period, settings.week_start), event.event_date, period
            )
            calendar[event.user_key].add(len(list(begun)) - 1)
            rolling[event.user_key].add((event.event_date - first).days // LENGTHS[period])
    return {"calendar": calendar, "rolling": rolling}


def _ends_of_period(start: date, last_day: date, period: str, n: int) -> dict[str, date]:
    """Return, by clock, the day on which period n is over for the last user of a cohort."""
    calendar = start
    for _ in range(n + 1):
        calendar = next_period(calendar, period)
    return {"calendar": calendar, "rolling": last_day + LENGTHS[period] * (n + 1) * DAY}
