"""Write gold directly into a DuckDB file: the tables of dbt, with a synthetic history.

For tests of the report, with any number of days, and values that are hard to produce with dbt.
"""

from datetime import datetime
from pathlib import Path

import duckdb

PROJECT_ID = 100011

TABLES = """
create schema if not exists gold;
create schema if not exists silver;
create table gold.rpt_data_quality (project_id bigint, export_hour timestamp, status varchar,
    lines bigint, bronze_rows bigint, rejected_lines bigint, silver_events bigint,
    duplicates bigint, is_reconciled boolean, lag_p50_seconds double, lag_p95_seconds double);
create table gold.agg_active_users_daily (project_id bigint,
    activity_date date, dau bigint, wau_rolling bigint,
    mau_rolling bigint, new_users bigint, dau_mau_ratio double);
create table gold.agg_lifecycle (project_id bigint,
    period varchar, period_start date, new_users bigint,
    current_users bigint, resurrected_users bigint, dormant_users bigint);
create table gold.agg_stickiness (project_id bigint,
    period varchar, period_start date, active_days bigint,
    users bigint, share double, cumulative_share double);
create table gold.agg_retention (project_id bigint,
    cohort_date date, clock varchar, mode varchar, day_number bigint,
    cohort_users bigint, returned_users bigint, is_complete boolean);
create table gold.agg_funnel (project_id bigint,
    funnel varchar, step bigint, event_type varchar, users bigint,
    conversion_from_start double, conversion_from_previous double,
    median_seconds_from_previous double);
create table gold.fct_sessions (project_id bigint,
    session_key varchar, session_date date, length_seconds double,
    is_bounce boolean, is_longer_than_a_day boolean);
create table gold.fct_revenue (project_id bigint,
    uuid varchar, event_date date, revenue decimal(38, 9),
    currency varchar);
create table gold.agg_ltv (project_id bigint,
    cohort_date date, day_number bigint, cohort_users bigint,
    cumulative_revenue decimal(38, 9), paying_users bigint, is_complete boolean);
create table gold.agg_event_daily (project_id bigint,
    activity_date date, event_type varchar, events bigint,
    users bigint, sessions bigint);
create table silver.property_catalog (project_id bigint, scope varchar, event_type varchar,
    key varchar, json_type varchar, first_hour timestamp, last_hour timestamp, occurrences bigint,
    has_type_conflict boolean, has_case_collision boolean);
"""

_HISTORY = """
create temp table hours as
    select h, hash(h) % 100 as r from range($first, $last + interval 1 hour, interval 1 hour) t(h);
create temp table days as
    select d::date as d, row_number() over (order by d) - 1 as n,
        hash(d) % 50 + 100 + 60 * (dayofweek(d) not in (0, 6))::int as people
    from (select distinct h::date as d from hours);
insert into gold.rpt_data_quality
    select $project, h, 'loaded', 200 + r, 200 + r, 0, 198 + r, 2, true, 2 + r / 10, 900 + 90 * r
    from hours;
insert into gold.agg_active_users_daily
    select $project, d, people, people * least(n + 1, 5), people * least(n + 1, 14),
    20 + people // 10, 0.1
    from days;
insert into gold.agg_lifecycle
    select $project, period, date_trunc(period, d), 40, 80, 15, 50
    from days, (values ('day'), ('week'), ('month')) t(period) group by all;
insert into gold.agg_stickiness
    select $project, 'week', date_trunc('week', d), a, 10, 0.1, 1 / a
    from days, range(1, 8) t(a) group by all;
insert into gold.agg_retention
    select $project, d, '24h', mode, day, people, if(day = 0, people, people // (day + extra)),
        d + (day + 2)::int <= $last
    from days, range(0, 31) t(day), (values ('on', 3), ('on_or_after', 1)) m(mode, extra);
insert into gold.agg_funnel values
    ($project, 'purchase', 1, 'Page Viewed', 1000, 1, null, null),
    ($project, 'purchase', 2, 'Item Viewed', 400, 0.4, 0.4, 42),
    ($project, 'purchase', 3, 'Order Completed', 60, 0.06, 0.15, 3600);
insert into gold.fct_sessions
    select $project, h::varchar || i, h::date, r * i * i / 4, i = 0, false
    from hours, range(0, 12) t(i);
insert into gold.fct_revenue
    select $project, h::varchar, h::date, r::decimal(38, 9), if(r % 3 = 0, 'EUR', 'USD') from hours
    where r % 2 = 0;
insert into gold.agg_ltv
    select $project, d, day, people, 2 * people * (1 + day / 10), people // 9,
    d + (day + 2)::int <= $last
    from days, range(0, 31) t(day);
insert into gold.agg_event_daily
    select $project, d, 'Event ' || e, 1000 // (e + 1), 100 // (e + 1), 50
    from days, range(0, 20) t(e);
insert into silver.property_catalog
    select $project, 'event', 'Page Viewed', 'price', json_type, $first, $last, 10, true, false
    from (values ('number'), ('string')) t(json_type);
drop table hours;
drop table days;
"""


def create_gold(path: Path) -> duckdb.DuckDBPyConnection:
    """Create the tables that the report reads, empty, and return a connection to them."""
    con = duckdb.connect(str(path))
    con.execute(TABLES)
    return con


def fill_gold(con: duckdb.DuckDBPyConnection, first: datetime, last: datetime) -> None:
    """Write a history from the first to the last export hour, both naive and inclusive."""
    values = {"first": first, "last": last, "project": PROJECT_ID}
    for statement in con.extract_statements(_HISTORY):
        wanted = {name: values[name] for name in statement.named_parameters}
        con.execute(statement, wanted)
