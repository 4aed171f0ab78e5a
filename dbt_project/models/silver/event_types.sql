-- Event types, and whether they make a user active.
with events as (
    select
        project_id,
        event_type,
        event_time
    from {{ ref('events') }}
),

inactive_event_types as (
    select event_type from {{ ref('inactive_event_types') }}
),

event_types as (
    select
        project_id,
        event_type,
        min(event_time) as first_seen_at,
        max(event_time) as last_seen_at,
        count(*) as events
    from events
    group by
        project_id,
        event_type
)

select
    {{ surrogate_key(['event_types.project_id', 'event_types.event_type']) }} as event_type_key,
    event_types.project_id,
    event_types.event_type,
    inactive_event_types.event_type is null as is_active,
    event_types.first_seen_at,
    event_types.last_seen_at,
    event_types.events
from event_types
left join inactive_event_types on event_types.event_type = inactive_event_types.event_type
