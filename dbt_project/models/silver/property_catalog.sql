-- Every property ever seen. Shows drift: new keys, keys that disappear, keys with two types, keys that differ only
-- in letter case.
with property_hours as (
    select
        project_id,
        export_hour,
        scope,
        event_type,
        key,
        json_type,
        occurrences
    from {{ ref('property_hours') }}
),

event_types as (
    select
        project_id,
        event_type,
        events
    from {{ ref('event_types') }}
),

project_events as (
    select
        project_id,
        sum(events) as events
    from event_types
    group by project_id
),

properties as (
    select
        project_id,
        scope,
        event_type,
        key,
        json_type,
        min(export_hour) as first_hour,
        max(export_hour) as last_hour,
        cast(sum(occurrences) as bigint) as occurrences
    from property_hours
    group by
        project_id,
        scope,
        event_type,
        key,
        json_type
),

flagged_properties as (
    select
        project_id,
        scope,
        event_type,
        key,
        json_type,
        first_hour,
        last_hour,
        occurrences,
        -- null does not count as a type.
        count(case when json_type <> 'null' then 1 end) over (
            partition by project_id, scope, event_type, key
        ) > 1 as has_type_conflict,
        min(key) over (partition by project_id, scope, event_type, lower(key))
        <> max(key) over (partition by project_id, scope, event_type, lower(key)) as has_case_collision
    from properties
)

select
    {{ surrogate_key([
        'flagged_properties.project_id', 'flagged_properties.scope', 'flagged_properties.event_type',
        'flagged_properties.key', 'flagged_properties.json_type',
    ]) }} as property_key,
    flagged_properties.project_id,
    flagged_properties.scope,
    flagged_properties.event_type,
    flagged_properties.key,
    flagged_properties.json_type,
    flagged_properties.first_hour,
    flagged_properties.last_hour,
    flagged_properties.occurrences,
    cast(flagged_properties.occurrences as double)
    / coalesce(event_types.events, project_events.events) as fill_rate,
    flagged_properties.has_type_conflict,
    flagged_properties.has_case_collision
from flagged_properties
left join event_types
    on
        flagged_properties.scope = 'event'
        and flagged_properties.project_id = event_types.project_id
        and flagged_properties.event_type = event_types.event_type
left join project_events on flagged_properties.project_id = project_events.project_id
