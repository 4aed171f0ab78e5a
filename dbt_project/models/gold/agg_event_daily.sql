{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_user_dates': {'activity_date': 'event_date'}}},
) }}

with events as (
    select
        project_id,
        event_date,
        event_type,
        user_key,
        session_key
    from {{ ref('events') }}
    {{ where_touched(ref('touched_user_dates'), ['event_date']) }}
)

select
    project_id,
    event_date as activity_date,
    event_type,
    count(*) as events,
    count(distinct user_key) as users,
    count(distinct session_key) as sessions
from events
group by
    project_id,
    event_date,
    event_type
