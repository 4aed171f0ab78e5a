-- The UTC hours in which each user had events. Source of all counts of active users.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with events as (
    select
        project_id,
        user_key,
        event_type,
        event_date,
        date_trunc('hour', event_time) as activity_hour
    from {{ events_of_touched_keys() }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

inactive_event_types as (
    select event_type from {{ ref('inactive_event_types') }}
)

select
    events.user_key,
    events.project_id,
    events.activity_hour,
    events.event_date,
    count(*) as events,
    count(case when inactive_event_types.event_type is null then 1 end) as active_events
from events
left join inactive_event_types on events.event_type = inactive_event_types.event_type
group by
    events.user_key,
    events.project_id,
    events.activity_hour,
    events.event_date
