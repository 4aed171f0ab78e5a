"""Check each hour's number of lines against the same hour of earlier weeks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from statistics import median

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    MetadataValue,
    ResourceParam,
    asset_check,
)

from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.checks.ledger import ledger_ever
from amplitude_assets.checks.wording import counted
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, Clock, HourRange, format_hour
from amplitude_assets.instance.pools import WAREHOUSE_POOL
from amplitude_assets.warehouse.base import Warehouse

JUDGED_HOURS = 24
WEEKS_BEFORE = 8
# A median of fewer weeks is not meaningful.
LEAST_WEEKS = 3
# In standard deviations; wide, because counts vary by far more than chance.
LIMIT = 6.0
# The median absolute deviation of a normal distribution, times this, is its standard deviation.
_MAD_TO_SIGMA = 1.4826
_SHOWN_HOURS = 10


@dataclass(frozen=True)
class Judged:
    """An hour's number of lines, and the median of the same hour in earlier weeks as `expected`.

    `score` is the difference in robust standard deviations, negative for too few lines.
    """

    hour: datetime
    lines: int
    expected: float
    score: float


def judge(lines: Mapping[datetime, int], hours: Sequence[datetime]) -> list[Judged]:
    """Compare hours with the same hour of earlier weeks; leave out hours with too little history.

    The spread is the median absolute deviation, so that one odd week does not hide the next. It is
    at least the square root of the median, the standard deviation of a Poisson count, and at least
    a tenth of the median, since quiet projects vary that much from week to week.
    """
    judged = []
    for hour in hours:
        weeks = (hour - timedelta(weeks=n) for n in range(1, WEEKS_BEFORE + 1))
        before = [lines[week] for week in weeks if week in lines]
        if len(before) < LEAST_WEEKS:
            continue
        expected = median(before)
        deviation = _MAD_TO_SIGMA * median(abs(count - expected) for count in before)
        spread = max(deviation, sqrt(expected), expected / 10, 1.0)
        judged.append(Judged(hour, lines[hour], expected, (lines[hour] - expected) / spread))
    return judged


@asset_check(asset=RAW_EVENTS, name="volume_is_as_usual", pool=WAREHOUSE_POOL)
def volume_is_as_usual(
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[Warehouse],
    clock: ResourceParam[Clock],
) -> AssetCheckResult:
    """The hours of the newest day have about as many lines as the same hours of earlier weeks.

    Always a warning: the tables are correct, but the number of events sent is unusual.
    """
    lines = {hour: row.lines for hour, row in ledger_ever(settings, warehouse, clock).items()}
    newest = max(lines, default=None)
    hours = (
        [h for h in HourRange(newest - (JUDGED_HOURS - 1) * HOUR, newest) if h in lines]
        if newest
        else []
    )
    judged = judge(lines, hours)
    odd = [hour for hour in judged if abs(hour.score) > LIMIT]
    metadata = {
        "hours_judged": len(judged),
        "hours_without_history": len(hours) - len(judged),
        "odd_hours": len(odd),
        "largest_distance": max((abs(hour.score) for hour in judged), default=0.0),
    }
    if odd:
        return AssetCheckResult(
            passed=False,
            severity=AssetCheckSeverity.WARN,
            description=f"{counted(len(odd), 'hour')} unlike the same hours of earlier weeks: "
            + "; ".join(map(_in_words, odd[:_SHOWN_HOURS]))
            + ". Check for a release, a campaign or an outage of a client.",
            metadata={**metadata, "hours": MetadataValue.md(_table(odd))},
        )
    if not judged:
        summary = f"No hour has {LEAST_WEEKS} earlier weeks to compare with yet."
    else:
        summary = f"{counted(len(judged), 'hour')} like the same hours of earlier weeks."
    return AssetCheckResult(passed=True, description=summary, metadata=metadata)


def _in_words(hour: Judged) -> str:
    return f"{format_hour(hour.hour)} has {hour.lines:,} lines, expected about {hour.expected:,.0f}"


def _table(hours: Sequence[Judged]) -> str:
    rows = (
        f"| {format_hour(hour.hour)} | {hour.lines:,} | {hour.expected:,.0f} | {hour.score:+.1f} |"
        for hour in hours
    )
    return "\n".join(["| hour | lines | expected | distance |", "|---|---:|---:|---:|", *rows])


CHECKS: Sequence[AssetChecksDefinition] = (volume_is_as_usual,)
