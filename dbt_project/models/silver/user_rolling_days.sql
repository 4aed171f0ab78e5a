-- Each 24-hour day on which a user was active, counted from the hour in which they were new, as in Amplitude's
-- retention chart.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with activity as (
    select
        user_key,
        project_id,
        activity_hour,
        active_events
    from {{ ref('user_activity_hourly') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

users as (
    select
        user_key,
        new_at
    from {{ ref('users') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

active_days as (
    select distinct
        activity.user_key,
        activity.project_id,
        {{ to_project_date('users.new_at') }} as new_date,
        {{ rolling_day_number('users.new_at', 'activity.activity_hour') }} as day_number
    from activity
    inner join users on activity.user_key = users.user_key
    where activity.active_events > 0
)

select
    user_key,
    project_id,
    new_date,
    day_number,
    lead(day_number) over (partition by user_key order by day_number) is null as is_last
from active_days
