-- Groups, with their latest properties.
with event_groups as (
    select
        group_key,
        project_id,
        group_type,
        group_name,
        event_time,
        group_properties,
        {{ moment_key('event_time', 'uuid') }} as moment
    from {{ ref('event_groups') }}
)

select
    group_key,
    project_id,
    group_type,
    group_name,
    min(event_time) as first_seen_at,
    max(event_time) as last_seen_at,
    count(*) as events,
    {{ last_value_of('group_properties') }} as group_properties
from event_groups
group by
    group_key,
    project_id,
    group_type,
    group_name
