"""Stickiness and lifecycle, from active days in weeks and months.

Definitions: https://amplitude.com/docs/analytics/charts/stickiness/stickiness-interpret and
https://amplitude.com/docs/analytics/charts/lifecycle/lifecycle-interpret.
"""

from collections import Counter, defaultdict
from datetime import date

from tests.oracle.calendar import next_period, period_start, periods
from tests.oracle.settings import Settings


def stickiness(active_dates: dict[str, set[date]], settings: Settings) -> list[tuple[object, ...]]:
    """Return `agg_stickiness`: users by the number of their active days in a week or month."""
    rows: list[tuple[object, ...]] = []
    for period in ("week", "month"):
        counts: defaultdict[date, Counter[str]] = defaultdict(Counter)
        for user, dates in active_dates.items():
            for day in dates:
                counts[period_start(day, period, settings.week_start)][user] += 1
        for start, days_of_user in counts.items():
            everyone = len(days_of_user)
            for n in range(1, (next_period(start, period) - start).days + 1):
                exactly = sum(1 for days in days_of_user.values() if days == n)
                at_least = sum(1 for days in days_of_user.values() if days >= n)
                rows.append((period, start, n, exactly, exactly / everyone, at_least / everyone))
    return rows


def lifecycle(active_dates: dict[str, set[date]], settings: Settings) -> list[tuple[object, ...]]:
    """Return `agg_lifecycle`: everyone active in a period is new, current or resurrected.

    Users who were active in the period before, and not in this one, are dormant.
    """
    rows: list[tuple[object, ...]] = []
    for period in ("day", "week", "month"):
        active: defaultdict[date, set[str]] = defaultdict(set)
        for user, dates in active_dates.items():
            for day in dates:
                active[period_start(day, period, settings.week_start)].add(user)
        before: set[str] = set()
        known: set[str] = set()
        for start in periods(min(active), max(active), period) if active else ():
            now = active[start]
            rows.append(
                (
                    period,
                    start,
                    len(now - known),
                    len(now & before),
                    len((now & known) - before),
                    len(before - now),
                )
            )
            before = now
            known |= now
    return rows
