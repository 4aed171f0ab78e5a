"""Compute all gold tables, with the columns that are compared."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tests.oracle import funnels, habits, people, quality, retention, revenue
from tests.oracle.events import read_log
from tests.oracle.settings import Merge, Settings

Rows = list[tuple[object, ...]]

_OWN_COLUMNS: dict[str, tuple[str, ...]] = {
    "dim_users": (
        "user_key", "new_at", "first_seen_at", "last_seen_at", "events", "sessions", "revenue",
    ),
    "fct_sessions": (
        "session_key", "user_key", "session_id", "session_date", "started_at", "ended_at",
        "length_seconds", "events", "is_bounce", "is_longer_than_a_day", "entry_event_type",
        "exit_event_type",
    ),
    "fct_user_activity_daily": ("user_key", "activity_date", "events", "sessions"),
    "agg_active_users_daily": (
        "activity_date", "dau", "wau_rolling", "mau_rolling", "wau_calendar", "mau_calendar",
        "new_users", "dau_mau_ratio",
    ),
    "agg_event_daily": ("activity_date", "event_type", "events", "users", "sessions"),
    "agg_retention": (
        "cohort_date", "clock", "mode", "day_number", "cohort_users", "returned_users",
        "is_complete",
    ),
    "agg_retention_by_period": (
        "period", "cohort_start", "clock", "mode", "period_number", "cohort_users",
        "returned_users", "is_complete",
    ),
    "agg_stickiness": (
        "period", "period_start", "active_days", "users", "share", "cumulative_share",
    ),
    "agg_lifecycle": (
        "period", "period_start", "new_users", "current_users", "resurrected_users",
        "dormant_users",
    ),
    "fct_funnel": ("funnel", "user_key", "started_at", "furthest_step", "converted_at"),
    "fct_funnel_steps": (
        "funnel", "user_key", "step", "event_type", "reached_at", "seconds_from_previous",
    ),
    "agg_funnel": (
        "funnel", "step", "event_type", "users", "conversion_from_start",
        "median_seconds_from_previous",
    ),
    "fct_revenue": (
        "uuid", "user_key", "event_type", "event_time", "event_date", "product_id", "quantity",
        "price", "revenue", "currency",
    ),
    "agg_ltv": (
        "cohort_date", "day_number", "cohort_users", "cumulative_revenue", "arpu",
        "paying_users", "is_complete",
    ),
    "rpt_data_quality": (
        "export_hour", "lines", "bronze_rows", "rejected_lines", "silver_events",
        "duplicates", "is_reconciled", "redated_events", "lag_p50_seconds", "lag_p95_seconds",
    ),
}  # fmt: skip
COLUMNS = {table: ("project_id", *columns) for table, columns in _OWN_COLUMNS.items()}


def gold_tables(
    project_id: int,
    hours: Mapping[datetime, Sequence[bytes]],
    merges: Sequence[Merge] = (),
    settings: Settings | None = None,
) -> dict[str, Rows]:
    """Compute every gold table from the exported lines of all hours, including empty hours."""
    settings = settings or Settings()
    log = read_log(project_id, hours, merges, settings)
    new_at = people.new_at(log.events)
    active_dates = people.active_dates(log.events)
    all_sessions = people.sessions(log.events, settings)
    all_revenue = revenue.revenue_events(log.events)
    all_paths = funnels.paths(log.events, settings)
    tables: dict[str, Rows] = {
        "dim_users": people.users(log.events, all_sessions, all_revenue),
        "fct_sessions": [tuple(vars(session).values()) for session in all_sessions],
        "fct_user_activity_daily": people.activity_daily(log.events),
        "agg_active_users_daily": people.active_users_daily(log.events, settings),
        "agg_event_daily": people.event_daily(log.events),
        "agg_retention": retention.retention(log, new_at, settings),
        "agg_retention_by_period": retention.retention_by_period(log, new_at, settings),
        "agg_stickiness": habits.stickiness(active_dates, settings),
        "agg_lifecycle": habits.lifecycle(active_dates, settings),
        "fct_funnel": funnels.funnel_users(all_paths),
        "fct_funnel_steps": funnels.reached_steps(all_paths),
        "agg_funnel": funnels.funnel_steps(all_paths, settings),
        "fct_revenue": [tuple(vars(sale).values()) for sale in all_revenue],
        "agg_ltv": revenue.lifetime_value(log, new_at, all_revenue, settings),
        "rpt_data_quality": quality.data_quality(log),
    }
    return {name: [(project_id, *row) for row in rows] for name, rows in tables.items()}
