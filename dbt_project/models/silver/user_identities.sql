-- The combinations of ids found on events, and the user to whom they belong.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with events as (
    select
        project_id,
        user_key,
        amplitude_id,
        user_id,
        device_id,
        event_time
    from {{ events_of_touched_keys() }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
)

select
    {{ surrogate_key(['project_id', 'amplitude_id', 'user_id', 'device_id']) }} as identity_key,
    project_id,
    user_key,
    amplitude_id,
    user_id,
    device_id,
    min(event_time) as first_seen_at,
    max(event_time) as last_seen_at,
    count(*) as events
from events
group by
    project_id,
    user_key,
    amplitude_id,
    user_id,
    device_id
