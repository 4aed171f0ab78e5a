{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_user_dates': {'user_key': 'user_key', 'activity_date': 'event_date'}}},
) }}

with events as (
    select
        project_id,
        user_key,
        session_key,
        event_type,
        event_date
    from {{ events_of_touched_keys() }}
    {{ where_touched(ref('touched_user_dates'), ['user_key', 'event_date']) }}
),

inactive_event_types as (
    select event_type from {{ ref('inactive_event_types') }}
)

select
    events.project_id,
    events.user_key,
    events.event_date as activity_date,
    count(*) as events,
    count(distinct events.session_key) as sessions
from events
left join inactive_event_types on events.event_type = inactive_event_types.event_type
where inactive_event_types.event_type is null
group by
    events.project_id,
    events.user_key,
    events.event_date
