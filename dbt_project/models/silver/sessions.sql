-- Sessions, from their active events.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with events as (
    select
        project_id,
        user_key,
        session_key,
        session_id,
        uuid,
        device_id,
        event_type,
        client_event_time
    from {{ events_of_touched_keys() }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

inactive_event_types as (
    select event_type from {{ ref('inactive_event_types') }}
),

session_events as (
    select
        events.project_id,
        events.user_key,
        events.session_key,
        events.session_id,
        events.event_type,
        events.client_event_time,
        row_number() over (
            partition by events.session_key order by events.client_event_time, events.uuid
        ) as place,
        count(*) over (partition by events.session_key) as places
    from events
    left join inactive_event_types on events.event_type = inactive_event_types.event_type
    where
        events.session_key is not null
        and inactive_event_types.event_type is null
),

sessions as (
    select
        session_key,
        project_id,
        user_key,
        session_id,
        min(client_event_time) as started_at,
        max(client_event_time) as ended_at,
        count(*) as events,
        max(case when place = 1 then event_type end) as entry_event_type,
        max(case when place = places then event_type end) as exit_event_type
    from session_events
    group by
        session_key,
        project_id,
        user_key,
        session_id
)

select
    session_key,
    project_id,
    user_key,
    session_id,
    {{ to_project_date('started_at') }} as session_date,
    started_at,
    ended_at,
    cast({{ epoch_us('ended_at') }} - {{ epoch_us('started_at') }} as double) / 1000000 as length_seconds,
    events,
    events = 1 as is_bounce,
    entry_event_type,
    exit_event_type
from sessions
