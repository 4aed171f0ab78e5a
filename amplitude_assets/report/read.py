"""Reads the report's figures from gold, with the queries in `sql/`."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from amplitude_assets.hours import HourRange
from amplitude_assets.report.model import (
    DAY,
    ActiveDay,
    Coverage,
    DriftRow,
    EventType,
    FunnelStep,
    Hour,
    LifecyclePeriod,
    LifetimeDay,
    Overview,
    RetentionRow,
    RevenueDay,
    Sessions,
    StickinessRow,
)

Query = Callable[[str], list[tuple[Any, ...]]]

# Past so many dates, the lifecycle is told by week.
_DAYS_TOLD_BY_DAY = 42
# A property is new or gone only against a history at least twice as long.
_DRIFT_WINDOW = 7 * DAY


def read_overview(query: Query, project_id: int, zone: ZoneInfo) -> Overview:
    """Return the figures of a project, dates in `zone`, up to the newest loaded hour.

    `query` runs SQL that DuckDB and Snowflake both read. Without loaded hours the overview is
    empty. Errors are the warehouse's own.
    """
    made_at = datetime.now(UTC)
    ((first, newest),) = query(_sql("coverage", project_id=project_id))
    if first is None:
        return Overview(project_id, made_at)
    coverage = Coverage(HourRange(_utc(first), _utc(newest)), zone)
    period = "day" if coverage.days <= _DAYS_TOLD_BY_DAY else "week"
    rows = _Rows(query, _values(project_id, coverage, period))
    return Overview(
        project_id=project_id,
        made_at=made_at,
        coverage=coverage,
        hours=[Hour(_utc(hour), *rest) for hour, *rest in rows.of("hours")],
        active_days=[ActiveDay(day, *map(int, rest)) for day, *rest in rows.of("active_users")],
        lifecycle=[
            LifecyclePeriod(start, *map(int, rest)) for start, *rest in rows.of("lifecycle")
        ],
        lifecycle_period=period,
        stickiness=[
            StickinessRow(week, int(days), int(users), float(share))
            for week, days, users, share in rows.of("stickiness")
        ],
        retention=[
            RetentionRow(cohort, mode, int(day), int(users), int(returned), bool(complete))
            for cohort, mode, day, users, returned, complete in rows.of("retention")
        ],
        funnels=[FunnelStep(*row) for row in rows.of("funnels")],
        sessions=_sessions(rows),
        revenue=[
            RevenueDay(day, currency, float(revenue), int(events))
            for day, currency, revenue, events in rows.of("revenue")
        ],
        lifetime=[
            LifetimeDay(int(day), int(users), float(revenue), int(paying))
            for day, users, revenue, paying in rows.of("ltv")
        ],
        event_types=[
            EventType(name, int(events), int(users))
            for name, events, users in rows.of("top_events")
        ],
        drift=[_drift_row(row) for row in rows.of("drift")],
    )


class _Rows:
    """The rows of the queries, all over the same project and range."""

    def __init__(self, query: Query, values: dict[str, object]) -> None:
        self._query = query
        self._values = values

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return self._query(_sql(name, **self._values))


def _values(project_id: int, coverage: Coverage, period: str) -> dict[str, object]:
    """Return what the queries leave open. All of it is ours: numbers, dates and times."""
    newest = coverage.hours.last
    has_history = newest - coverage.hours.first > 2 * _DRIFT_WINDOW
    return {
        "project_id": project_id,
        "first_date": coverage.first_date,
        "last_date": coverage.last_date,
        "whole_date": coverage.last_whole_date or coverage.last_date,
        "first_week": coverage.first_date - 6 * DAY,
        "first_hour": _written(coverage.first_shown_hour),
        "period": period,
        # Without enough history nothing can be new after the newest hour, nor gone before all.
        "new_since": _written(newest - _DRIFT_WINDOW if has_history else coverage.ends_at),
        "gone_since": _written(newest - _DRIFT_WINDOW if has_history else coverage.hours.first),
    }


def _sessions(rows: _Rows) -> Sessions:
    ((count, bounces, median, mean),) = rows.of("session_summary")
    return Sessions(
        count=int(count),
        bounces=int(bounces or 0),
        median_seconds=None if median is None else float(median),
        mean_seconds=None if mean is None else float(mean),
        lengths={int(start): int(sessions) for start, sessions in rows.of("session_lengths")},
    )


def _drift_row(row: tuple[Any, ...]) -> DriftRow:
    kind, scope, key, event_type, event_types, *types, first, last, occurrences, total = row
    return DriftRow(
        kind=kind,
        scope=scope,
        key=key,
        event_type=event_type,
        event_types=int(event_types),
        types=tuple(sorted({name for name in types if name})),
        first_hour=_utc(first),
        last_hour=_utc(last),
        occurrences=int(occurrences),
        of_its_kind=int(total),
    )


def _sql(name: str, **values: object) -> str:
    script = resources.files(__package__) / "sql" / f"{name}.sql"
    return script.read_text().format(**values)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _written(moment: datetime) -> str:
    """Write a moment as a timestamp literal's text, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
