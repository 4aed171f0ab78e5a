-- People, from all their events.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with events as (
    select
        project_id,
        user_key,
        event_time
    from {{ ref('events') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
)

select
    user_key,
    project_id,
    min(event_time) as new_at,
    min(event_time) as first_seen_at,
    max(event_time) as last_seen_at,
    count(*) as events
from events
group by
    user_key,
    project_id
