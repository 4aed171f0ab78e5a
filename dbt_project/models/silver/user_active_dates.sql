-- Each active date of a user, with the previous and the next one. Retention, lifecycle, stickiness and active
-- users are computed from these without sorting all dates again.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with active_dates as (
    select
        user_key,
        project_id,
        event_date
    from {{ ref('user_activity_hourly') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
    group by
        user_key,
        project_id,
        event_date
    having sum(active_events) > 0
),

users as (
    select
        user_key,
        new_at
    from {{ ref('users') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
)

select
    active_dates.user_key,
    active_dates.project_id,
    {{ to_project_date('users.new_at') }} as new_date,
    active_dates.event_date as activity_date,
    lag(active_dates.event_date) over (
        partition by active_dates.user_key order by active_dates.event_date
    ) as previous_date,
    lead(active_dates.event_date) over (
        partition by active_dates.user_key order by active_dates.event_date
    ) as next_date,
    row_number() over (
        partition by active_dates.user_key, {{ week_of('active_dates.event_date') }}
        order by active_dates.event_date
    ) as active_days_of_week,
    row_number() over (
        partition by active_dates.user_key, {{ period_of('month', 'active_dates.event_date') }}
        order by active_dates.event_date
    ) as active_days_of_month
from active_dates
inner join users on active_dates.user_key = users.user_key
