"""Read the report's figures from gold with the queries in `sql/`."""

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

# For more dates than this, the lifecycle is shown by week.
_MAX_DAYS_BY_DAY = 42
# Properties are listed as new or gone only when the history is more than twice this long.
_DRIFT_WINDOW = 7 * DAY


def read_overview(query: Query, project_id: int, zone: ZoneInfo) -> Overview:
    """Read the figures of a project up to the newest loaded hour, with dates in `zone`.

    `query` runs SQL that both DuckDB and Snowflake understand. Without loaded hours the overview
    is empty. Raises the warehouse's own errors.
    """
    made_at = datetime.now(UTC)
    ((first, newest),) = query(_sql("coverage", project_id=project_id))
    if first is None:
        return Overview(project_id, made_at)
    coverage = Coverage(HourRange(_utc(first), _utc(newest)), zone)
    period = "day" if coverage.days <= _MAX_DAYS_BY_DAY else "week"
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
    """Runs the queries with the same parameters."""

    def __init__(self, query: Query, values: dict[str, object]) -> None:
        self._query = query
        self._values = values

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return self._query(_sql(name, **self._values))


def _values(project_id: int, coverage: Coverage, period: str) -> dict[str, object]:
    """Return the parameters of the queries: numbers, dates and times, none from user input."""
    newest = coverage.hours.last
    has_history = newest - coverage.hours.first > 2 * _DRIFT_WINDOW
    return {
        "project_id": project_id,
        "first_date": coverage.first_date,
        "last_date": coverage.last_date,
        "complete_date": coverage.last_complete_date or coverage.last_date,
        "first_week": coverage.first_date - 6 * DAY,
        "first_hour": _timestamp(coverage.first_shown_hour),
        "period": period,
        # Without enough history, these bounds make no property new and none gone.
        "new_since": _timestamp(newest - _DRIFT_WINDOW if has_history else coverage.ends_at),
        "gone_since": _timestamp(newest - _DRIFT_WINDOW if has_history else coverage.hours.first),
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


def _timestamp(moment: datetime) -> str:
    """Format an aware time as the text of a timestamp literal in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
